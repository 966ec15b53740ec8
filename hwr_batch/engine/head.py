"""What the graph does before and after the network, so that only small arrays cross into Python.

In front: uint8 pixels to float32, and the card's (x - mean) / scale. Behind: per frame the best class and its
natural-log probability, so that no logits (186 x 4059 floats a line) ever reach Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops

from hwr_batch.zoo.card import Activation, Layout, ModelCard

_LEAST_PROBABILITY = np.finfo(np.float32).tiny  # log(0) would be -inf and poison a line's score


def take_pixels(network: Any, card: ModelCard) -> Any:
    """The network fed with uint8 pixels: (1, 1, H, W) for one channel, else (1, H, W, 3) BGR."""
    image = network.get_parameters()[0]
    batch, channels, height, width = image.get_partial_shape()
    shape = [batch, height, width, channels] if card.channels > 1 else [batch, channels, height, width]
    pixels = ops.parameter(ov.PartialShape(shape), np.uint8, name="pixels")
    x = ops.transpose(pixels, np.array([0, 3, 1, 2])) if card.channels > 1 else pixels
    x = ops.convert(x, np.float32)
    if card.mean != 0.0:
        x = ops.subtract(x, np.float32(card.mean))
    if card.scale != 1.0:
        x = ops.divide(x, np.float32(card.scale))
    for target in image.output(0).get_target_inputs():
        target.replace_source_output(x.output(0))
    return ov.Model([_source(network)], [pixels], network.get_friendly_name())


def answer(network: Any, card: ModelCard, *, top_k: int) -> Any:
    """The network that answers classes int32 (B, T) and log-probabilities float32 (B, T).

    With `top_k` > 0 also candidates int32 (B, T, k) and their log-probabilities float32 (B, T, k), best
    first, k no more than the number of classes.
    """
    scores = _source(network)
    classes = scores.get_partial_shape()[2].get_length()
    k = min(max(top_k, 1), classes)
    if top_k:
        ranked = ops.topk(scores, np.int64(k), 2, "max", "value", "i32", stable=True)
        highest, indices = ranked.output(0), ranked.output(1)
    else:
        highest, indices = _first_highest(scores, classes)
    values = _log_probabilities(scores, highest, card)
    answers = [_best(indices, card), _best(values, card)]
    if top_k:
        answers += [_batch_first(indices, card), _batch_first(values, card)]
    return ov.Model([a.output(0) for a in answers], network.get_parameters(), network.get_friendly_name())


def _first_highest(scores: Any, classes: int) -> tuple[Any, Any]:
    """The highest score of each frame and its first class, as `numpy.argmax` counts: (…, C) to (…, 1) each.

    By comparing: the plugin's TopK takes ten times as long for k = 1.
    """
    highest = ops.reduce_max(scores, np.array([2]), True)
    numbers = np.arange(classes, dtype=np.float32).reshape(1, 1, -1)
    found = ops.select(ops.equal(scores, highest), numbers, np.float32(classes - 1))
    return highest, ops.convert(ops.reduce_min(found, np.array([2]), True), np.int32)


def _log_probabilities(scores: Any, values: Any, card: ModelCard) -> Any:
    """Natural-log probabilities of `values` (the k highest scores): (…, C), (…, k) to (…, k)."""
    if card.activation is Activation.PROBABILITIES:
        return ops.log(ops.maximum(values, _LEAST_PROBABILITY))
    # Shifted by the maximum by hand: the plugin's ReduceLogSumExp overflows above 88.
    highest = ops.reduce_max(scores, np.array([2]), True)
    total = ops.reduce_sum(ops.exp(ops.subtract(scores, highest)), np.array([2]), True)
    return ops.subtract(ops.subtract(values, highest), ops.log(total))


def _best(ranked: Any, card: ModelCard) -> Any:
    """The first of k, batch first: (T, B, k) or (B, T, k) to (B, T)."""
    first = ops.gather(ranked, np.int64(0), np.int64(2))
    return ops.transpose(first, np.array([1, 0] if card.layout is Layout.TBC else [0, 1]))


def _batch_first(ranked: Any, card: ModelCard) -> Any:
    return ops.transpose(ranked, np.array([1, 0, 2] if card.layout is Layout.TBC else [0, 1, 2]))


def _source(network: Any) -> Any:
    return network.get_results()[0].input_value(0)


def each_output(network: Any, rewrite: Callable[[Any], Any]) -> Any:
    """The network with every output passed through `rewrite` (an output to a node)."""
    outputs = [rewrite(result.input_value(0)).output(0) for result in network.get_results()]
    return ov.Model(outputs, network.get_parameters(), network.get_friendly_name())
