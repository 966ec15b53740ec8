"""A network that is not what its card says is refused with a sentence that names both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

from hwr_batch.engine import load
from hwr_batch.engine.source import open_network
from hwr_batch.errors import ModelError
from hwr_batch.zoo.card import ModelBundle

from . import networks


def test_charset_of_another_length(tmp_path: Path) -> None:
    bundle = networks.bundle(networks.japanese(), tmp_path, classes=networks.CLASSES + 1)
    with pytest.raises(ModelError, match=r"23 classes, but chars.txt has 23 characters"):
        load(bundle, networks.options())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 1999}, r"input \[1,1,96,1999\], the network takes \[1,1,96,2000\]"),
        ({"height": 48}, r"the card says input \[1,1,48,2000\]"),
        ({"channels": 3}, r"\[1,3,96,2000\]"),
        ({"output": "logits"}, r"output 'logits' is not in the network, which has \['output'\]"),
        ({"weights": "net.pdparams"}, "must be .xml, .onnx or .npz"),
        ({"weights": "other.xml"}, "'other.xml' is missing"),
    ],
)
def test_card_and_network_disagree(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    bundle = networks.bundle(networks.japanese(), tmp_path, **changes)
    if changes.get("weights") == "net.pdparams":
        bundle = replace(bundle, files={**bundle.files, "net.pdparams": b""})
    with pytest.raises(ModelError, match=message):
        load(bundle, networks.options())


def test_missing_bin(tmp_path: Path) -> None:
    bundle = networks.bundle(networks.japanese(), tmp_path)
    only_xml = replace(bundle, files={"net.xml": bundle.files["net.xml"]})
    with pytest.raises(ModelError, match=r"'net.bin' is missing"):
        load(only_xml, networks.options())


@pytest.mark.parametrize("suffix", [".xml", ".onnx", ".npz"])
def test_damaged_files(suffix: str) -> None:
    card = networks.card(f"net{suffix}")
    files = {f"net{suffix}": b"not a network", "net.bin": b""}
    with pytest.raises(ModelError, match="cannot be read as a network"):
        load(ModelBundle(card, networks.charset(networks.CLASSES), files, {}), networks.options())


def test_npz_without_a_tensor(tmp_path: Path) -> None:
    tensors = networks.english_tensors()
    del tensors["lstm3.R"]
    files = {"weights.npz": networks.npz_bytes(tensors, tmp_path)}
    card = networks.card("weights.npz")
    with pytest.raises(ModelError, match=r"weights\.npz cannot be read.*lstm3\.R"):
        load(ModelBundle(card, networks.charset(networks.CLASSES), files, {}), networks.options())


def test_other_outputs_are_ignored(tmp_path: Path) -> None:
    """Some published IRs expose hidden states beside the answer."""
    network = networks.japanese()
    hidden = next(op for op in network.get_ordered_ops() if op.get_type_name() == "MaxPool").output(0)
    both = ov.Model([hidden, network.outputs[0].get_node().input_value(0)], network.get_parameters(), "both")
    opened = open_network(ov.Core(), networks.bundle(both, tmp_path))
    assert len(opened.outputs) == 1
    assert list(opened.outputs[0].get_shape()) == [186, 1, networks.CLASSES]


def test_output_that_is_no_frames(tmp_path: Path) -> None:
    image = networks.image()
    flat = networks.named(ops.reduce_mean(image, np.array([2, 3]), False), image)
    with pytest.raises(ModelError, match="not 3 axes"):
        load(networks.bundle(flat, tmp_path), networks.options())
