"""How far a run is, for people: a bar on a terminal, one plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hwr_batch import log

PLAIN_SECONDS = 5.0
SPEED_WINDOW = 30.0  # seconds of the recent past that lines/s and ETA are computed from


class Speed:
    """Lines per second over the recent past."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def at(self, done: int, now: float) -> float:
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - SPEED_WINDOW:
            self._seen.pop(0)
        then, before = self._seen[0]
        elapsed = now - then
        return (done - before) / elapsed if elapsed > 0 else 0.0


def eta(remaining: int, speed: float) -> str:
    return "--" if speed <= 0 else str(timedelta(seconds=round(remaining / speed)))


class BarDisplay:
    """A progress bar on stderr."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._speed = Speed()
        self._total = 0

    def message(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def begin(self, lines: int, done: int, failed: int) -> None:
        self._total = lines
        self._progress = Progress(
            TextColumn("lines"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("{task.fields[speed]:.1f} lines/s"),
            TextColumn("ETA {task.fields[eta]}"),
            TextColumn("failed {task.fields[failed]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task(
            "", total=lines, completed=done, speed=0.0, eta="--", failed=failed
        )
        self._progress.start()

    def update(self, done: int, failed: int) -> None:
        if self._progress is None or self._task is None:
            return
        speed = self._speed.at(done, time.monotonic())
        left = eta(self._total - done, speed)
        self._progress.update(self._task, completed=done, speed=speed, eta=left, failed=failed)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class PlainDisplay:
    """One line on stderr every few seconds, for logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._speed = Speed()
        self._total = 0
        self._last = (0, 0)
        self._shown = 0.0

    def message(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def begin(self, lines: int, done: int, failed: int) -> None:
        self._total, self._last = lines, (done, failed)
        self._speed.at(done, time.monotonic())
        self.message(f"{lines:,} lines, {done:,} done before")
        self._shown = time.monotonic()

    def update(self, done: int, failed: int) -> None:
        self._last = (done, failed)
        if time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._show()

    def end(self) -> None:
        self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        done, failed = self._last
        speed = self._speed.at(done, self._shown)
        share = done / self._total if self._total else 1.0
        left = eta(self._total - done, speed)
        self.message(
            f"{done:,}/{self._total:,} lines ({share:.1%}), {speed:.1f} lines/s, "
            f"ETA {left}, failed {failed:,}"
        )


class LogDisplay(PlainDisplay):
    """The same as events, among those of the run itself."""

    def message(self, text: str) -> None:
        log.event("message", {"text": text})


def logging_to(stream: TextIO, level: str) -> LogDisplay:
    """Events of at least `level` on `stream`, one JSON object a line, and nothing else."""
    log.write_to(stream, level)
    return LogDisplay(stream)


def for_stream(stream: TextIO | None = None) -> BarDisplay | PlainDisplay:
    chosen = stream or sys.stderr
    return BarDisplay(chosen) if chosen.isatty() else PlainDisplay(chosen)
