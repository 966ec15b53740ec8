"""Runs on worker threads, answers in the order of the pieces, never more than a few runs ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from hwr_batch.engine.batches import in_windows
from hwr_batch.engine.forms import Form
from hwr_batch.records import Frames, Pixels


@dataclass(frozen=True, slots=True)
class _Window:
    """Consecutive pieces under way: the runs, and which pieces each of them reads."""

    groups: Sequence[tuple[int, ...]]
    runs: Sequence[Future[list[Frames]]]

    def answers(self) -> list[Frames]:
        """Wait for the runs; frames in the pieces' order."""
        by_piece: dict[int, Frames] = {}
        for group, run in zip(self.groups, self.runs, strict=True):
            by_piece.update(zip(group, run.result(), strict=True))
        return [by_piece[i] for i in range(len(by_piece))]


def read_in_order(workers: Executor, form: Form, pieces: Iterable[Pixels], *, ahead: int) -> Iterator[Frames]:
    """One Frames per piece, in order. Pieces are pulled lazily: about `ahead` runs stay under way.

    A form's error surfaces at the piece it belongs to; runs not yet begun are then dropped.
    """
    under_way: deque[_Window] = deque()
    try:
        for window in in_windows(pieces, form.window):
            under_way.append(_begin(workers, form, window))
            while sum(len(w.runs) for w in under_way) - len(under_way[-1].runs) >= ahead:
                yield from under_way.popleft().answers()
        while under_way:
            yield from under_way.popleft().answers()
    finally:
        for window_under_way in under_way:
            for run in window_under_way.runs:
                run.cancel()


def _begin(workers: Executor, form: Form, window: Sequence[Pixels]) -> _Window:
    groups = form.groups(window)
    runs = [workers.submit(form.read, [window[i] for i in group]) for group in groups]
    return _Window(groups, runs)
