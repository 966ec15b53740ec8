"""Threads that read and decode images, and wait for none of them longer than an image may take.

A read or a decoder that never comes back cannot be stopped, only left behind: another thread takes the place
of its thread, so that no other image waits for it, and it does not keep the process from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

SECONDS_PER_IMAGE = 120.0  # then its lines are `timed_out`
LOOK_SECONDS = 1.0  # between looks for threads that are left behind, while somebody waits

Result = TypeVar("Result")


class ImageTask(Generic[Result]):
    """One image's work. Its time runs while it works, not while it waits for a thread or for room."""

    def __init__(self, work: Callable[[ImageTask[Result]], Result], seconds: float) -> None:
        self.future: Future[Result] = Future()
        self.left_behind = False
        self._work = work
        self._seconds = seconds
        self._begun: float | None = None

    def start_clock(self) -> None:
        """Give the task its whole time from now on."""
        self._begun = time.monotonic()

    def stop_clock(self) -> None:
        """Let it wait as long as it must: it waits for others, whose time is limited."""
        self._begun = None

    def overdue(self) -> bool:
        begun = self._begun
        return begun is not None and time.monotonic() - begun >= self._seconds

    def run(self) -> None:
        """Work, and set the future's result or error."""
        self.start_clock()
        try:
            result = self._work(self)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class ImageThreads:
    """`count` threads. Any number of threads may submit and wait. Raises nothing of its own but TimeoutError.

    `seconds`: for one image, `SECONDS_PER_IMAGE` where a run reads its lines.
    """

    def __init__(self, count: int, *, seconds: float = SECONDS_PER_IMAGE) -> None:
        self.seconds = seconds
        self._count = count
        self._waiting: SimpleQueue[ImageTask[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: set[ImageTask[Any]] = set()
        for _ in range(count):
            self._add_thread()

    def submit(self, work: Callable[[ImageTask[Result]], Result]) -> ImageTask[Result]:
        """Have a thread call `work` with its task, behind all that was submitted before."""
        task = ImageTask(work, self.seconds)
        self._waiting.put(task)
        return task

    def wait(self, task: ImageTask[Result]) -> Result:
        """The task's result, or what it raised; TimeoutError once it has worked for too long."""
        while True:
            try:
                return task.future.result(timeout=min(LOOK_SECONDS, self.seconds / 4))
            except TimeoutError:
                if task.future.done():  # the work's own TimeoutError
                    raise
            self._leave_behind()
            if task.left_behind:
                raise TimeoutError(f"not done within {self.seconds:.0f} seconds")

    def close(self) -> None:
        """End the threads once what was submitted is done; waits for none of them."""
        for _ in range(self._count):
            self._waiting.put(None)

    def _add_thread(self) -> None:
        threading.Thread(target=self._serve, name="image", daemon=True).start()

    def _serve(self) -> None:
        while (task := self._waiting.get()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            with self._lock:
                self._running.add(task)
            task.run()
            with self._lock:
                self._running.discard(task)
            if task.left_behind:  # this thread's place is taken
                return

    def _leave_behind(self) -> None:
        """Put a new thread in the place of each whose task is overdue."""
        with self._lock:
            overdue = [task for task in self._running if task.overdue() and not task.future.done()]
            for task in overdue:
                task.left_behind = True
                self._running.discard(task)
        for _ in overdue:
            self._add_thread()
