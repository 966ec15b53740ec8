"""The scheduler's decisions, driven by a simulated cluster with a simulated clock."""

from __future__ import annotations

import heapq
import random
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Kind, Policy, Scheduler, Task


def shards(count: int, rows: int = 8) -> Iterator[ShardSpec]:
    return (ShardSpec(index, index * rows, rows) for index in range(count))


class Cluster:
    """Carries out decisions on a simulated clock.

    `fate(task)` says what happens to a task on its worker: "done", "dies" or "fails".
    """

    def __init__(
        self,
        scheduler: Scheduler,
        actors: int,
        fate: Callable[[Task], str],
        seconds: Callable[[Task], float] = lambda task: 1.0,
    ) -> None:
        self.scheduler, self.limit, self.fate, self.seconds = scheduler, actors, fate, seconds
        self.now, self.names = 0.0, 0
        self.alive: set[int] = set()
        self.events: list[tuple[float, int, int, Task]] = []
        self.tasks: list[Task] = []
        self.finished: list[tuple[int, frozenset[int]]] = []
        self.gave_up = False

    def run(self, steps: int = 10_000_000) -> None:
        while not self.scheduler.finished and not self.gave_up and steps > 0:
            steps -= 1
            self._start()
            for actor, task in self.scheduler.assignments(self.now):
                self.tasks.append(task)
                heapq.heappush(self.events, (self.now + self.seconds(task), task.number, actor, task))
            self._next_event()

    def _start(self) -> None:
        for _ in range(self.scheduler.actors_wanted(self.limit)):
            self.names += 1
            self.alive.add(self.names)
            self.scheduler.actor_starting(self.names)
            self.scheduler.actor_ready(self.names)

    def _next_event(self) -> None:
        if not self.events:
            self.now += 1.0
            return
        at, _, actor, task = heapq.heappop(self.events)
        self.now = max(self.now, at)
        if actor not in self.alive:
            return
        fate = self.fate(task)
        if fate == "dies":
            self.alive.discard(actor)
            self.scheduler.actor_lost(actor, self.now)
        elif fate == "fails":
            self.gave_up = not self.scheduler.task_failed(actor, task, "storage", self.now)
        elif self.scheduler.task_done(actor, task, self.now):
            self.finished.append((task.spec.index, task.crashed))


def test_every_shard_is_done_once_without_faults() -> None:
    cluster = Cluster(Scheduler(shards(100)), 4, lambda task: "done")
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(100))
    assert cluster.scheduler.retries == {}


def test_a_deadly_row_is_found_and_its_neighbours_are_read() -> None:
    deadly = {3: 5, 7: 0}  # shard -> row that kills the worker

    def fate(task: Task) -> str:
        row = deadly.get(task.spec.index)
        start, stop = task.rows or (0, task.spec.rows)
        touched = row is not None and start <= row < stop and row not in task.crashed
        return "dies" if touched else "done"

    cluster = Cluster(Scheduler(shards(10)), 3, fate)
    cluster.run()
    done = dict(cluster.finished)
    assert sorted(done) == list(range(10))
    assert {index: crashed for index, crashed in done.items() if crashed} == {
        3: frozenset({5}),
        7: frozenset({0}),
    }


def test_two_deadly_rows_in_one_shard_are_both_found() -> None:
    def fate(task: Task) -> str:
        start, stop = task.rows or (0, task.spec.rows)
        return "dies" if {1, 6} & set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(Scheduler(shards(1)), 2, fate)
    cluster.run()
    assert cluster.finished == [(0, frozenset({1, 6}))]


def test_rows_that_kill_only_together_end_as_crashed_instead_of_for_ever() -> None:
    def fate(task: Task) -> str:
        start, stop = task.rows or (0, task.spec.rows)
        return "dies" if {0, 7} <= set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(Scheduler(shards(1)), 1, fate)
    cluster.run(steps=1000)
    assert cluster.finished == [(0, frozenset(range(8)))]


