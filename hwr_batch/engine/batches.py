"""Which lines share a run, and at what width: pure functions of the pieces' widths, never of timing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from hwr_batch.records import Pixels


@dataclass(frozen=True, slots=True)
class Widths:
    """The widths a network may run at: `published` minus a multiple of `step`, at least content + `margin`.

    All in network columns. `published` 0: every piece at its own width.
    """

    published: int
    margin: int = 0
    step: int = 0

    def of(self, content: int) -> int:
        """The width to run `content` columns at. ValueError: they do not fit."""
        if self.published == 0:
            return content
        if not 1 <= content <= self.published:
            raise ValueError(f"a piece of {content} columns does not fit a network of {self.published}")
        if self.step == 0:
            return self.published
        spare = self.published - content - self.margin
        return self.published - max(0, spare) // self.step * self.step


def in_windows(pieces: Iterable[Pixels], size: int) -> Iterator[list[Pixels]]:
    """Consecutive windows of `size` pieces, pulled only when asked for; the last may be shorter."""
    source = iter(pieces)
    while window := list(islice(source, size)):
        yield window


def equal_widths(widths: Sequence[int], batch: int) -> list[tuple[int, ...]]:
    """Indices grouped so that every group has one width and at most `batch` members; widest first."""
    order = sorted(range(len(widths)), key=lambda i: (-widths[i], i))
    groups: list[tuple[int, ...]] = []
    start = 0
    for end in range(1, len(order) + 1):
        full = end - start == batch
        if end == len(order) or full or widths[order[end]] != widths[order[start]]:
            groups.append(tuple(order[start:end]))
            start = end
    return groups


def shared_out(run: tuple[int, ...], sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """A run of at most `sizes[-1]` lines as one batch, or as several of `sizes[0]` where fewer places
    would stay empty. `sizes`: the batches there are, ascending."""
    part, whole = sizes[0], sizes[-1]
    if len(run) > whole - part:
        return [run]
    return [run[start : start + part] for start in range(0, len(run), part)]
