"""The tasks that workers have: since when, how far, and in how many copies. O(1) or O(log) per event."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from hwr_batch.schedule.tasks import Kind, Task

SPARE = 64  # entries of ended tasks that are kept without a thought


@dataclass(slots=True)
class _Held:
    task: Task
    actor: int
    started: float


class InFlight:
    """Keeps copies of a shard together: the first READ to end is the one that counts."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._moved: dict[int, float] = {}  # task number -> when it last got further, the longest ago first
        self._copies: dict[int, set[int]] = {}  # shard index -> task numbers of its READs
        self._oldest: list[tuple[float, int]] = []  # a heap of READs by start; those that ended stay a while

    def __len__(self) -> int:
        return len(self._held)

    @property
    def reading(self) -> bool:
        """Whether any unfinished shard is being read."""
        return bool(self._copies)

    def begin(self, actor: int, task: Task, now: float) -> None:
        self._held[task.number] = _Held(task, actor, now)
        self._moved[task.number] = now
        if task.kind is Kind.READ:
            self._copies.setdefault(task.spec.index, set()).add(task.number)
            self._note(now, task.number)

    def moved(self, number: int, now: float) -> None:
        if number in self._moved:
            del self._moved[number]  # so that it goes to the end
            self._moved[number] = now

    def still(self, since: float) -> Iterator[int]:
        """Actors with a task that has not moved after `since`; one may come twice."""
        for number, moved in self._moved.items():
            if moved >= since:
                return
            yield self._held[number].actor

    def finish(self, task: Task, now: float) -> tuple[bool, float]:
        """A READ ended well: whether it was the first of its copies, and its seconds."""
        first = task.number in self._copies.pop(task.spec.index, ())
        seconds = now - self._held[task.number].started
        self.drop(task)
        return first, seconds

    def drop(self, task: Task) -> bool:
        """Stop watching a task. Returns whether its work is now nobody's."""
        self._held.pop(task.number, None)
        self._moved.pop(task.number, None)
        if task.kind is Kind.PROBE:
            return True
        copies = self._copies.get(task.spec.index, set())
        if task.number not in copies:
            return False  # another copy was first
        copies.remove(task.number)
        for other in copies:  # it may have been passed over while it had company
            self._note(self._held[other].started, other)
        if not copies:
            del self._copies[task.spec.index]
        return not copies

    def oldest(self, copies: int) -> tuple[Task, float] | None:
        """The READ that began first among shards with fewer than `copies` readers, and when it began."""
        while self._oldest:
            held = self._held.get(self._oldest[0][1])
            if held is not None and 0 < len(self._copies.get(held.task.spec.index, ())) < copies:
                return held.task, held.started
            heapq.heappop(self._oldest)
        return None

    def _note(self, started: float, number: int) -> None:
        """Onto the heap, which must not grow with the tasks that ended: it is cleared of them in time."""
        heapq.heappush(self._oldest, (started, number))
        if len(self._oldest) > 2 * len(self._held) + SPARE:
            self._oldest = [entry for entry in self._oldest if entry[1] in self._held]
            heapq.heapify(self._oldest)
