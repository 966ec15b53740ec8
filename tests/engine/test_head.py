"""Best classes, log-probabilities and pixels, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest
from numpy.typing import NDArray

from hwr_batch.engine import head
from hwr_batch.zoo.card import Activation, Layout

from . import networks

LOGITS = np.random.default_rng(0).normal(0, 40, (7, 2, 11)).astype(np.float32)  # T, B, C


def _run(scores: NDArray[Any], *, top_k: int = 0, **changes: Any) -> list[NDArray[Any]]:
    parameter = ops.parameter(list(scores.shape), np.float32)
    network = ov.Model([ops.relu(parameter).output(0)], [parameter], "n")
    for result in network.get_results():  # the scores as they are
        result.input(0).replace_source_output(parameter.output(0))
    answering = head.answer(network, networks.card(**changes), top_k=top_k)
    outputs = ov.compile_model(answering, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([scores])
    return [outputs[i] for i in range(len(outputs))]


def _log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


@pytest.mark.parametrize("layout", list(Layout))
def test_best_class_and_log_probability(layout: Layout) -> None:
    scores = LOGITS if layout is Layout.TBC else LOGITS.swapaxes(0, 1).copy()
    classes, log_probs = _run(scores, layout=layout)
    expected = _log_softmax(LOGITS.swapaxes(0, 1))
    assert (str(classes.dtype), str(log_probs.dtype)) == ("int32", "float32")
    np.testing.assert_array_equal(classes, expected.argmax(axis=-1))
    np.testing.assert_allclose(log_probs, expected.max(axis=-1), atol=1e-5)


def test_huge_logits_do_not_overflow() -> None:
    _, log_probs = _run(np.array([[[500.0, 499.0, -500.0]]], np.float32))
    np.testing.assert_allclose(log_probs, [[-np.log1p(np.exp(-1))]], rtol=1e-5)


def test_probabilities_are_logged_and_clamped() -> None:
    probabilities = np.array([[[0.25, 0.75, 0.0]], [[0.0, 0.0, 0.0]]], np.float32)
    classes, log_probs = _run(probabilities, activation=Activation.PROBABILITIES)
    assert classes[0, 0] == 1
    np.testing.assert_allclose(log_probs[0], [np.log(0.75), np.log(np.finfo(np.float32).tiny)], rtol=1e-5)


def test_candidates_best_first() -> None:
    classes, log_probs, candidates, candidate_log_probs = _run(LOGITS, top_k=4)
    expected = _log_softmax(LOGITS.swapaxes(0, 1))
    order = np.argsort(-expected, axis=-1)[..., :4]
    np.testing.assert_array_equal(candidates, order)
    np.testing.assert_allclose(candidate_log_probs, np.take_along_axis(expected, order, -1), atol=1e-4)
    np.testing.assert_array_equal(candidates[..., 0], classes)
    np.testing.assert_array_equal(candidate_log_probs[..., 0], log_probs)


def test_the_first_of_equal_classes() -> None:
    """As `numpy.argmax`, with candidates and without."""
    tied = np.array([[[1.0, 7.0, 7.0, 2.0]], [[5.0, 5.0, 5.0, 5.0]]], np.float32)
    np.testing.assert_array_equal(_run(tied)[0], [[1, 0]])
    np.testing.assert_array_equal(_run(tied, top_k=2)[0], [[1, 0]])


def test_no_more_candidates_than_classes() -> None:
    assert _run(LOGITS, top_k=50)[2].shape == (2, 7, 11)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_become_normalised_floats(channels: int) -> None:
    """uint8 (1, 1, H, W) or (1, H, W, 3) to float32 (1, c, H, W), (x - mean) / scale."""
    image = ops.parameter([1, channels, 4, 6], np.float32)
    network = ov.Model([ops.negative(image).output(0)], [image], "n")
    fed = head.take_pixels(network, networks.card(channels=channels, mean=127.5, scale=2.0))
    shape = (1, 1, 4, 6) if channels == 1 else (1, 4, 6, 3)
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    expected = -(pixels.astype(np.float32) - 127.5) / 2
    answer = ov.compile_model(fed, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([pixels])[0]
    np.testing.assert_array_equal(answer, expected if channels == 1 else expected.transpose(0, 3, 1, 2))
