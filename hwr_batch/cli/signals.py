"""SIGINT and SIGTERM ask the run to drain; a second one ends it at once."""

from __future__ import annotations

import signal
from types import FrameType

from hwr_batch.errors import ExitCode

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class StopRequest:
    """Callable: the exit code asked for, None as long as nobody asked."""

    def __init__(self) -> None:
        self._asked: ExitCode | None = None

    def __call__(self) -> ExitCode | None:
        return self._asked

    def install(self) -> None:
        for number in CODES:
            signal.signal(number, self._ask)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self._asked is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._asked = CODES[signal.Signals(number)]