def test_a_preempted_worker_costs_no_line() -> None:
    died: set[int] = set()

    def fate(task: Task) -> str:
        if task.spec.index not in died and task.kind is Kind.READ:
            died.add(task.spec.index)
            return "dies"
        return "done"

    cluster = Cluster(Scheduler(shards(20)), 4, fate)
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(20))
    assert not any(crashed for _, crashed in cluster.finished)


def test_storage_failures_back_off_and_then_give_up() -> None:
    scheduler = Scheduler(shards(1), Policy(attempts=3, backoff=5.0))
    cluster = Cluster(scheduler, 1, lambda task: "fails")
    cluster.run()
    assert cluster.gave_up
    assert scheduler.retries == {"storage": 3}
    assert cluster.now == pytest.approx(1 + 5 + 1 + 10 + 1)


def test_a_failure_that_passes_is_retried() -> None:
    failures = iter(["fails", "fails"])
    cluster = Cluster(Scheduler(shards(1)), 1, lambda task: next(failures, "done"))
    cluster.run()
    assert [index for index, _ in cluster.finished] == [0]


def test_the_slowest_shard_is_given_to_an_idle_worker_and_the_first_copy_counts() -> None:
    slow: set[int] = set()

    def seconds(task: Task) -> float:
        if task.spec.index == 0 and not slow:
            slow.add(task.number)
            return 1000.0
        return 1.0

    cluster = Cluster(Scheduler(shards(20)), 3, lambda task: "done", seconds)
    cluster.run()
    assert cluster.now < 100
    assert sorted(index for index, _ in cluster.finished) == list(range(20))
    assert cluster.scheduler.retries["straggler"] == 1


def test_a_task_that_does_not_move_is_stalled_and_one_that_moves_is_not() -> None:
    scheduler = Scheduler(shards(2), Policy(stall_seconds=10, shards_per_actor=1))
    for actor in (1, 2):
        scheduler.actor_starting(actor)
        scheduler.actor_ready(actor)
    (_, first), (_, second) = scheduler.assignments(0.0)
    scheduler.task_moved(second.number, 8.0)
    assert first.spec.index == 0
    assert scheduler.stalled(9.0) == []
    assert scheduler.stalled(11.0) == [1]


def test_workers_that_only_die_make_the_run_hopeless() -> None:
    scheduler = Scheduler(shards(5, rows=1024), Policy(fruitless_deaths=16))
    cluster = Cluster(scheduler, 2, lambda task: "dies")
    cluster.run(steps=40)
    assert scheduler.hopeless


def test_no_more_workers_than_work() -> None:
    assert Scheduler(shards(0)).actors_wanted(8) == 0
    scheduler = Scheduler(shards(1))
    scheduler.actor_starting(1)
    scheduler.actor_ready(1)
    scheduler.assignments(0.0)
    assert scheduler.actors_wanted(8) == 0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 30),
    actors=st.integers(1, 6),
    death_rate=st.floats(0, 0.3),
)
def test_whatever_dies_every_shard_is_done_exactly_once(
    seed: int, count: int, actors: int, death_rate: float
) -> None:
    rng = random.Random(seed)

    def fate(task: Task) -> str:
        return "dies" if rng.random() < death_rate else "done"

    cluster = Cluster(Scheduler(shards(count)), actors, fate, lambda task: rng.uniform(0.1, 3))
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(count))


def test_a_hundred_thousand_shards_need_memory_only_for_those_in_flight() -> None:
    rng = random.Random(1)

    def fate(task: Task) -> str:
        return "dies" if rng.random() < 0.001 else "done"

    scheduler = Scheduler(shards(100_000))
    cluster = Cluster(scheduler, 1000, fate, lambda task: rng.uniform(0.5, 1.5))
    cluster.tasks = _Nothing()
    cluster.finished = _Counter()
    tracemalloc.start()
    cluster.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cluster.finished) == 100_000
    assert peak < 20_000_000


class _Nothing(list[Task]):
    def append(self, item: Task) -> None:
        pass


class _Counter(list[tuple[int, frozenset[int]]]):
    count = 0

    def append(self, item: tuple[int, frozenset[int]]) -> None:
        self.count += 1

    def __len__(self) -> int:
        return self.count
