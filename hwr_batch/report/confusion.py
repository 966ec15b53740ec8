"""The confusion matrix of the page: the characters most often taken for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hwr_batch.evaluate import Confusion
from hwr_batch.report.words import visible

MOST = 14  # rows, and columns
SHADES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """`shade`: 0 for none, up to `SHADES` for the most frequent."""

    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows`: reference character → one cell per entry of `head`, the characters read."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    shown: int


def matrix(confusions: Sequence[Confusion]) -> Matrix | None:
    """The most frequent confusions; None where there is none. Nothing (insertion, deletion) comes last."""
    if not confusions:
        return None
    expected: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for one in confusions:
        expected[one.reference] += one.count
        read[one.read] += one.count
    rows, columns = _first(expected), _first(read)
    counts = {(one.reference, one.read): one.count for one in confusions}
    most = max(counts.values())
    return Matrix(
        head=tuple(map(visible, columns)),
        rows=tuple(
            (visible(row), tuple(_cell(counts.get((row, column), 0), most) for column in columns))
            for row in rows
        ),
        shown=sum(counts.get((row, column), 0) for row in rows for column in columns),
    )


def _first(counts: Counter[str]) -> list[str]:
    frequent = [character for character, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return sorted(frequent[:MOST], key=lambda character: (not character, character))


def _cell(count: int, most: int) -> Cell:
    return Cell(count, -(-SHADES * count // most))
