"""A cluster that exists only as a clock: carries out the scheduler's decisions and invents what happens."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Policy, Scheduler, Task

Fate = Literal["done", "dies", "vanishes", "preempted", "fails", "breaks"]


def shards(count: int, rows: int = 8) -> Iterator[ShardSpec]:
    return (ShardSpec(index, index * rows, rows) for index in range(count))


class Cluster:
    """`fate(task)` says what becomes of a task, `seconds(task)` when.

    done, fails (its store), breaks (an unforeseen error); of its worker: dies, vanishes (with its node),
    preempted (leaves with notice, its tasks unfinished). `remember`: keep the tasks and finished shards.
    """

    def __init__(
        self,
        specs: Iterator[ShardSpec],
        actors: int,
        fate: Callable[[Task], Fate],
        seconds: Callable[[Task], float] = lambda task: 1.0,
        *,
        policy: Policy | None = None,
        remember: bool = True,
    ) -> None:
        self.retries: Counter[str] = Counter()
        self.scheduler = Scheduler(specs, policy, self._retried)
        self.limit, self.fate, self.seconds, self.remember = actors, fate, seconds, remember
        self.now, self.names, self.done = 0.0, 0, 0
        self.alive: set[int] = set()
        self.events: list[tuple[float, int, int, Task]] = []
        self.finished: list[tuple[int, frozenset[int]]] = []
        self.gave_up = False

    def run(self, steps: int = 100_000_000) -> None:
        while not self.scheduler.finished and not self.gave_up and steps > 0:
            steps -= 1
            self._start()
            for actor, task in self.scheduler.assignments(self.now):
                heapq.heappush(self.events, (self.now + self.seconds(task), task.number, actor, task))
            self._next_event()

    def _retried(self, cause: str) -> None:
        self.retries[cause] += 1

    def _start(self) -> None:
        for _ in range(self.scheduler.actors_wanted(self.limit)):
            self.names += 1
            self.alive.add(self.names)
            self.scheduler.actor_starting(self.names, self.now)
            self.scheduler.actor_ready(self.names)

    def _next_event(self) -> None:
        if not self.events:
            self.now += 1.0
            return
        at, _, actor, task = heapq.heappop(self.events)
        self.now = max(self.now, at)
        assert self.scheduler.stalled(self.now) == []
        if actor in self.alive:
            self._happen(self.fate(task), actor, task)

    def _happen(self, fate: Fate, actor: int, task: Task) -> None:
        if fate in ("dies", "vanishes", "preempted"):
            self.alive.discard(actor)
            if fate == "preempted":
                self.scheduler.actor_leaving(actor)
            self.scheduler.actor_lost(actor, self.now, blameless=fate == "vanishes")
        elif fate == "fails":
            self.gave_up = not self.scheduler.task_failed(actor, task, "storage", self.now)
        elif fate == "breaks":
            self.scheduler.task_broke(actor, task)
        elif self.scheduler.task_done(actor, task, self.now):
            self.done += 1
            if self.remember:
                self.finished.append((task.spec.index, task.crashed))
