"""What cannot be left out exactly is refused, and the published form is run instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

from hwr_batch.config import Padding, Precision
from hwr_batch.engine import elide, load, split
from hwr_batch.engine.graph import CannotElide, Walk, walk
from hwr_batch.engine.machine import has_bf16
from hwr_batch.zoo.card import Context, ModelBundle

from . import networks


def _features(image: Any, channels: int = 4) -> Any:
    """(1, channels, 12, 250) by one strided convolution."""
    weights = np.random.default_rng(0).normal(0, 0.01, (channels, 1, 8, 8)).astype("f4")
    return ops.convolution(image, weights, [8, 8], [0, 0], [0, 0], [1, 1])


def _attention(image: Any) -> Any:
    """Every column looks at every other: (1, 4, 12, 250) with a softmax over pairs of columns."""
    x = _features(image)
    pairs = ops.softmax(ops.matmul(x, x, True, False), 3)
    return ops.matmul(x, pairs, False, True)


def _scattering_reshape(image: Any) -> Any:
    """(1, 4, 12, 250) to (1, 4, 250, 12) by reshape: rows and columns are torn apart."""
    torn = ops.reshape(_features(image), np.array([1, 4, 250, 12]), False)
    return ops.transpose(torn, np.array([0, 1, 3, 2]))


def _position_weights(image: Any) -> Any:
    """Weights that vary along x, such as learned positions."""
    return ops.multiply(_features(image), np.linspace(0, 1, 250, dtype="f4").reshape(1, 1, 1, 250))


def _softmax_over_x(image: Any) -> Any:
    return ops.softmax(_features(image), 3)


def _sum_over_x(image: Any) -> Any:
    x = _features(image)
    return ops.add(x, ops.reduce_sum(x, np.array([2, 3]), True))


def _unknown_operation(image: Any) -> Any:
    return ops.cum_sum(_features(image), np.array(3))


def _index_of_pooling(image: Any) -> Any:
    """The second output of a pooling: positions in the flattened image, which depend on its width."""
    pooled = ops.max_pool(_features(image), [1, 1], [1, 1], [0, 0], [0, 0], [1, 1], index_element_type="i64")
    return ops.convert(pooled.output(1), np.float32)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "attention": (_attention, "MatMul"),
    "unknown reshape": (_scattering_reshape, "scatters the columns"),
    "weights along x": (_position_weights, "varies along x"),
    "softmax over x": (_softmax_over_x, "runs over the columns"),
    "sum over x": (_sum_over_x, "runs over the columns"),
    "unknown operation": (_unknown_operation, "no rule"),
    "pooling indices": (_index_of_pooling, "output 1"),
}


def _network(body: Callable[[Any], Any]) -> ov.Model:
    image = networks.image()
    return networks.banded(image, body(image).output(0), np.random.default_rng(1))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_the_walk(name: str) -> None:
    body, reason = REFUSED[name]
    with pytest.raises(CannotElide, match=reason):
        walk(_network(body))


def test_refused_network_runs_as_published(tmp_path: Path) -> None:
    bundle = networks.bundle(_network(_attention), tmp_path)
    line = networks.line(600)
    engine = load(bundle, networks.options())
    full = load(bundle, networks.options(padding=Padding.FULL))
    assert engine.facts["path"] == "full"
    assert "MatMul" in str(engine.facts["fallback"])
    assert networks.same_bytes(networks.read(engine, [line]), networks.read(full, [line]))
    assert networks.same_bytes(networks.read(engine, [line]), list(engine.read_published([line])))
    engine.close()
    full.close()


def test_a_global_card_is_believed(bundles: dict[str, ModelBundle], tmp_path: Path) -> None:
    engine = load(
        networks.bundle(networks.japanese(), tmp_path, context=Context.GLOBAL), networks.options(threads=1)
    )
    assert engine.facts["path"] == "full"
    assert "global" in str(engine.facts["fallback"])
    engine.close()


@pytest.mark.parametrize("name", ["english", "chinese"])
def test_failed_self_check_falls_back(
    name: str, bundles: dict[str, ModelBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rewrite that is wrong (here: no margin) is found at load, and the published form is run."""
    monkeypatch.setattr(Walk, "margin", 0)
    engine = load(bundles[name], networks.options())
    monkeypatch.undo()
    full = load(bundles[name], networks.options(padding=Padding.FULL))
    assert engine.facts["path"] == "full"
    assert str(engine.facts["fallback"]).startswith("self-check: a drawn line")
    lines = [networks.line(width) for width in (300, 900)]
    assert networks.same_bytes(networks.read(engine, lines), networks.read(full, lines))
    assert engine.geometry == full.geometry
    engine.close()
    full.close()


@pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")
@pytest.mark.parametrize(("margin", "path"), [(None, "exact: elided"), (0, "full")])
def test_the_self_check_tells_right_from_wrong_in_bf16(
    margin: int | None, path: str, bundles: dict[str, ModelBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tolerance for rounding is wide, but not as wide as a margin that is missing."""
    if margin is not None:
        monkeypatch.setattr(Walk, "margin", margin)
    engine = load(bundles["chinese"], networks.options(precision=Precision.BF16))
    assert engine.facts["path"] == path
    engine.close()


def test_no_recurrence_to_cut_at() -> None:
    with pytest.raises(CannotElide, match="no recurrent layer"):
        split.cut(networks.japanese())


def _two_layers(rows: Any, other: Any) -> Any:
    """Two LSTMs over (1, 64, 96), added."""
    states = [np.zeros((1, 1, 4), "f4")] * 2
    weights = [np.zeros(shape, "f4") for shape in ((1, 16, 96), (1, 16, 4), (1, 16))]
    layers = [ops.lstm_sequence(x, *states, np.array([64]), *weights, 4, "forward") for x in (rows, other)]
    return ops.squeeze(ops.add(layers[0].output(0), layers[1].output(0)), np.array([1]))


def test_the_cut_is_where_all_paths_meet() -> None:
    """A path around the last features: both layers read the rows, so the cut is there."""
    image = networks.image(64)
    rows = ops.transpose(ops.squeeze(image, np.array([1])), np.array([0, 2, 1]))
    columns, sequence = split.cut(networks.named(_two_layers(rows, ops.multiply(rows, np.float32(2))), image))
    assert list(sequence.inputs[0].get_shape()) == [1, 64, 96]
    elide.fold_shapes(columns)
    assert walk(columns).output.axis == 1


def test_no_single_tensor_to_cut_at() -> None:
    image = ops.parameter([1, 64, 96], np.float32)
    with pytest.raises(CannotElide, match="no single tensor"):
        split.cut(networks.named(_two_layers(image, ops.multiply(image, np.float32(2))), image))


def test_a_batch_that_the_graph_cannot_take() -> None:
    """A constant batch of one in a reshape after the recurrence."""
    features = ops.parameter([1, 8, 4], np.float32)
    answer = ops.reshape(features, np.array([1, 8, 4]), False)
    with pytest.raises(CannotElide):
        split.with_batch(ov.Model([answer.output(0)], [features], "s"), 16)
    frozen = ops.parameter([1, 8, 4], np.float32)
    summed = ops.reduce_sum(frozen, np.array([0]), True)
    with pytest.raises(CannotElide, match="batch of 16"):
        split.with_batch(ov.Model([summed.output(0)], [frozen], "s"), 16)
