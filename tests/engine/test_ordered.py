"""Order, laziness and errors of runs on worker threads, with a form that only counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hwr_batch.engine.ordered import read_in_order
from hwr_batch.records import Frames, Pixels


class WidthForm:
    """Answers each piece with its width, four pieces a window, in groups of backward order."""

    window = 4

    def __init__(self, fail_at: int = -1) -> None:
        self.fail_at = fail_at
        self.read_widths: list[int] = []

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        return [(i,) for i in reversed(range(len(pieces)))]

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        widths = [piece.shape[1] for piece in pieces]
        if self.fail_at in widths:
            raise RuntimeError(f"piece {self.fail_at}")
        self.read_widths += widths
        return [Frames(np.array([w], np.int32), np.zeros(1, np.float32)) for w in widths]


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


def pieces(count: int) -> Iterator[Pixels]:
    return (np.zeros((1, i + 1), np.uint8) for i in range(count))


def test_answers_come_in_the_order_of_the_pieces(workers: ThreadPoolExecutor) -> None:
    frames = read_in_order(workers, WidthForm(), pieces(19), ahead=3)
    assert [int(f.classes[0]) for f in frames] == list(range(1, 20))


def test_nothing_to_read(workers: ThreadPoolExecutor) -> None:
    assert list(read_in_order(workers, WidthForm(), pieces(0), ahead=3)) == []


def test_pieces_are_pulled_a_few_runs_ahead(workers: ThreadPoolExecutor) -> None:
    pulled = 0

    def counted() -> Iterator[Pixels]:
        nonlocal pulled
        for piece in pieces(1000):
            pulled += 1
            yield piece

    frames = read_in_order(workers, WidthForm(), counted(), ahead=4)
    assert pulled == 0
    next(frames)
    assert pulled == 8  # the window that is answered and one more
    frames.close()  # type: ignore[attr-defined]
    assert pulled == 8


def test_an_error_surfaces_at_its_window(workers: ThreadPoolExecutor) -> None:
    frames = read_in_order(workers, WidthForm(fail_at=7), pieces(40), ahead=2)
    assert [int(next(frames).classes[0]) for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="piece 7"):
        next(frames)


def test_an_error_of_the_source_surfaces(workers: ThreadPoolExecutor) -> None:
    def broken() -> Iterator[Pixels]:
        yield from pieces(2)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(read_in_order(workers, WidthForm(), broken(), ahead=2))


def test_closing_drops_the_runs_not_begun() -> None:
    gate, form = threading.Event(), WidthForm()
    with ThreadPoolExecutor(1) as one:
        one.submit(gate.wait)
        frames = read_in_order(one, form, _opening(gate), ahead=100)
        with pytest.raises(KeyError):
            list(frames)
    assert len(form.read_widths) < 40


def _opening(gate: threading.Event) -> Iterator[Pixels]:
    """Forty pieces while the only worker is kept waiting, then an error; then it may go on."""
    try:
        yield from pieces(40)
        raise KeyError("stop")
    finally:
        threading.Timer(0.05, gate.set).start()
