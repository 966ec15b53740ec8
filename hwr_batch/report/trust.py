"""How far the scores can be trusted, where there are references to hold them against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwr_batch.calibrate.fit import CalibrateOptions, calibrate, judged_lines
from hwr_batch.calibrate.held_out import (
    Bin,
    CoveragePoint,
    ReviewPoint,
    calibration_error,
    coverage_curve,
    reliability_curve,
)
from hwr_batch.calibrate.sample import JudgedLines, LineSample
from hwr_batch.errors import ConfigError
from hwr_batch.evaluate import Normalisation, TruthTable
from hwr_batch.evaluate.referenced import referenced_batches
from hwr_batch.report.parts import SomeParts
from hwr_batch.results.reading import Columns, column_names

MOST_LINES = 200_000
_FEATURES = ("line_id", "text", "score", "min_char_score", "image_width")


@dataclass(frozen=True, slots=True)
class Trust:
    """`name`: of the number that is judged. `how`: a sentence on what was measured on which lines.

    `reliability` against `outcome`, and `ece`, None where the number does not claim to be a probability of
    anything that was measured.
    """

    name: str
    how: str
    outcome: str
    ece: float | None
    reliability: tuple[Bin, ...]
    coverage: tuple[CoveragePoint, ...]
    review: tuple[ReviewPoint, ...]


def trust(
    output: str, parts: SomeParts, truth: TruthTable | None, judged_by: Mapping[str, Any] | None
) -> Trust | None:
    """Judge `p_correct` where the results have it; else a calibration fitted here; else the bare score.

    `judged_by`: of the run's plan, what its calibration calls a right line. None without any line to judge.
    """
    if "p_correct" in column_names(output, parts):
        return _of_p_correct(output, parts, truth, judged_by or {})
    try:
        found = calibrate(output, parts, truth=truth)
    except ConfigError as too_few:
        return _of_score(output, parts, truth, str(too_few))
    held = found.held_out
    return Trust(
        name="p_correct",
        how=f"A calibration was fitted on {found.calibration.fitted_lines:,} of these lines and tested "
        f"here on {held.lines:,} others. hwr-batch calibrate writes it for recognize --calibration.",
        outcome="share of lines exactly right",
        ece=held.ece,
        reliability=held.reliability,
        coverage=held.coverage,
        review=held.review,
    )


def _of_p_correct(
    output: str, parts: SomeParts, truth: TruthTable | None, judged_by: Mapping[str, Any]
) -> Trust | None:
    options = CalibrateOptions()
    normalisation = judged_by.get("normalisation", options.normalisation.to_json())
    right_cer = float(judged_by.get("right_cer", 0.0))
    steps = Normalisation.from_json(normalisation)
    lines = _lines(output, parts, truth, steps, (*_FEATURES, "p_correct"), score="p_correct")
    if not len(lines):
        return None
    p, right = lines.features.score, lines.right(right_cer)
    bins = reliability_curve(p, right)
    return Trust(
        name="p_correct",
        how=f"The run's own calibration, held against the references of {len(lines):,} lines (those it was "
        "fitted on may be among them).",
        outcome="share of lines exactly right" if right_cer == 0 else f"share with CER ≤ {right_cer:g}",
        ece=calibration_error(bins),
        reliability=bins,
        coverage=coverage_curve(p, right, lines),
        review=(),
    )


def _of_score(output: str, parts: SomeParts, truth: TruthTable | None, why: str) -> Trust | None:
    options = CalibrateOptions()
    lines = _lines(output, parts, truth, options.normalisation, _FEATURES, score="score")
    if not len(lines):
        return None
    score = lines.features.score
    bins = reliability_curve(score, 1 - lines.cer)
    return Trust(
        name="score",
        how=f"The bare score, held against the references of {len(lines):,} lines. It speaks of "
        f"characters, not of whole lines. Not calibrated: {why}.",
        outcome="share of characters right",
        ece=None,
        reliability=bins if len(bins) > 1 else (),
        coverage=coverage_curve(score, lines.right(0.0), lines),
        review=(),
    )


def _lines(
    output: str,
    parts: SomeParts,
    truth: TruthTable | None,
    normalisation: Normalisation,
    columns: Sequence[str],
    *,
    score: str,
) -> JudgedLines:
    """A sample of the lines with references; `score`: the column that stands as their score."""
    sample = LineSample(MOST_LINES)
    for batch in referenced_batches(output, parts, columns, truth):
        as_score: Columns = {**batch, "score": batch[score]}
        sample.add(judged_lines(as_score, normalisation))
    return sample.lines()
