"""Metadata from ONNX bytes: known answers, cut files, and noise that must never do more than be refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.errors import ModelError
from hwr_batch.zoo.onnx_file import read_metadata, refuse_external_data

from .onnx_bytes import chunk, onnx_model, varint


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_metadata_comes_back_as_written(metadata: dict[str, str]) -> None:
    read = read_metadata(onnx_model(metadata), "m.onnx")
    assert {key: value.decode() for key, value in read.items()} == metadata


def test_a_long_value_crosses_the_one_byte_length() -> None:
    assert read_metadata(onnx_model({"k": "x" * 100_000}), "m.onnx") == {"k": b"x" * 100_000}


@pytest.mark.parametrize(
    "data",
    [
        onnx_model({"k": "v"})[:-1],  # the last field is cut
        chunk(7, b"abc")[:3],
        varint(7 << 3 | 3),  # group: not in ONNX
        b"\x80" * 11,  # a number without an end
        b"\x3a",  # a key and nothing behind it
        varint(1 << 3 | 5) + b"abc",  # three bytes where four are due
    ],
)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx is not a whole ONNX file"):
        read_metadata(data, "m.onnx")


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=200))
def test_noise_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(ModelError):
        read_metadata(data, "m.onnx")
    with contextlib.suppress(ModelError):
        refuse_external_data(data, "m.onnx")


def test_weights_in_another_file_are_refused() -> None:
    refuse_external_data(onnx_model({}), "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx keeps weights in another file"):
        refuse_external_data(onnx_model({}, external=True), "m.onnx")


def test_a_file_without_a_graph_is_no_model() -> None:
    with pytest.raises(ModelError, match="holds no graph"):
        refuse_external_data(b"", "m.onnx")
