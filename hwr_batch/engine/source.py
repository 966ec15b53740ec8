"""From a model bundle to an OpenVINO network that is what its card says."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import openvino as ov

from hwr_batch.engine import english
from hwr_batch.errors import ModelError
from hwr_batch.zoo.card import ModelBundle, ModelCard


def open_network(core: Any, bundle: ModelBundle) -> Any:
    """The `ov.Model` with the card's one output, float32 (1, c, H, W) in, W dynamic where the card says 0.

    Raises ModelError where the files cannot be read or contradict the card or the character list.
    """
    card = bundle.card
    network = _select_output(_parse(core, card, bundle.files), card)
    _fix_input(network, card)
    _check_classes(network, bundle)
    return network


def _parse(core: Any, card: ModelCard, files: Mapping[str, bytes]) -> Any:
    """The network of an .xml (its .bin beside it), .onnx or .npz (the English tensors)."""
    weights = _file(files, card.weights, card)
    suffix = PurePath(card.weights).suffix
    try:
        if suffix == ".xml":
            binary = _file(files, str(PurePath(card.weights).with_suffix(".bin")), card)
            return core.read_model(weights, weights=binary)
        if suffix == ".onnx":
            return core.read_model(weights)
        if suffix == ".npz":
            with np.load(io.BytesIO(weights), allow_pickle=False) as tensors:
                return english.build(dict(tensors), width=card.width)
    except (RuntimeError, ValueError, OSError, KeyError) as exc:
        raise ModelError(f"{card.name}: {card.weights} cannot be read as a network: {exc}") from exc
    raise ModelError(f"{card.name}: weights {card.weights!r} must be .xml, .onnx or .npz")


def _file(files: Mapping[str, bytes], name: str, card: ModelCard) -> bytes:
    try:
        return files[name]
    except KeyError as exc:
        raise ModelError(f"{card.name}: file {name!r} is missing from the model; pull it again") from exc


def _select_output(network: Any, card: ModelCard) -> Any:
    """Some IRs expose LSTM states beside the answer: keep the card's output alone."""
    inputs = network.get_parameters()
    if len(inputs) != 1:
        raise ModelError(f"{card.name}: the network takes {len(inputs)} inputs; a line reader takes one")
    for result in network.get_results():
        source = result.input_value(0)
        if card.output in source.get_names() or card.output == source.get_node().get_friendly_name():
            return ov.Model([source], inputs, card.name)
    names = sorted(name for output in network.outputs for name in output.get_names())
    raise ModelError(f"{card.name}: output {card.output!r} is not in the network, which has {names}")


def _fix_input(network: Any, card: ModelCard) -> None:
    """Fix the input to (1, channels, height, width), or refuse where the network is made for another size."""
    wanted = ov.PartialShape([1, card.channels, card.height, card.width or -1])
    found = network.inputs[0].get_partial_shape()
    if not found.compatible(wanted):
        raise ModelError(f"{card.name}: the card says input {wanted}, the network takes {found}")
    if network.inputs[0].get_element_type() != ov.Type.f32:
        raise ModelError(f"{card.name}: the network's input must be f32")
    if found != wanted:
        network.reshape({0: wanted})


def _check_classes(network: Any, bundle: ModelBundle) -> None:
    shape = network.outputs[0].get_partial_shape()
    if shape.rank.is_dynamic or len(shape) != 3 or shape[2].is_dynamic:
        raise ModelError(f"{bundle.card.name}: output {bundle.card.output!r} has shape {shape}, not 3 axes")
    classes = shape[2].get_length()
    if classes != len(bundle.charset) + 1:
        raise ModelError(
            f"{bundle.card.name}: the network has {classes} classes, but {bundle.card.charset} has "
            f"{len(bundle.charset)} characters (classes must be characters + 1 for the blank)"
        )
