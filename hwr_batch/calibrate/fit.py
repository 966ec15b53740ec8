"""OUTPUT with references → a calibration, and the proof of it on held-out lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from hwr_batch.calibrate.calibration import Acceptance, Calibration, Judge
from hwr_batch.calibrate.curves import fit_increasing, fit_index, fit_temperature
from hwr_batch.calibrate.features import Floats, LineFeatures, design, log_odds
from hwr_batch.calibrate.held_out import HeldOut, examine
from hwr_batch.calibrate.sample import JudgedLines, LineSample, line_keys
from hwr_batch.errors import ConfigError
from hwr_batch.evaluate.normalise import AS_AN_ARCHIVE, Normalisation
from hwr_batch.evaluate.referenced import REFERENCE, referenced_batches, refuse_foreign
from hwr_batch.evaluate.truth import TruthTable
from hwr_batch.results.reading import Columns, PartStore, part_facts

LEAST_LINES = 500
"""200 held-out lines in 5 bins: a perfect calibration then shows an error of about 0.05 by chance."""
LEAST_OF_EACH = 50
"""Right lines, and wrong ones: fewer say nothing about where the two part."""
_COLUMNS = ("line_id", "text", "score", "min_char_score", "image_width")
_LEVELS = 400


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """`right_cer`: a line is right where its CER is at most this; 0 asks for the exact text.
    `held_out`: the share of lines to test on. `most_lines`: a uniform sample of so many is used."""

    right_cer: float = 0.0
    held_out: float = 0.4
    normalisation: Normalisation = AS_AN_ARCHIVE
    most_lines: int = 200_000

    def __post_init__(self) -> None:
        if not 0 <= self.right_cer < 1:
            raise ConfigError(f"--right-cer is a share from 0 to below 1, not {self.right_cer}")
        if not 0.1 <= self.held_out <= 0.9:
            raise ConfigError(f"held_out is a share from 0.1 to 0.9, not {self.held_out}")
        if self.most_lines < LEAST_LINES:
            raise ConfigError(f"most_lines must be at least {LEAST_LINES}, not {self.most_lines}")


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration and how it did. `rows` of the results, of which `lines` were read and have a
    reference, of which `used` were fitted or tested on."""

    calibration: Calibration
    held_out: HeldOut
    rows: int
    lines: int
    used: int

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "lines": self.lines,
            "used": self.used,
            "fitted_lines": self.calibration.fitted_lines,
            "temperature": self.calibration.temperature,
            "right_cer": self.calibration.right_cer,
            "normalisation": dict(self.calibration.normalisation),
            "held_out": self.held_out.to_json(),
        }


def calibrate(
    output: str,
    store: PartStore,
    options: CalibrateOptions | None = None,
    *,
    truth: TruthTable | None = None,
) -> CalibrationReport:
    """Fit a calibration on OUTPUT's lines with references, and examine it on those held out.

    Raises `ConfigError` where there are too few lines, or too few right or wrong ones, saying how many
    it takes.
    """
    options = options or CalibrateOptions()
    sample = LineSample(options.most_lines)
    rows, a_line = 0, None
    for batch in referenced_batches(output, store, _COLUMNS, truth):
        rows += len(batch["line_id"])
        a_line = batch["line_id"][-1]
        sample.add(judged_lines(batch, options.normalisation))
    if truth is not None:
        refuse_foreign(truth, output, a_line)
    lines = sample.lines()
    refuse_too_few(lines.right(options.right_cer), options.right_cer)
    to_fit, to_test = lines.split(options.held_out)
    fitted = fit(to_fit, options, made_with=part_facts(output, store))
    return CalibrationReport(fitted, examine(fitted, to_test), rows, sample.seen, len(lines))


def fit(lines: JudgedLines, options: CalibrateOptions, *, made_with: dict[str, str]) -> Calibration:
    """The calibration that fits `lines`: temperature, then an index and a curve for either answer."""
    temperature = fit_temperature(log_odds(lines.features.score), 1 - lines.cer, lines.characters)
    x = design(lines.features, temperature)
    right = _judge(x, lines.right(options.right_cer))
    return Calibration(
        temperature=temperature,
        right=right,
        accurate=_judge(x, 1 - lines.cer),
        acceptance=_acceptance(right(x)),
        right_cer=options.right_cer,
        normalisation=options.normalisation.to_json(),
        fitted_lines=len(lines),
        made_with=made_with,
    )


def judged_lines(batch: Columns, normalisation: Normalisation) -> JudgedLines:
    """The rows of `batch` that were read and have a reference that is not blank."""
    kept, edits, characters = [], [], []
    for at, (text, reference) in enumerate(zip(batch["text"], batch[REFERENCE], strict=True)):
        expected = "" if text is None or reference is None else normalisation.apply(reference)
        if expected:
            kept.append(at)
            edits.append(Levenshtein.distance(expected, normalisation.apply(text)))
            characters.append(len(expected))

    def column(name: str) -> list[Any]:
        return [batch[name][at] for at in kept]

    return JudgedLines(
        keys=line_keys(column("line_id")),
        features=LineFeatures.from_columns(
            score=column("score"),
            weakest=column("min_char_score"),
            text=column("text"),
            width=column("image_width"),
        ),
        edits=np.array(edits, np.float64),
        characters=np.array(characters, np.float64),
    )


def refuse_too_few(right: Floats, right_cer: float) -> None:
    """Raise `ConfigError` unless `right` float64 (N,), 0 or 1, is enough to fit and test on."""
    lines, good = len(right), int(right.sum())
    if lines < LEAST_LINES:
        raise ConfigError(
            f"a calibration takes at least {LEAST_LINES} lines that were read and have a reference, here are "
            f"{lines}; transcribe {LEAST_LINES - lines} more"
        )
    _refuse_too_few_of(good, lines, f"right (CER ≤ {right_cer:g})", "raise --right-cer")
    lower = "lower --right-cer" if right_cer else "trust the model: it hardly errs here"
    _refuse_too_few_of(lines - good, lines, f"wrong (CER > {right_cer:g})", lower)


def _refuse_too_few_of(number: int, lines: int, kind: str, way_out: str) -> None:
    if number < LEAST_OF_EACH:
        needed = math.ceil(lines * LEAST_OF_EACH / max(number, 1))
        raise ConfigError(
            f"only {number} of {lines} lines are {kind}, and a calibration takes {LEAST_OF_EACH} of them; "
            f"transcribe about {needed} lines in all, or {way_out}"
        )


def _judge(x: Floats, target: Floats) -> Judge:
    index = fit_index(x, target)
    return Judge(index, fit_increasing(index(x), target))


def _acceptance(p: Floats) -> Acceptance:
    """Levels of `p` from the surest down, at most 400, with what accepting down to each one gives."""
    falling = np.sort(p)[::-1]
    # A level ends where the next p is smaller: lines of equal p are accepted together or not at all.
    ends = np.flatnonzero(np.append(np.diff(falling) < 0, True))
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), _LEVELS)).astype(np.intp))]
    accepted = ends + 1
    mean = np.cumsum(falling)[ends] / accepted
    # The threshold is the most tempting of many on these very lines, so the mean alone falls short on
    # new lines half of the time (0.945 for 0.98 asked, in one of four simulated fits on 300 lines).
    precision = mean - np.sqrt(mean * (1 - mean) / accepted)
    return Acceptance(falling[ends], precision, accepted / len(p))
