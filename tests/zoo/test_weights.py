"""Weight files are looked at before anything loads them."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hwr_batch.errors import ModelError
from hwr_batch.zoo.weights import check_weights, class_count, read_tensors, weight_names

from .onnx_bytes import onnx_model


def npz(**tensors: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, **tensors)  # type: ignore[arg-type]
    return out.getvalue()


def claiming(size: int) -> bytes:
    """An .npz whose table of contents claims `size` bytes for its only tensor."""
    data = npz(w=np.zeros(1))
    at = data.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    return data[:at] + size.to_bytes(4, "little") + data[at + 4 :]


def npy(array: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_an_ir_is_two_files() -> None:
    assert weight_names("a.b.xml") == ("a.b.xml", "a.b.bin")
    assert weight_names("net.onnx") == ("net.onnx",)
    assert weight_names("w.npz") == ("w.npz",)


GOOD = {
    "a.xml": b'<?xml version="1.0"?>\n<!-- note --><net name="x"><layers/></net>',
    "a.bin": b"\x00\x01",
    "b.onnx": onnx_model({}),
    "c.npz": npz(w=np.float16([1, 2])),
}


def test_good_files_pass() -> None:
    check_weights(GOOD)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xml", b'<!DOCTYPE net [<!ENTITY a "b">]><net>&a;</net>', "document type declaration"),
        ("a.xml", b'<!DOCTYPE net SYSTEM "http://127.0.0.1/x"><net/>', "document type declaration"),
        (
            "a.xml",
            '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE net><net/>'.encode("utf-16"),
            "document type",
        ),
        ("a.xml", b"<net>&undefined;</net>", "not well-formed XML"),
        ("a.xml", b"<net>", "not well-formed XML"),
        ("a.xml", b"", "not well-formed XML"),
        ("a.xml", b"<html/>", "its root is <html>, not <net>"),
        ("b.onnx", b"<net/>", "not a whole ONNX file"),
        ("b.onnx", onnx_model({}, external=True), "keeps weights in another file"),
        ("c.npz", npz(w=np.array([{"a": 1}], dtype=object)), "not a readable .npz of plain tensors"),
        ("c.npz", npz(w=np.zeros(100))[:-60], "not a readable .npz"),
        ("c.npz", npy(np.float32([1])), "not a readable .npz"),
        ("c.npz", b"\x80\x04K\x01.", "not a readable .npz"),  # a pickle
        ("c.npz", b"", "not a readable .npz"),
        ("c.npz", claiming(3 << 30), "c.npz would unpack to more than 2048 MiB"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_is_refused(name: str, data: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=says) as refused:
        check_weights({name: data})
    assert str(refused.value).startswith(name)


def test_a_flipped_bit_inside_an_npz_is_found() -> None:
    data = bytearray(npz(w=np.arange(1000)))
    data[2000] ^= 1
    with pytest.raises(ModelError, match="not a readable"):
        read_tensors(bytes(data), "c.npz")


def test_tensors_keep_dtype_shape_and_values() -> None:
    tensors = read_tensors(npz(a=np.float16([[1, 2], [3, 4]]), b=np.int64(7)), "c.npz")
    assert tensors["a"].dtype == np.float16
    np.testing.assert_array_equal(tensors["a"], [[1, 2], [3, 4]])
    assert tensors["b"].shape == ()


def test_classes_are_the_rows_of_the_last_layer() -> None:
    assert class_count({"w.npz": npz(**{"fc.weight": np.zeros((95, 512), np.float16)})}) == 95
    assert class_count({"w.npz": npz(other=np.zeros(3))}) is None
    assert class_count({"a.xml": GOOD["a.xml"], "a.bin": b""}) is None
