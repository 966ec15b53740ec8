"""Who reads which shard, when, and what a failure means: pure decisions from counts and clocks.

No Ray, no threads, no sleeping here: the runner tells what happened (`actor_ready`, `actor_lost`,
`task_done`, `task_failed`) and asks what to do (`assignments`, `actors_wanted`, `stalled`). Time is an
argument, in seconds of any monotonic clock. Memory is O(tasks in flight + failed shards), never
O(shards): waiting shards stay in the iterator they come from.

How a shard that kills its worker is found out:

    read beside others ──dies twice──▶ read alone ──dies──▶ halves probed alone ──▶ one row, dies twice
                                          └─ lives: done      └─ lives: cleared       └─▶ `crashed`
    and at the end the shard is read without its crashed rows.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from hwr_batch.records import ShardSpec

CRASHES_BEFORE_ALONE = 2
CRASHES_BEFORE_CONDEMNED = 2
ROUNDS_OF_PROBES = 3
DURATIONS_KEPT = 64
STRAGGLERS_EVERY = 1.0  # seconds between looks for slow shards: a look walks all tasks in flight


class Kind(Enum):
    """READ writes the shard's part; PROBE only reads rows, to see whether the worker survives."""

    READ = "read"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for one worker to do.

    `rows`: [start, stop) inside the shard for a PROBE. `crashed`: row positions inside the shard that are
    known to kill a worker and are not touched. `alone`: nothing else may run on that worker meanwhile.
    """

    number: int
    kind: Kind
    spec: ShardSpec
    rows: tuple[int, int] | None = None
    crashed: frozenset[int] = frozenset()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Counts and seconds behind the decisions.

    `shards_per_actor`: overlapping shards keep a worker's cores busy while one begins or ends.
    `attempts`: tries of a shard whose storage fails. `backoff`: seconds before try n+1 is this times 2^n.
    `stall_seconds`: a worker whose tasks do not move for so long is given up. `copies`: workers that may
    hold the same shard at the end of a run. `straggler_factor`: a shard is slow after so many medians.
    `fruitless_deaths`: workers lost in a row without one finished task before the run is given up.
    """

    shards_per_actor: int = 2
    attempts: int = 4
    backoff: float = 5.0
    stall_seconds: float = 300.0
    copies: int = 2
    straggler_factor: float = 2.0
    fruitless_deaths: int = 16


@dataclass(slots=True)
class _Actor:
    ready: bool = False
    tasks: dict[int, Task] = field(default_factory=dict)


@dataclass(slots=True)
class _Trouble:
    """What is known about a shard that failed at least once."""

    failures: int = 0
    crashes: int = 0
    rounds: int = 0
    crashed: set[int] = field(default_factory=set)
    deaths_of_row: dict[int, int] = field(default_factory=dict)
    open_probes: int = 0


