"""Tasks that wait for a worker once more. Adding and taking cost O(log of those in back-off)."""

from __future__ import annotations

import heapq
from collections import deque

from hwr_batch.schedule.tasks import Kind, Task


class Backlog:
    """Probes come first, the rest in the order they were added or became due."""

    def __init__(self) -> None:
        self._later: list[tuple[float, int, Task]] = []  # a heap: not before, task number
        self._beside: deque[Task] = deque()
        self._alone: deque[Task] = deque()  # for idle workers only

    def __len__(self) -> int:
        return len(self._later) + len(self._beside) + len(self._alone)

    def add(self, task: Task, not_before: float | None = None) -> None:
        """`not_before`: on the scheduler's clock; None: as soon as there is a worker."""
        if not_before is not None:
            heapq.heappush(self._later, (not_before, task.number, task))
        elif task.kind is Kind.PROBE:
            self._alone.appendleft(task)
        else:
            (self._alone if task.alone else self._beside).append(task)

    def take(self, now: float, *, idle: bool) -> Task | None:
        """The next task for a worker that is `idle` or has others to do."""
        while self._later and self._later[0][0] <= now:
            self.add(heapq.heappop(self._later)[2])
        if idle and self._alone:
            return self._alone.popleft()
        return self._beside.popleft() if self._beside else None
