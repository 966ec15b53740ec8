"""Padding left out exactly: the published answer at every width, whatever shares the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwr_batch.config import Padding, Precision
from hwr_batch.engine import Engine, load
from hwr_batch.engine.graph import Walk
from hwr_batch.engine.machine import has_bf16
from hwr_batch.records import FrameGeometry, Frames
from hwr_batch.zoo.card import ModelBundle

from . import networks
from .conftest import SMALL


def assert_published(fast: list[Frames], slow: list[Frames]) -> None:
    """Same best class everywhere, log-probabilities to float rounding.

    The small networks' features vary little and are scaled up, and with them the rounding of a mean over
    96,000 values: 1e-3 here is 3e-5 on the official topology.
    """
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(one.classes, other.classes)
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=3e-3)


def test_every_width_reads_as_published(exact_engine: Engine, bundles: dict[str, ModelBundle]) -> None:
    """1 px, around the network's step, content + margin just under and over 2000, and exactly 2000."""
    margin, step = int(exact_engine.facts["margin"]), int(exact_engine.facts["width_step"])
    fits = networks.WIDTH - margin
    widths = [
        1,
        2,
        step - 1,
        step,
        step + 1,
        333,
        700,
        1201,
        fits - step,
        fits - 1,
        fits,
        fits + 1,
        1999,
        2000,
    ]
    lines = [networks.line(width, seed=3) for width in widths]
    assert str(exact_engine.facts["path"]).startswith("exact")
    assert "fallback" not in exact_engine.facts
    published = load(_bundle_of(exact_engine, bundles), networks.options(padding=Padding.FULL))
    assert published.facts["path"] == "full"
    assert_published(networks.read(exact_engine, lines), networks.read(published, lines))
    assert_published(list(exact_engine.read_published(lines[:3])), networks.read(published, lines[:3]))
    published.close()


@pytest.mark.parametrize("name", SMALL)
def test_a_sample_of_trimmed_lines_is_read_as_published(name: str, bundles: dict[str, ModelBundle]) -> None:
    """Through the trimmed networks at the full width, of which `trim` itself takes less."""
    lines = [networks.line(width, seed=3) for width in (1, 500, 1201, 2000)]
    trimmed = load(bundles[name], networks.options(padding=Padding.TRIM))
    published = load(bundles[name], networks.options(padding=Padding.FULL))
    assert trimmed.facts["path"] == "trim"
    assert_published(list(trimmed.read_published(lines)), networks.read(published, lines))
    assert len(networks.read(trimmed, lines)[0].classes) < len(networks.read(published, lines)[0].classes)
    trimmed.close()
    published.close()


def test_a_smaller_margin_is_wrong(bundles: dict[str, ModelBundle], monkeypatch: pytest.MonkeyPatch) -> None:
    """The margin that was derived is needed: three steps less and the answer moves."""
    line = networks.line(1201, seed=3)
    exact = load(bundles["chinese"], networks.options())
    monkeypatch.setattr(Walk, "margin", property(lambda walk: 235 - 3 * walk.step))
    short = load(bundles["chinese"], networks.options(self_check=False))
    moved = networks.read(short, [line])[0].log_probs - networks.read(exact, [line])[0].log_probs
    assert np.abs(moved).max() > 0.1
    short.close()
    exact.close()


def test_the_answer_varies(exact_engine: Engine) -> None:
    """Or all of this would prove nothing: lines differ, and frames within a line."""
    first, second = networks.read(exact_engine, [networks.line(900, seed=1), networks.line(900, seed=2)])
    assert len(np.unique(first.classes)) > 2
    assert (first.classes != second.classes).any()


@pytest.mark.parametrize(
    ("name", "geometry", "margin", "frames"),
    [
        # English: radius 23 to the left, 30 to the right at stride 8, by hand; 250 frames.
        ("english", FrameGeometry(8.0, 1), 54, 250),
        # Five poolings: 125 columns are pooled to 62, in 3 bands. As the published network: 92 and 123.
        ("chinese", FrameGeometry(32.0, 3), 235, 186),
        # One convolution before each pooling: 1 + 2 + 4 + 8 + 16 = 31 to the left, 62 to the right.
        ("japanese", FrameGeometry(32.0, 3), 31 + 2000 - 1 - 1920, 186),
    ],
)
def test_geometry_is_derived(
    name: str, geometry: FrameGeometry, margin: int, frames: int, bundles: dict[str, ModelBundle]
) -> None:
    engine = load(bundles[name], networks.options())
    assert engine.geometry == geometry
    assert engine.card_width == networks.WIDTH
    assert len(networks.read(engine, [networks.line(50)])[0].classes) == frames
    assert engine.facts["margin"] == margin
    engine.close()


@pytest.mark.parametrize("name", SMALL)
def test_batch_mates_and_streams_change_no_byte(name: str, bundles: dict[str, ModelBundle]) -> None:
    """1, 2 and 4 streams, other neighbours, another place in the batch: equal bytes."""
    lines = [networks.line(width, seed=9) for width in range(40, 1960, 101)]
    answers = {}
    for threads in (1, 2, 4):
        engine = load(bundles[name], networks.options(threads=threads, self_check=False))
        answers[threads] = networks.read(engine, lines)
        engine.close()
    assert networks.same_bytes(answers[1], answers[2])
    assert networks.same_bytes(answers[1], answers[4])
    engine = load(bundles[name], networks.options())  # which also lets small batches be small
    alone = [networks.read(engine, [piece])[0] for piece in lines]
    backwards = networks.read(engine, lines[::-1])[::-1]
    engine.close()
    assert networks.same_bytes(answers[1], alone)
    assert networks.same_bytes(answers[1], backwards)


@pytest.mark.parametrize("name", SMALL)
def test_bf16_stays_close(name: str, bundles: dict[str, ModelBundle]) -> None:
    engine = load(bundles[name], networks.options(precision=Precision.BF16))
    exact = load(bundles[name], networks.options())
    line = networks.line(640)
    rounded, full = networks.read(engine, [line])[0], networks.read(exact, [line])[0]
    assert np.mean(rounded.classes == full.classes) > 0.7
    assert engine.facts["precision"] == ("bf16" if has_bf16() else "f32")
    engine.close()
    exact.close()


@pytest.mark.parametrize(("capable", "computed"), [(True, "bf16"), (False, "f32")])
def test_a_cpu_without_bf16_is_said_to_read_in_f32(
    capable: bool, computed: str, bundles: dict[str, ModelBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwr_batch.engine.engine.has_bf16", lambda: capable)
    engine = load(bundles["japanese"], networks.options(precision=Precision.BF16, self_check=False))
    assert engine.facts["precision"] == computed
    assert ("this worker's CPU has none" in str(engine.facts.get("fallback"))) is not capable
    engine.close()


def test_weights_bytes_hold_the_network(bundles: dict[str, ModelBundle], tmp_path: Path) -> None:
    """Two loads of one bundle give equal bytes: nothing is kept in the bundle or on disk."""
    line = networks.line(777)
    answers = []
    for _ in range(2):
        engine = load(bundles["chinese"], networks.options())
        answers.append(networks.read(engine, [line]))
        engine.close()
    assert networks.same_bytes(*answers)
    assert not list(tmp_path.iterdir())


def _bundle_of(engine: Engine, bundles: dict[str, ModelBundle]) -> ModelBundle:
    if engine.geometry.bands == 1:
        return bundles["english"]
    return bundles["chinese" if int(engine.facts["margin"]) > 200 else "japanese"]
