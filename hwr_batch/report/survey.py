"""One pass over the parts: how the scores are spread, and which lines to show.

Every part is reduced to counts and a few row numbers before the next ones are opened, so memory does not
grow with the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from hwr_batch.calibrate.sample import line_keys
from hwr_batch.report.parts import SomeParts
from hwr_batch.results.reading import Columns, column_names, read_columns

BINS = 20
PARTS_AT_ONCE = 8  # object stores answer in tens of milliseconds

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many lines to choose: the least sure, at random, and these by name."""

    least: int
    random: int
    line_ids: frozenset[str]


@dataclass(frozen=True, slots=True, order=True)
class Chosen:
    """A line to show: the smaller `key`, the sooner it is chosen. `row`: 0-based within its part."""

    key: float
    part: str
    row: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the parts looked into hold: `lines`, of which `read` have a text.

    `scores`: int64 (BINS,), read lines by `score`, equal steps from 0 to 1; `p_correct` the like, and
    `to_review` a count, None where no calibration judged the lines. `least`, `random`, `named`: chosen.
    """

    lines: int
    read: int
    scores: Counts
    p_correct: Counts | None
    to_review: int | None
    least: tuple[Chosen, ...]
    random: tuple[Chosen, ...]
    named: tuple[Chosen, ...]


def survey(output: str, parts: SomeParts, wanted: Wanted) -> Survey:
    """Look into every one of `parts`."""
    judged = "p_correct" in column_names(output, parts)
    columns = ["line_id", "score", *(["p_correct", "needs_review"] if judged else [])]

    def one(name: str) -> Survey:
        alone = SomeParts(parts.store, (name,))
        # A part is one batch here (its rows are at most a few thousand), so that rows count from 0.
        batches = list(read_columns(output, alone, columns))
        joined = {column: [value for batch in batches for value in batch[column]] for column in columns}
        return _survey_part(name, joined, wanted)

    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        return _joined(threads.map(one, parts.names), wanted)


def _survey_part(name: str, columns: Columns, wanted: Wanted) -> Survey:
    score = _floats(columns["score"])
    p = _floats(columns["p_correct"]) if "p_correct" in columns else None
    read = np.flatnonzero(np.isfinite(score))
    keys = line_keys([columns["line_id"][row] for row in read]) / 2**64
    named = [row for row, line_id in enumerate(columns["line_id"]) if line_id in wanted.line_ids]
    return Survey(
        lines=len(score),
        read=len(read),
        scores=_histogram(score[read]),
        p_correct=None if p is None else _histogram(p[read]),
        to_review=None if p is None else sum(map(bool, columns["needs_review"])),
        least=_smallest(name, (score if p is None else p)[read], read, wanted.least),
        random=_smallest(name, keys, read, wanted.random),
        named=tuple(Chosen(0.0, name, row) for row in named),
    )


def _joined(surveys: Iterable[Survey], wanted: Wanted) -> Survey:
    every = list(surveys)
    judged = all(one.p_correct is not None for one in every)
    return Survey(
        lines=sum(one.lines for one in every),
        read=sum(one.read for one in every),
        scores=_added([one.scores for one in every]),
        p_correct=_added([one.p_correct for one in every if one.p_correct is not None]) if judged else None,
        to_review=sum(one.to_review or 0 for one in every) if judged else None,
        least=tuple(nsmallest(wanted.least, (line for one in every for line in one.least))),
        random=tuple(nsmallest(wanted.random, (line for one in every for line in one.random))),
        named=tuple(line for one in every for line in one.named),
    )


def _smallest(part: str, keys: NDArray[np.float64], rows: NDArray[np.intp], most: int) -> tuple[Chosen, ...]:
    order = np.argsort(keys, kind="stable")[:most]
    return tuple(Chosen(float(keys[at]), part, int(rows[at])) for at in order)


def _histogram(values: NDArray[np.float64]) -> Counts:
    return np.histogram(values, BINS, (0, 1))[0].astype(np.int64)


def _added(histograms: Sequence[Counts]) -> Counts:
    return np.asarray(np.stack(histograms).sum(axis=0))


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """float64 (N,), NaN for None."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
