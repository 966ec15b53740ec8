"""How far a calibration can be trusted, on lines it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwr_batch.calibrate.calibration import Calibration
from hwr_batch.calibrate.features import Floats
from hwr_batch.calibrate.sample import JudgedLines

_MOST_BINS = 10
_LINES_PER_BIN = 40  # below, a bin's share of right lines is off by over 0.06 from chance alone
_COVERAGES = tuple(step / 20 for step in range(1, 21))
_PRECISIONS = (0.8, 0.9, 0.95, 0.98, 0.99)
_NOISE_DRAWS = 200
_SEED = 20010


@dataclass(frozen=True, slots=True)
class Bin:
    """One point of a reliability curve: `lines` lines whose mean prediction is `expected` (a share,
    0–1) and whose mean outcome is `observed`."""

    lines: int
    expected: float
    observed: float


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Accepting the surest share `coverage` of the lines, all with `p_correct` ≥ `least_p`: a share
    `error` of them is not right, and their CER (Σ edits / Σ characters) is `cer`."""

    coverage: float
    least_p: float
    error: float
    cer: float


@dataclass(frozen=True, slots=True)
class ReviewPoint:
    """What `--review-precision asked` does: `coverage` of the lines need no review, and of these a
    share `precision` is right, with a CER of `cer` (both None where nothing is accepted).

    `least_p` is None where no threshold can be expected to reach the precision."""

    asked: float
    least_p: float | None
    coverage: float
    precision: float | None
    cer: float | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The report on held-out lines.

    `ece`: expected calibration error of `p_correct`, Σ lines · |expected − observed| / Σ lines over
    `reliability`, bins of equally many lines (Naeini et al. 2015, with equal-mass bins). `ece_chance`:
    what a perfect calibration would show on so few lines (95th percentile), the floor under `ece`.
    `ece_before`: the same with the bare score as p. `brier`: mean squared error of `p_correct`.
    `cer_error`: as `ece`, for the expected CER against each line's CER (at most 1) over `cer_reliability`.
    """

    lines: int
    right: int
    ece: float
    ece_chance: float
    ece_before: float
    brier: float
    cer_error: float
    reliability: tuple[Bin, ...]
    cer_reliability: tuple[Bin, ...]
    coverage: tuple[CoveragePoint, ...]
    review: tuple[ReviewPoint, ...]

    def to_json(self) -> dict[str, Any]:
        lists = ("reliability", "cer_reliability", "coverage", "review")
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in lists}
        return plain | {name: [_fields(point) for point in getattr(self, name)] for name in lists}


def examine(calibration: Calibration, lines: JudgedLines) -> HeldOut:
    """Judge `lines` (at least one) with `calibration` and compare with what became of them."""
    p, cer = calibration.apply(lines.features)
    right = lines.right(calibration.right_cer)
    reliability = reliability_curve(p, right)
    cer_reliability = reliability_curve(cer, lines.cer)
    return HeldOut(
        lines=len(lines),
        right=int(right.sum()),
        ece=calibration_error(reliability),
        ece_chance=_chance_error(p),
        ece_before=calibration_error(reliability_curve(lines.features.score, right)),
        brier=float(np.mean((p - right) ** 2)),
        cer_error=calibration_error(cer_reliability),
        reliability=reliability,
        cer_reliability=cer_reliability,
        coverage=coverage_curve(p, right, lines),
        review=tuple(_review(asked, calibration, p, right, lines) for asked in _PRECISIONS),
    )


def reliability_curve(predicted: Floats, outcome: Floats) -> tuple[Bin, ...]:
    """Bins of equally many lines by rising prediction, at most 10, of 40 lines or more where there are
    as many; arrays float64 (N,), 0–1, N ≥ 1."""
    order = np.argsort(predicted, kind="stable")
    number = int(np.clip(len(order) // _LINES_PER_BIN, 1, _MOST_BINS))
    return tuple(
        Bin(len(part), float(predicted[part].mean()), float(outcome[part].mean()))
        for part in np.array_split(order, number)
    )


def calibration_error(curve: tuple[Bin, ...]) -> float:
    """Mean distance between expected and observed, each bin by its lines."""
    distances = sum(point.lines * abs(point.expected - point.observed) for point in curve)
    return distances / sum(point.lines for point in curve)


def _chance_error(p: Floats) -> float:
    """The 95th percentile of the calibration error were every line right with exactly its `p`."""
    random = np.random.default_rng(_SEED)
    draws = ((random.random(len(p)) < p).astype(np.float64) for _ in range(_NOISE_DRAWS))
    return float(np.quantile([calibration_error(reliability_curve(p, drawn)) for drawn in draws], 0.95))


def coverage_curve(p: Floats, right: Floats, lines: JudgedLines) -> tuple[CoveragePoint, ...]:
    """Accepting the lines from the surest down; `p`, `right` float64 (N,), N ≥ 1, of `lines`."""
    order = np.argsort(-p, kind="stable")
    edits, characters = np.cumsum(lines.edits[order]), np.cumsum(lines.characters[order])
    good = np.cumsum(right[order])
    points = []
    for coverage in _COVERAGES:
        accepted = max(1, round(coverage * len(p)))
        last = accepted - 1
        cer = float(edits[last] / max(characters[last], 1))
        points.append(CoveragePoint(coverage, float(p[order[last]]), float(1 - good[last] / accepted), cer))
    return tuple(points)


def _review(
    asked: float, calibration: Calibration, p: Floats, right: Floats, lines: JudgedLines
) -> ReviewPoint:
    accepted = ~calibration.needs_review(p, asked)
    least_p = calibration.acceptance.least_p(asked)
    reachable = least_p if np.isfinite(least_p) else None
    if not accepted.any():
        return ReviewPoint(asked, reachable, 0.0, None, None)
    cer = float(lines.edits[accepted].sum() / max(lines.characters[accepted].sum(), 1))
    return ReviewPoint(asked, reachable, float(accepted.mean()), float(right[accepted].mean()), cer)


def _fields(point: Any) -> dict[str, Any]:
    return {name: getattr(point, name) for name in point.__slots__}