class Scheduler:
    """Hands out shards until every one is done. See the module's text for the rules."""

    def __init__(self, shards: Iterable[ShardSpec], policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._shards: Iterator[ShardSpec] = iter(shards)
        self._upcoming = next(self._shards, None)
        self._again: deque[tuple[float, Task]] = deque()  # (not before, task)
        self._actors: dict[int, _Actor] = {}
        self._roomy: dict[int, None] = {}  # actors that can take a task, in the order they became free
        self._started: dict[int, float] = {}  # task number -> when it was handed out
        self._moved: dict[int, float] = {}  # task number -> when it last made progress
        self._copies: dict[int, dict[int, Task]] = {}  # shard index -> its READ tasks in flight, by number
        self._troubles: dict[int, _Trouble] = {}
        self._durations: deque[float] = deque(maxlen=DURATIONS_KEPT)
        self._stragglers_seen = float("-inf")
        self._numbers = 0
        self._deaths_in_a_row = 0
        self.retries: dict[str, int] = {}

    # What happened

    def actor_starting(self, actor: int) -> None:
        self._actors[actor] = _Actor()

    def actor_ready(self, actor: int) -> None:
        self._actors[actor].ready = True
        self._roomy[actor] = None

    def actor_lost(self, actor: int, now: float) -> None:
        """Its worker died or was given up: its tasks go elsewhere, and their shards are suspects."""
        lost = self._actors.pop(actor)
        self._roomy.pop(actor, None)
        self._deaths_in_a_row += 1
        for task in lost.tasks.values():
            if self._forget(task):
                self._after_crash(task, now)

    def task_moved(self, number: int, now: float) -> None:
        """The worker got further with this task."""
        if number in self._moved:
            self._moved[number] = now

    def task_done(self, actor: int, task: Task, now: float) -> bool:
        """Returns whether this task finished its shard (False for a probe or a later copy)."""
        self._release(actor, task)
        self._deaths_in_a_row = 0
        duration = now - self._started[task.number]
        if task.kind is Kind.PROBE:
            self._forget(task)
            self._probe_over(task)
            return False
        first = task.number in self._copies.pop(task.spec.index, {})
        self._forget(task)
        self._durations.append(duration)
        self._troubles.pop(task.spec.index, None)
        return first

    def task_failed(self, actor: int, task: Task, cause: str, now: float) -> bool:
        """The task ended with an error worth another try. False: the shard has used up its tries."""
        self._release(actor, task)
        if not self._forget(task):
            return True
        self._count(cause)
        trouble = self._troubles.setdefault(task.spec.index, _Trouble())
        trouble.failures += 1
        wait = self._policy.backoff * 2 ** (trouble.failures - 1)
        self._again.append((now + wait, self._renumbered(task)))
        return trouble.failures < self._policy.attempts

    # What to do

    def assignments(self, now: float) -> list[tuple[int, Task]]:
        """(actor, task) pairs to start now."""
        chosen: list[tuple[int, Task]] = []
        for name in list(self._roomy):
            if not self._anything_to_do(now):
                break
            actor = self._actors[name]
            while name in self._roomy and (task := self._next_task(now, idle=not actor.tasks)):
                self._hand_out(name, task, now)
                chosen.append((name, task))
        return chosen

    def stalled(self, now: float) -> list[int]:
        """Actors with a task that has not moved for the stall limit."""
        limit = now - self._policy.stall_seconds
        slow = {number for number, moved in self._moved.items() if moved < limit}
        return [name for name, actor in self._actors.items() if slow & actor.tasks.keys()] if slow else []

    def actors_wanted(self, limit: int) -> int:
        """How many more actors to start: at most `limit` in all, and no more than there is work for."""
        if self.finished:
            return 0
        work = limit if self._upcoming is not None else len(self._again) + len(self._started)
        return max(0, min(limit, max(work, 1)) - len(self._actors))

    @property
    def finished(self) -> bool:
        """Every shard is done. Later copies may still be running; they no longer matter."""
        probing = any(trouble.open_probes for trouble in self._troubles.values())
        return self._upcoming is None and not self._again and not self._copies and not probing

    @property
    def hopeless(self) -> bool:
        """Workers die one after another and nothing gets done."""
        return self._deaths_in_a_row >= self._policy.fruitless_deaths

    @property
    def in_flight(self) -> int:
        return len(self._started)

    # Inside

    def _anything_to_do(self, now: float) -> bool:
        if self._upcoming is not None or any(not_before <= now for not_before, _ in self._again):
            return True
        return now >= self._stragglers_seen + STRAGGLERS_EVERY

    def _next_task(self, now: float, *, idle: bool) -> Task | None:
        for position, (not_before, task) in enumerate(self._again):
            if not_before <= now and (idle or not task.alone):
                del self._again[position]
                return task
        if self._upcoming is not None:
            spec, self._upcoming = self._upcoming, next(self._shards, None)
            return self._task(Kind.READ, spec)
        return self._straggler(now) if idle and not self._again else None

    def _straggler(self, now: float) -> Task | None:
        """A second copy of the shard that has been running longest, once it is slower than most."""
        if not self._durations:
            return None
        single = (tasks for tasks in self._copies.values() if len(tasks) < self._policy.copies)
        oldest = min(
            (task for tasks in single for task in tasks.values()),
            key=lambda task: self._started[task.number],
            default=None,
        )
        slow = statistics.median(self._durations) * self._policy.straggler_factor
        if oldest is None or now - self._started[oldest.number] < slow:
            self._stragglers_seen = now
            return None
        self._count("straggler")
        return self._renumbered(oldest)

    def _hand_out(self, name: int, task: Task, now: float) -> None:
        actor = self._actors[name]
        actor.tasks[task.number] = task
        self._started[task.number] = self._moved[task.number] = now
        if task.kind is Kind.READ:
            self._copies.setdefault(task.spec.index, {})[task.number] = task
        if task.alone or len(actor.tasks) >= self._policy.shards_per_actor:
            del self._roomy[name]

    def _release(self, name: int, task: Task) -> None:
        self._actors[name].tasks.pop(task.number, None)
        self._roomy[name] = None

    def _forget(self, task: Task) -> bool:
        """Stop watching a task. Returns whether its shard now has nobody working on it."""
        self._started.pop(task.number, None)
        self._moved.pop(task.number, None)
        if task.kind is Kind.PROBE:
            return True
        copies = self._copies.get(task.spec.index, {})
        mattered = copies.pop(task.number, None) is not None
        if copies or not mattered:
            return False
        del self._copies[task.spec.index]
        return True

    def _after_crash(self, task: Task, now: float) -> None:
        self._count("worker_lost")
        trouble = self._troubles.setdefault(task.spec.index, _Trouble())
        if task.kind is Kind.PROBE:
            self._probe_died(task, trouble)
        elif task.alone and trouble.rounds < ROUNDS_OF_PROBES:
            trouble.rounds += 1
            self._probe(task, trouble, _halves(0, task.spec.rows))
        elif task.alone:  # every row lives by itself, never together: give up the shard, keep its rows
            everything = frozenset(range(task.spec.rows))
            self._again.append((now, self._task(Kind.READ, task.spec, crashed=everything, alone=True)))
        else:
            trouble.crashes += 1
            alone = trouble.crashes >= CRASHES_BEFORE_ALONE
            self._again.append((now, self._task(Kind.READ, task.spec, crashed=task.crashed, alone=alone)))

    def _probe_died(self, task: Task, trouble: _Trouble) -> None:
        assert task.rows is not None  # noqa: S101 - every probe has rows
        start, stop = task.rows
        if stop - start > 1:
            self._probe(task, trouble, _halves(start, stop))
        else:
            deaths = trouble.deaths_of_row[start] = trouble.deaths_of_row.get(start, 0) + 1
            if deaths < CRASHES_BEFORE_CONDEMNED:
                self._probe(task, trouble, [(start, stop)])
            else:
                trouble.crashed.add(start)
        self._probe_over(task)

    def _probe(self, suspect: Task, trouble: _Trouble, ranges: list[tuple[int, int]]) -> None:
        for rows in ranges:
            trouble.open_probes += 1
            probe = self._task(Kind.PROBE, suspect.spec, rows=rows, crashed=suspect.crashed, alone=True)
            self._again.appendleft((float("-inf"), probe))

    def _probe_over(self, task: Task) -> None:
        trouble = self._troubles[task.spec.index]
        trouble.open_probes -= 1
        if trouble.open_probes == 0:
            crashed = task.crashed | trouble.crashed
            self._again.append((float("-inf"), self._task(Kind.READ, task.spec, crashed=crashed, alone=True)))

    def _task(
        self,
        kind: Kind,
        spec: ShardSpec,
        *,
        rows: tuple[int, int] | None = None,
        crashed: frozenset[int] = frozenset(),
        alone: bool = False,
    ) -> Task:
        self._numbers += 1
        return Task(self._numbers, kind, spec, rows, crashed, alone)

    def _renumbered(self, task: Task) -> Task:
        return self._task(task.kind, task.spec, rows=task.rows, crashed=task.crashed, alone=task.alone)

    def _count(self, cause: str) -> None:
        self.retries[cause] = self.retries.get(cause, 0) + 1


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    middle = (start + stop) // 2
    return [(a, b) for a, b in ((start, middle), (middle, stop)) if a < b]
