"""The figures of a set of lines: label accuracy, CER, WER, exact lines, each with its interval.

Label accuracy is the Open Model Zoo's: 1 − Σ edits / Σ reference length, both summed over all lines
(so a long line weighs more than a short one, and much insertion can take it below 0). CER is the same
sum of edits over the same length; WER the like over words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwr_batch.evaluate.bootstrap import BucketSums, interval
from hwr_batch.evaluate.edits import LineEdits

Interval = tuple[float, float] | None

_FIELDS = (
    "lines",
    "exact",
    "failed",
    "characters",
    "edits",
    "insertions",
    "deletions",
    "substitutions",
    "words",
    "word_edits",
)
_AT = {name: index for index, name in enumerate(_FIELDS)}


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % bootstrap intervals (low, high) of the figures of the same names; None below 10 lines."""

    label_accuracy: Interval
    cer: Interval
    wer: Interval
    exact: Interval


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a set of lines was read.

    Counts: `lines` with a reference, of which `exact_lines` equal it and `failed_lines` have no
    reading; `characters`, `words` of the references; edits by kind. Rates: None where the references
    hold no character (or word, for `wer`); `exact` is `exact_lines / lines`.
    """

    lines: int
    exact_lines: int
    failed_lines: int
    characters: int
    words: int
    insertions: int
    deletions: int
    substitutions: int
    label_accuracy: float | None
    cer: float | None
    wer: float | None
    exact: float | None
    intervals: Intervals

    def to_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "intervals"}
        return fields | {
            "intervals": {name: _listed(getattr(self.intervals, name)) for name in Intervals.__slots__}
        }


class Tally:
    """Counts of one set of lines while they stream past; `figures()` at the end."""

    def __init__(self) -> None:
        self._sums = BucketSums(len(_FIELDS))

    def add(self, line: LineEdits) -> None:
        self._sums.add(
            (
                1,
                line.exact,
                line.failed,
                line.characters,
                line.edits,
                line.insertions,
                line.deletions,
                line.substitutions,
                line.words,
                line.word_edits,
            )
        )

    def figures(self, *, replicates: int) -> Figures:
        """The figures so far, with intervals from `replicates` bootstrap samples."""
        count = dict(zip(_FIELDS, self._sums.totals().tolist(), strict=True))
        cer = _ratio(count["edits"], count["characters"])
        return Figures(
            lines=count["lines"],
            exact_lines=count["exact"],
            failed_lines=count["failed"],
            characters=count["characters"],
            words=count["words"],
            insertions=count["insertions"],
            deletions=count["deletions"],
            substitutions=count["substitutions"],
            label_accuracy=None if cer is None else 1 - cer,
            cer=cer,
            wer=_ratio(count["word_edits"], count["words"]),
            exact=_ratio(count["exact"], count["lines"]),
            intervals=self._intervals(replicates),
        )

    def _intervals(self, replicates: int) -> Intervals:
        sums = self._sums.resampled(replicates)
        if sums is None:
            return Intervals(None, None, None, None)

        def of(numerator: str, denominator: str) -> Interval:
            return interval(sums[:, _AT[numerator]], sums[:, _AT[denominator]])

        cer = of("edits", "characters")
        return Intervals(
            label_accuracy=None if cer is None else (1 - cer[1], 1 - cer[0]),
            cer=cer,
            wer=of("word_edits", "words"),
            exact=of("exact", "lines"),
        )


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _listed(bounds: Interval) -> list[float] | None:
    return None if bounds is None else list(bounds)
