"""Who reads which shard, when, and what a failure means: pure decisions from counts and clocks.

No Ray, no threads, no sleeping here: the runner tells what happened (`actor_ready`, `actor_lost`,
`task_done`, `task_failed`, …) and asks what to do (`assignments`, `actors_wanted`, `stalled`, `dismissible`).
Time is an argument, in seconds of any monotonic clock. Memory is O(tasks in flight + failed shards), never
O(shards): waiting shards stay in the iterator they come from. An event costs O(log of what is in flight).

An actor's life: starting ─▶ ready ─▶ (leaving ─▶) gone. One that leaves ends what it has and gets no more.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hwr_batch.records import ShardSpec
from hwr_batch.schedule.backlog import Backlog
from hwr_batch.schedule.in_flight import InFlight
from hwr_batch.schedule.policy import Policy
from hwr_batch.schedule.suspects import Suspects
from hwr_batch.schedule.tasks import Kind, NewTasks, Task

DURATIONS_KEPT = 64


@dataclass(slots=True)
class _Actor:
    """`memory_limit`: bytes, None for any."""

    tasks: dict[int, Task] = field(default_factory=dict)
    ready: bool = False
    leaving: bool = False
    memory_limit: int | None = None


class Scheduler:
    """Hands out shards until every one is done. `on_retry` hears the cause of everything done once more."""

    def __init__(
        self,
        shards: Iterable[ShardSpec],
        policy: Policy | None = None,
        on_retry: Callable[[str], None] | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self._on_retry = on_retry or _unheard
        self._shards: Iterator[ShardSpec] = iter(shards)
        self._upcoming = next(self._shards, None)
        self._new = NewTasks()
        self._suspects = Suspects(self._new)
        self._backlog = Backlog()
        self._in_flight = InFlight()
        self._actors: dict[int, _Actor] = {}
        self._starting: dict[int, float] = {}  # actor -> since when, the longest ago first
        self._idle: dict[int, None] = {}  # actors without a task, in the order they became so
        self._partial: dict[int, None] = {}  # actors with room beside what they have
        self._leaving: dict[int, None] = {}
        self._ready = self._most_ready = 0
        self._last_worker: float | None = None  # when a worker was last seen ready, or the first one started
        self._durations: deque[float] = deque(maxlen=DURATIONS_KEPT)
        self._deaths_in_a_row = 0

    # What happened to an actor

    def actor_starting(self, actor: int, now: float) -> None:
        self._actors[actor] = _Actor()
        self._starting[actor] = now
        if self._last_worker is None:
            self._last_worker = now

    def actor_ready(self, actor: int, memory_limit: int | None = None) -> None:
        del self._starting[actor]
        state = self._actors[actor]
        state.ready, state.memory_limit = True, memory_limit
        self._ready += 1
        self._most_ready = max(self._most_ready, self._ready)
        if not state.leaving:
            self._idle[actor] = None

    def actor_leaving(self, actor: int, cause: str = "preempted") -> None:
        """It was given notice: it gets nothing more, and its end is not held against its tasks."""
        state = self._actors[actor]
        if not state.leaving:
            self._on_retry(cause)
            state.leaving = True
            self._idle.pop(actor, None)
            self._partial.pop(actor, None)
            self._leaving[actor] = None

    def actor_memory(self, actor: int, used: int) -> None:
        """Over its limit of resident bytes it leaves, to be replaced between two shards."""
        limit = self._actors[actor].memory_limit
        if limit is not None and used > limit:
            self.actor_leaving(actor, "recycled")

    def actor_lost(self, actor: int, now: float, *, blameless: bool = False) -> None:
        """Its worker died or was given up: its tasks go elsewhere, and their shards are suspects.

        `blameless`: the reason lies outside (its node is gone), unless that happens again and again.
        """
        lost = self._remove(actor, now)
        if not lost.leaving:
            self._on_retry("worker_lost")
            self._deaths_in_a_row += 1
        for task in lost.tasks.values():
            if self._in_flight.drop(task):
                excused = blameless or lost.leaving
                self._again(self._suspects.excused(task) if excused else self._suspects.crashed(task))

    def actor_dismissed(self, actor: int, now: float) -> None:
        """The runner ended it, as `dismissible` or `overdue` said."""
        self._remove(actor, now)

    # What happened to a task

    def actor_moved(self, actor: int, now: float) -> None:
        """The worker got further with something that all its tasks wait for."""
        for number in self._actors[actor].tasks:
            self._in_flight.moved(number, now)

    def task_moved(self, number: int, now: float) -> None:
        """The worker got further with this task."""
        self._in_flight.moved(number, now)

    def task_done(self, actor: int, task: Task, now: float) -> bool:
        """Returns whether this task finished its shard (False for a probe or a later copy)."""
        self._release(actor, task)
        self._deaths_in_a_row = 0
        if task.kind is Kind.PROBE:
            self._in_flight.drop(task)
            self._again(self._suspects.probed(task))
            return False
        first, seconds = self._in_flight.finish(task, now)
        self._durations.append(seconds)
        if first:
            self._suspects.done(task)
        return first

    def task_failed(self, actor: int, task: Task, cause: str, now: float) -> bool:
        """The task ended with an error worth another try. False: the shard has used up its tries."""
        self._release(actor, task)
        if not self._in_flight.drop(task):
            return True
        self._on_retry(cause)
        failures = self._suspects.failed(task)
        wait = self._policy.backoff * 2 ** (failures - 1)
        self._backlog.add(self._new.again(task), not_before=now + wait)
        return failures < self._policy.attempts

    def task_broke(self, actor: int, task: Task) -> None:
        """It raised what nobody foresaw: the worker lives, the shard is a suspect."""
        self._release(actor, task)
        self._deaths_in_a_row += 1
        if self._in_flight.drop(task):
            self._on_retry("unexpected_error")
            self._again(self._suspects.crashed(task))

    def task_returned(self, actor: int, task: Task) -> None:
        """The worker is leaving and did not begin it."""
        self._release(actor, task)
        self.actor_leaving(actor)
        if self._in_flight.drop(task):
            self._again([self._new.again(task)])

    # What to do

    def assignments(self, now: float) -> list[tuple[int, Task]]:
        """(actor, task) pairs to start now: every idle worker gets one task before any gets a second."""
        chosen: list[tuple[int, Task]] = []
        for free, idle in ((self._idle, True), (self._partial, False)):
            while free and (task := self._next_task(now, idle=idle)):
                actor = next(iter(free))
                self._hand_out(actor, task, now)
                chosen.append((actor, task))
        return chosen

    def stalled(self, now: float) -> list[int]:
        """Actors with a task that has not moved for the stall limit."""
        return list(dict.fromkeys(self._in_flight.still(now - self._policy.stall_seconds)))

    def overdue(self, now: float) -> list[int]:
        """Actors that did not get ready in time."""
        limit = now - self._policy.start_seconds
        return [actor for actor, since in self._starting.items() if since < limit]

    def dismissible(self) -> list[int]:
        """Actors that leave and have nothing left to do."""
        return [actor for actor in self._leaving if not self._actors[actor].tasks]

    def actors_wanted(self, limit: int) -> int:
        """How many more actors to start: at most `limit` in all, and no more than there is work for."""
        if self.finished:
            return 0
        work = limit if self._upcoming is not None else len(self._backlog) + len(self._in_flight)
        return max(0, min(limit, max(work, 1)) - len(self._actors))

    @property
    def finished(self) -> bool:
        """Every shard is done. Later copies may still be running; they no longer matter."""
        waiting = self._upcoming is not None or len(self._backlog)
        return not waiting and not self._in_flight.reading and not self._suspects.open_probes

    @property
    def hopeless(self) -> bool:
        """Workers die one after another and nothing gets done."""
        return self._deaths_in_a_row >= self._policy.fruitless_deaths * max(1, self._most_ready)

    def workerless(self, now: float) -> bool:
        """No worker has been ready for as long as one may take to start."""
        if self._ready or self._last_worker is None:
            return False
        return now - self._last_worker > self._policy.start_seconds

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    # Inside

    def _next_task(self, now: float, *, idle: bool) -> Task | None:
        if task := self._backlog.take(now, idle=idle):
            return task
        if self._upcoming is not None:
            spec, self._upcoming = self._upcoming, next(self._shards, None)
            return self._new.read(spec)
        return self._straggler(now) if idle else None

    def _straggler(self, now: float) -> Task | None:
        """A second copy of the shard that has been running longest, once it is slower than most."""
        oldest = self._in_flight.oldest(self._policy.copies)
        if oldest is None or not self._durations:
            return None
        task, started = oldest
        if now - started < statistics.median(self._durations) * self._policy.straggler_factor:
            return None
        self._on_retry("straggler")
        return self._new.again(task)

    def _hand_out(self, name: int, task: Task, now: float) -> None:
        actor = self._actors[name]
        actor.tasks[task.number] = task
        self._in_flight.begin(name, task, now)
        self._idle.pop(name, None)
        if task.alone or len(actor.tasks) >= self._policy.shards_per_actor:
            self._partial.pop(name, None)
        else:
            self._partial[name] = None

    def _release(self, name: int, task: Task) -> None:
        actor = self._actors[name]
        actor.tasks.pop(task.number, None)
        if not actor.leaving:
            self._partial.pop(name, None)
            (self._partial if actor.tasks else self._idle)[name] = None

    def _remove(self, name: int, now: float) -> _Actor:
        actor = self._actors.pop(name)
        self._starting.pop(name, None)
        for group in (self._idle, self._partial, self._leaving):
            group.pop(name, None)
        if actor.ready:
            self._ready -= 1
            self._last_worker = now
        return actor

    def _again(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._backlog.add(task)


def _unheard(cause: str) -> None:
    """Nobody listens."""
    del cause
