"""The engine's door: what it takes, how it answers, from any thread."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

from hwr_batch.config import Padding
from hwr_batch.engine import Engine, load
from hwr_batch.engine.batches import Widths
from hwr_batch.engine.forms import WholeForm
from hwr_batch.errors import ModelError
from hwr_batch.records import FrameGeometry, Pixels
from hwr_batch.zoo.card import Activation, Context, Layout, ModelBundle

from . import networks


@pytest.mark.parametrize(
    "piece",
    [
        np.zeros((96, 100), np.float32),
        np.zeros((95, 100), np.uint8),
        np.zeros((96, 100, 3), np.uint8),
        np.zeros((96, 0), np.uint8),
        np.zeros((96, 2001), np.uint8),
    ],
)
def test_pieces_of_another_shape(exact_engine: Engine, piece: Pixels) -> None:
    with pytest.raises(ValueError, match=r"a piece must be uint8 \(96,\) with 1 to 2000 columns"):
        networks.read(exact_engine, [piece])


def test_nothing_to_read(exact_engine: Engine) -> None:
    assert networks.read(exact_engine, []) == []


def test_two_threads_read_at_once(exact_engine: Engine) -> None:
    """Two overlapping shards, each in its own order, with the bytes of one alone."""
    shards = [[networks.line(width, seed=s) for width in range(50, 1500, 71)] for s in (1, 2, 3)]
    alone = [networks.read(exact_engine, shard) for shard in shards]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda shard: networks.read(exact_engine, shard), shards))
    for one, other in zip(alone, together, strict=True):
        assert networks.same_bytes(one, other)


def test_a_reader_may_stop_early(exact_engine: Engine) -> None:
    def endless() -> Iterator[Pixels]:
        while True:
            yield networks.line(60)

    frames = exact_engine.read(endless())
    first = [next(frames) for _ in range(3)]
    frames.close()  # type: ignore[attr-defined]
    assert networks.same_bytes(first[:1], networks.read(exact_engine, [networks.line(60)]))


def test_candidates(bundles: dict[str, ModelBundle], exact_engine: Engine) -> None:
    engine = load(bundles["english"], networks.options(top_k=5))
    frames = networks.read(engine, [networks.line(400)])[0]
    assert frames.candidates is not None
    assert frames.candidate_log_probs is not None
    assert frames.candidates.shape == frames.candidate_log_probs.shape == (250, 5)
    assert (str(frames.candidates.dtype), str(frames.candidate_log_probs.dtype)) == ("int32", "float32")
    np.testing.assert_array_equal(frames.candidates[:, 0], frames.classes)
    assert (np.diff(frames.candidate_log_probs, axis=1) <= 0).all()
    engine.close()


def test_no_candidates_unless_asked(exact_engine: Engine) -> None:
    frames = networks.read(exact_engine, [networks.line(10)])[0]
    assert frames.candidates is None
    assert frames.classes.dtype == np.int32
    assert frames.log_probs.dtype == np.float32


@pytest.mark.parametrize(("name", "frames"), [("english", 82), ("chinese", 60)])
def test_trim_stops_after_the_content(name: str, frames: int, bundles: dict[str, ModelBundle]) -> None:
    """500 + 32 columns, and on to 2000 less a multiple of 192: 656 = 82 x 8 = 20.5 x 32."""
    engine = load(bundles[name], networks.options(padding=Padding.TRIM))
    lines = [networks.line(width) for width in (500, 500, 1000, 90, 1990, 500, 501)]
    answers = networks.read(engine, lines)
    assert len(answers[0].classes) == frames
    assert engine.facts["path"] == "trim"
    assert networks.same_bytes(answers, [networks.read(engine, [line])[0] for line in lines])
    full = next(engine.read_published(lines[:1]))
    assert len(full.classes) == (250 if name == "english" else 186)
    engine.close()


def _global_reader() -> ov.Model:
    """Three channels, any width, every column added to the mean of all: probabilities (B, W / 8, C)."""
    random = np.random.default_rng(4)
    image = ops.parameter([-1, 3, 48, -1], np.float32)
    weights = random.normal(0, 0.05, (6, 3, 8, 8)).astype("f4")
    x = ops.convolution(image, weights, [8, 8], [0, 0], [0, 0], [1, 1])
    x = ops.add(x, ops.reduce_mean(x, np.array([2, 3]), True))
    frames = ops.transpose(ops.reduce_mean(x, np.array([2]), False), np.array([0, 2, 1]))
    scores = ops.matmul(frames, random.normal(0, 2, (networks.CLASSES, 6)).astype("f4"), False, True)
    return networks.named(ops.softmax(scores, 2), image)


def test_global_networks_run_at_their_own_width(tmp_path: Path) -> None:
    card: dict[str, Any] = {
        "context": Context.GLOBAL,
        "width": 0,
        "height": 48,
        "channels": 3,
        "mean": 127.5,
        "scale": 127.5,
    }
    card |= {"layout": Layout.BTC, "activation": Activation.PROBABILITIES}
    network = _global_reader()
    engine = load(networks.bundle(network, tmp_path, **card), networks.options())
    lines = [networks.line(width, height=48, channels=3) for width in (8, 163, 400, 163, 777)]
    plain = ov.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for line, frames in zip(lines, networks.read(engine, lines), strict=True):
        x = ((line.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        expected = plain([x])[0][0]
        np.testing.assert_array_equal(frames.classes, expected.argmax(axis=1))
        np.testing.assert_allclose(frames.log_probs, np.log(expected.max(axis=1)), atol=1e-5)
    assert engine.facts["path"] == "own width"
    assert (engine.card_width, engine.geometry) == (0, FrameGeometry(8.0, 1))
    engine.close()


def test_facts_are_plain_values(exact_engine: Engine) -> None:
    facts = exact_engine.facts
    assert {"path", "precision", "openvino", "cpu", "isa", "streams", "threads", "pinning"} <= set(facts)
    assert all(isinstance(value, str | int | float | bool) for value in facts.values())
    assert facts["streams"] == 2


def test_a_failing_network_is_a_model_error() -> None:
    """The plugin's RuntimeError, here for an input of a shape that it does not take."""
    image = ops.parameter([1, 1, 4, 4], np.uint8)
    compiled = ov.compile_model(ov.Model([ops.convert(image, np.float32).output(0)], [image], "n"), "CPU")
    with pytest.raises(ModelError, match=r"failed on an input of shape \(1, 1, 4, 9\)"):
        WholeForm(compiled, Widths(9)).read([networks.line(5, height=4)])
