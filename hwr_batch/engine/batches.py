"""Which lines share a run, and at what width: pure functions of the pieces' widths, never of timing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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


def shared_out(run: tuple[int, ...], costs: Mapping[int, float]) -> list[tuple[int, ...]]:
    """A run of lines cut into the batches that cost least together, the largest first.

    `costs`: of a batch by the number of lines it has places for, filled or not.
    """
    batches, start = [], 0
    for size in _cheapest(len(run), tuple(sorted(costs.items())))[1]:
        batches.append(run[start : start + size])
        start += size
    return batches


@cache
def _cheapest(lines: int, costs: tuple[tuple[int, float], ...]) -> tuple[float, tuple[int, ...]]:
    """What `lines` cost at least, and the batches that they take, descending; of equals the fewest."""
    if lines <= 0:
        return 0.0, ()
    ways = []
    for size, cost in costs:
        rest, sizes = _cheapest(lines - size, costs)
        ways.append((cost + rest, len(sizes) + 1, tuple(sorted((size, *sizes), reverse=True))))
    cost, _, sizes = min(ways)
    return cost, sizes
