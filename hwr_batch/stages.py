"""Where a worker's seconds go: thread-seconds by stage, and counters that add."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = ("read", "decode", "infer", "text", "write")


class StageClock:
    """Adds up seconds by stage from any number of threads.

    read: fetching bytes. decode: bytes to network input. infer: the consumer's wait for the network.
    text: greedy decoding. write: encoding and storing the part. Read and decode run in several threads at
    once, so their sum can exceed the wall clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - begun)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self._seconds[name] += seconds

    def seconds(self) -> dict[str, float]:
        with self._lock:
            return dict(self._seconds)
