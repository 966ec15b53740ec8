"""The scheduler's decisions, driven by a simulated cluster with a simulated clock."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cluster import Cluster, Fate, shards

from hwr_batch.schedule import Kind, Policy, Scheduler, Task


def test_every_shard_is_done_once_without_faults() -> None:
    cluster = Cluster(shards(100), 4, lambda task: "done")
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(100))
    assert not cluster.retries


def test_a_deadly_row_is_found_and_its_neighbours_are_read() -> None:
    deadly = {3: 5, 7: 0}  # shard -> row that kills the worker

    def fate(task: Task) -> Fate:
        row = deadly.get(task.spec.index)
        start, stop = task.rows or (0, task.spec.rows)
        touched = row is not None and start <= row < stop and row not in task.crashed
        return "dies" if touched else "done"

    cluster = Cluster(shards(10), 3, fate)
    cluster.run()
    done = dict(cluster.finished)
    assert sorted(done) == list(range(10))
    assert {index: crashed for index, crashed in done.items() if crashed} == {
        3: frozenset({5}),
        7: frozenset({0}),
    }


def test_two_deadly_rows_in_one_shard_are_both_found() -> None:
    def fate(task: Task) -> Fate:
        start, stop = task.rows or (0, task.spec.rows)
        return "dies" if {1, 6} & set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(shards(1), 2, fate)
    cluster.run()
    assert cluster.finished == [(0, frozenset({1, 6}))]


def test_rows_that_kill_only_together_end_as_crashed_instead_of_for_ever() -> None:
    def fate(task: Task) -> Fate:
        start, stop = task.rows or (0, task.spec.rows)
        return "dies" if {0, 7} <= set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(shards(1), 1, fate)
    cluster.run(steps=1000)
    assert cluster.finished == [(0, frozenset(range(8)))]


def test_a_preempted_worker_costs_no_line() -> None:
    died: set[int] = set()

    def fate(task: Task) -> Fate:
        if task.spec.index not in died and task.kind is Kind.READ:
            died.add(task.spec.index)
            return "dies"
        return "done"

    cluster = Cluster(shards(20), 4, fate)
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(20))
    assert not any(crashed for _, crashed in cluster.finished)


def test_storage_failures_back_off_and_then_give_up() -> None:
    cluster = Cluster(shards(1), 1, lambda task: "fails", policy=Policy(attempts=3, backoff=5.0))
    cluster.run()
    assert cluster.gave_up
    assert cluster.retries == {"storage": 3}
    assert cluster.now == pytest.approx(1 + 5 + 1 + 10 + 1)


def test_a_failure_that_passes_is_retried() -> None:
    failures = iter(["fails", "fails"])
    cluster = Cluster(shards(1), 1, lambda task: next(failures, "done"))
    cluster.run()
    assert [index for index, _ in cluster.finished] == [0]


def test_the_slowest_shard_is_given_to_an_idle_worker_and_the_first_copy_counts() -> None:
    slow: set[int] = set()

    def seconds(task: Task) -> float:
        if task.spec.index == 0 and not slow:
            slow.add(task.number)
            return 1000.0
        return 1.0

    cluster = Cluster(shards(20), 3, lambda task: "done", seconds)
    cluster.run()
    assert cluster.now < 100
    assert sorted(index for index, _ in cluster.finished) == list(range(20))
    assert cluster.retries["straggler"] == 1


def test_a_task_that_does_not_move_is_stalled_and_one_that_moves_is_not() -> None:
    scheduler = Scheduler(shards(2), Policy(stall_seconds=10, shards_per_actor=1))
    for actor in (1, 2):
        scheduler.actor_starting(actor, 0.0)
        scheduler.actor_ready(actor)
    (_, first), (_, second) = scheduler.assignments(0.0)
    scheduler.task_moved(second.number, 8.0)
    assert first.spec.index == 0
    assert scheduler.stalled(9.0) == []
    assert scheduler.stalled(11.0) == [1]


def test_workers_that_only_die_make_the_run_hopeless() -> None:
    cluster = Cluster(shards(5, rows=1024), 2, lambda task: "dies", policy=Policy(fruitless_deaths=16))
    cluster.run(steps=80)
    assert cluster.scheduler.hopeless


def test_no_more_workers_than_work() -> None:
    assert Scheduler(shards(0)).actors_wanted(8) == 0
    scheduler = Scheduler(shards(1))
    scheduler.actor_starting(1, 0.0)
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

    def fate(task: Task) -> Fate:
        return "dies" if rng.random() < death_rate else "done"

    cluster = Cluster(shards(count), actors, fate, lambda task: rng.uniform(0.1, 3))
    cluster.run()
    assert sorted(index for index, _ in cluster.finished) == list(range(count))


def ready(scheduler: Scheduler, *actors: int) -> None:
    for actor in actors:
        scheduler.actor_starting(actor, 0.0)
        scheduler.actor_ready(actor)


def test_every_idle_worker_gets_a_shard_before_any_gets_a_second() -> None:
    scheduler = Scheduler(shards(4))
    ready(scheduler, 1, 2, 3)
    assert [actor for actor, _ in scheduler.assignments(0.0)] == [1, 2, 3, 1]


def test_a_worker_with_notice_ends_what_it_has_and_is_replaced() -> None:
    causes: list[str] = []
    scheduler = Scheduler(shards(10), Policy(shards_per_actor=1), causes.append)
    ready(scheduler, 1)
    ((_, task),) = scheduler.assignments(0.0)
    scheduler.actor_leaving(1)
    assert scheduler.dismissible() == []
    assert scheduler.actors_wanted(1) == 0
    assert scheduler.task_done(1, task, 1.0)
    assert scheduler.assignments(1.0) == []
    assert scheduler.dismissible() == [1]
    scheduler.actor_dismissed(1, 1.0)
    assert scheduler.actors_wanted(1) == 1
    assert causes == ["preempted"]


def test_shards_of_preempted_workers_are_not_suspects() -> None:
    """Three workers in a row are taken away while they read one shard; a crash would make it go alone."""
    scheduler = Scheduler(shards(1))
    for actor in (1, 2, 3):
        ready(scheduler, actor)
        ((_, task),) = scheduler.assignments(0.0)
        assert not task.alone
        scheduler.actor_leaving(actor)
        scheduler.actor_lost(actor, 1.0)
    assert not scheduler.hopeless


def test_a_task_that_a_leaving_worker_gives_back_goes_to_another() -> None:
    scheduler = Scheduler(shards(1))
    ready(scheduler, 1)
    ((_, task),) = scheduler.assignments(0.0)
    scheduler.task_returned(1, task)
    ready(scheduler, 2)
    ((actor, again),) = scheduler.assignments(0.0)
    assert (actor, again.spec) == (2, task.spec)


def test_a_line_that_takes_whole_nodes_with_it_is_found_as_well() -> None:
    def fate(task: Task) -> Fate:
        start, stop = task.rows or (0, task.spec.rows)
        return "vanishes" if 5 in set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(shards(1), 2, fate)
    cluster.run(steps=1000)
    assert cluster.finished == [(0, frozenset({5}))]


def test_a_line_that_breaks_a_worker_without_killing_it_is_found() -> None:
    def fate(task: Task) -> Fate:
        start, stop = task.rows or (0, task.spec.rows)
        return "breaks" if 2 in set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(shards(3), 1, fate)
    cluster.run(steps=1000)
    assert dict(cluster.finished) == {0: {2}, 1: {2}, 2: {2}}
    assert cluster.names == 1


def test_many_deadly_lines_at_once_are_not_taken_for_a_broken_cluster() -> None:
    def fate(task: Task) -> Fate:
        start, stop = task.rows or (0, task.spec.rows)
        return "dies" if set(range(0, 32, 8)) & set(range(start, stop)) - task.crashed else "done"

    cluster = Cluster(shards(40, rows=32), 10, fate)
    cluster.run(steps=100_000)
    assert not cluster.scheduler.hopeless
    assert dict(cluster.finished) == dict.fromkeys(range(40), frozenset(range(0, 32, 8)))


def test_a_worker_over_its_memory_is_replaced_between_shards() -> None:
    causes: list[str] = []
    scheduler = Scheduler(shards(10), Policy(shards_per_actor=1), causes.append)
    scheduler.actor_starting(1, 0.0)
    scheduler.actor_ready(1, memory_limit=1000)
    ((_, task),) = scheduler.assignments(0.0)
    scheduler.actor_memory(1, 1000)
    assert causes == []
    scheduler.actor_memory(1, 1001)
    scheduler.actor_memory(1, 1002)
    assert causes == ["recycled"]
    assert scheduler.dismissible() == []
    scheduler.task_done(1, task, 1.0)
    assert scheduler.dismissible() == [1]


def test_without_a_worker_for_too_long_the_run_is_given_up() -> None:
    scheduler = Scheduler(shards(10), Policy(start_seconds=60))
    assert not scheduler.workerless(1e9)
    scheduler.actor_starting(1, 100.0)
    assert not scheduler.workerless(160.0)
    assert scheduler.workerless(161.0)
    assert scheduler.overdue(161.0) == [1]
    scheduler.actor_ready(1)
    assert not scheduler.workerless(1000.0)
    assert scheduler.overdue(1000.0) == []
    scheduler.actor_lost(1, 1000.0)
    assert not scheduler.workerless(1060.0)
    assert scheduler.workerless(1061.0)


def test_a_worker_that_waits_for_its_store_does_not_stall() -> None:
    scheduler = Scheduler(shards(2), Policy(stall_seconds=10))
    ready(scheduler, 1)
    scheduler.assignments(0.0)
    scheduler.actor_moved(1, 9.0)
    assert scheduler.stalled(15.0) == []
    assert scheduler.stalled(20.0) == [1]


def test_the_copy_that_is_left_may_be_copied_again() -> None:
    scheduler = Scheduler(shards(21), Policy(shards_per_actor=1))
    ready(scheduler, 1, 2)
    (_, slow), (_, task) = scheduler.assignments(0.0)
    for second in range(1, 21):
        scheduler.task_done(2, task, float(second))
        ((_, task),) = scheduler.assignments(float(second))
    assert task.spec == slow.spec
    scheduler.actor_lost(2, 21.0)
    ready(scheduler, 3)
    ((actor, copy),) = scheduler.assignments(21.0)
    assert (actor, copy.spec) == (3, slow.spec)


def test_deadly_and_preempted_at_random_every_shard_is_done_and_only_deadly_rows_are_lost() -> None:
    rng = random.Random(7)
    deadly = {index: index % 8 for index in range(0, 200, 10)}

    def fate(task: Task) -> Fate:
        row = deadly.get(task.spec.index)
        start, stop = task.rows or (0, task.spec.rows)
        if row is not None and start <= row < stop and row not in task.crashed:
            return "dies"
        return rng.choices(("done", "preempted", "vanishes", "fails"), (95, 3, 1, 1))[0]

    cluster = Cluster(shards(200), 8, fate, lambda task: rng.uniform(0.1, 3))
    cluster.run()
    assert len(cluster.finished) == 200
    assert {index: crashed for index, crashed in cluster.finished if crashed} == {
        index: frozenset({row}) for index, row in deadly.items()
    }


def test_memory_grows_with_what_is_in_flight_and_not_with_the_shards() -> None:
    """Peak bytes allocated by scheduler and simulation, for ten times the shards."""
    peaks = []
    for count in (4_000, 40_000):
        tracemalloc.start()
        assert troubled(count, 500).done == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] < 10_000_000


@pytest.mark.slow
def test_a_million_shards_on_ten_thousand_workers_take_less_than_a_minute() -> None:
    begun = time.process_time()
    cluster = troubled(1_000_000, 10_000)
    assert time.process_time() - begun < 60
    assert cluster.done == 1_000_000
    assert {"worker_lost", "preempted", "storage", "straggler"} <= set(cluster.retries)


def troubled(count: int, actors: int) -> Cluster:
    """A run in which one task in a hundred goes wrong."""
    rng = random.Random(1)

    def fate(task: Task) -> Fate:
        lot = rng.random()
        return "done" if lot > 0.01 else "preempted" if lot > 0.005 else "dies" if lot > 0.001 else "fails"

    cluster = Cluster(shards(count), actors, fate, lambda task: rng.lognormvariate(0, 0.5), remember=False)
    cluster.run()
    return cluster
