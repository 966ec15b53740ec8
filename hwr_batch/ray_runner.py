"""Runs shards on Ray: the only room that knows it (with jobs/).

Wraps `Worker` in an actor, carries out `Scheduler`'s decisions, and tells it what happened. Actors never
restart by themselves (Ray's `max_restarts` and `max_task_retries` stay 0): a lost worker is replaced here,
so that a dead actor never keeps its slot and the scheduler knows which shards were on it.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

from hwr_batch import log
from hwr_batch.config import RunOptions
from hwr_batch.cores import usable_cores
from hwr_batch.errors import ConfigError, HwrBatchError, StorageError
from hwr_batch.memory import resident_bytes
from hwr_batch.ray_metrics import DriverMetrics, WorkerMetrics
from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Policy, Scheduler, Task
from hwr_batch.watch import Facts, Watch
from hwr_batch.worker import ShardReport, Worker, WorkOrder
from hwr_batch.zoo.card import ModelBundle

CORES_PER_ACTOR = 8  # at most, when chosen automatically: one Python process keeps about so many cores busy
CONNECT_SECONDS = 10.0
POLL_SECONDS = 2.0  # between looks at the workers' progress
WAIT_SECONDS = 0.5
DRAIN_SECONDS = 30.0
START_SECONDS = 600.0  # without a single worker ready, the run is given up
MEBIBYTE = 1024 * 1024


class ShardActor:
    """`Worker` behind Ray: loading is a call of its own, so that its errors arrive as themselves."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._metrics: WorkerMetrics | None = None
        self._run = ""

    def load(self, bundle: ModelBundle, order: WorkOrder) -> Facts:
        log.write_to(sys.stderr, "info")  # Ray keeps it in this worker's log file
        self._run, self._metrics = order.run_id, WorkerMetrics(order.run_id)
        self._worker = Worker(bundle, order)
        log.event("worker_ready", {"run": self._run, **self._worker.facts})
        return {**self._worker.facts, "node": ray.get_runtime_context().get_node_id()}

    def process(self, task: Task) -> ShardReport:
        assert self._worker is not None and self._metrics is not None  # noqa: S101 - the runner loads first
        here: dict[str, log.Value] = {"run": self._run, "shard": task.spec.index, "task": task.kind.value}
        log.event("shard_begins", {**here, "rows": task.spec.rows})
        try:
            report = self._worker.process(task)
        except HwrBatchError as error:
            self._metrics.shard_failed()
            failure = {"cause": type(error).__name__, "error": str(error)}
            log.event("shard_failed", {**here, **failure}, level=logging.ERROR)
            raise
        self._metrics.shard_done(report)
        outcome: dict[str, log.Value] = {"skipped": report.skipped, "by_status": report.by_status}
        log.event("shard_done", {**here, **outcome, "seconds": report.seconds})
        return report

    def progress(self) -> dict[int, int]:
        if self._worker is None or self._metrics is None:
            return {}
        self._metrics.memory(resident_bytes())
        return self._worker.progress()


@dataclass(slots=True)
class _Call:
    """A Ray call in flight: `task` for a shard, None for loading."""

    actor: int
    task: Task | None


@dataclass(slots=True)
class _Fleet:
    """Handles and calls in flight, by actor number."""

    handles: dict[int, Any] = field(default_factory=dict)
    calls: dict[Any, _Call] = field(default_factory=dict)
    polls: dict[Any, int] = field(default_factory=dict)
    rows_done: dict[int, dict[int, int]] = field(default_factory=dict)
    started: int = 0


def run_shards(shards: Iterable[ShardSpec], bundle: ModelBundle, order: WorkOrder, watch: Watch) -> None:
    """Read every shard on the cluster. Raises StorageError when a shard has used up its tries, ConfigError
    when no actor can be placed, ModelError when the model does not load."""
    with connected(order.config.run, bundle):
        watch.connected()
        _Run(Scheduler(shards, Policy()), bundle, order, watch).until_done()


class _Run:
    def __init__(self, scheduler: Scheduler, bundle: ModelBundle, order: WorkOrder, watch: Watch) -> None:
        self._scheduler, self._watch = scheduler, watch
        self._fleet = _Fleet()
        self._cpus = cpus_per_actor(order.config.run)
        self._actors = order.config.run.actors
        crowded = any(cores >= 2 * self._cpus for cores in node_cores())
        self._order = ray.put(order.with_cpus(self._cpus, several_on_host=crowded))
        self._bundle = ray.put(bundle)
        self._begun = time.monotonic()
        self._ever_ready = False
        self._polled = 0.0
        self._metrics = DriverMetrics(order.run_id)

    def until_done(self) -> None:
        try:
            self._loop()
        finally:
            self._metrics.ended()

    def _loop(self) -> None:
        while not self._scheduler.finished and not self._watch.stopping():
            self._start_actors()
            self._give_up_on_stalled()
            self._hand_out()
            self._collect(WAIT_SECONDS)
            self._poll()
            self._check_hope()
        if not self._scheduler.finished:
            self._drain()

    def _start_actors(self) -> None:
        limit = self._actors or sum(cores // self._cpus for cores in node_cores())
        remote = ray.remote(concurrency_groups={"status": 1})(ShardActor)
        for _ in range(self._scheduler.actors_wanted(max(1, limit))):
            number = self._fleet.started = self._fleet.started + 1
            handle = remote.options(
                num_cpus=self._cpus,
                max_concurrency=Policy().shards_per_actor,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            ).remote()
            self._fleet.handles[number] = handle
            self._fleet.calls[handle.load.remote(self._bundle, self._order)] = _Call(number, None)
            self._scheduler.actor_starting(number)

    def _hand_out(self) -> None:
        for actor, task in self._scheduler.assignments(time.monotonic()):
            call = self._fleet.handles[actor].process.remote(task)
            self._fleet.calls[call] = _Call(actor, task)

    def _collect(self, timeout: float) -> None:
        waiting = [*self._fleet.calls, *self._fleet.polls]
        if not waiting:
            time.sleep(timeout)
            return
        ready, rest = ray.wait(waiting, num_returns=1, timeout=timeout, fetch_local=False)
        if rest:
            ready += ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        for ref in ready:
            if ref in self._fleet.polls:
                self._polled_back(ref)
            else:
                self._settle(ref, self._fleet.calls.pop(ref))

    def _settle(self, ref: Any, call: _Call) -> None:
        if call.actor not in self._fleet.handles:
            return
        now = time.monotonic()
        try:
            answer = ray.get(ref)
        except (RayActorError, ActorUnavailableError):
            self._lose(call.actor)
        except RayTaskError as error:
            self._failed(call, error.as_instanceof_cause(), now)
        else:
            if call.task is None:
                self._ever_ready = True
                self._scheduler.actor_ready(call.actor)
                self._watch.worker_ready(answer)
            elif self._scheduler.task_done(call.actor, call.task, now):
                self._watch.shard_done(answer)

    def _failed(self, call: _Call, error: Exception, now: float) -> None:
        """A store that failed is worth another try elsewhere; anything else ends the run."""
        if call.task is None or not isinstance(error, StorageError):
            raise error
        if not self._scheduler.task_failed(call.actor, call.task, "storage", now):
            raise error
        self._retried("storage")

    def _lose(self, actor: int) -> None:
        self._retried("worker_lost")
        del self._fleet.handles[actor]
        self._fleet.rows_done.pop(actor, None)
        self._scheduler.actor_lost(actor, time.monotonic())

    def _give_up_on_stalled(self) -> None:
        for actor in self._scheduler.stalled(time.monotonic()):
            self._retried("stalled")
            ray.kill(self._fleet.handles[actor], no_restart=True)
            self._lose(actor)

    def _retried(self, cause: str) -> None:
        self._watch.retried(cause)
        self._metrics.retried(cause)

    def _poll(self) -> None:
        """Ask every worker how far it is; the answers are collected with the rest."""
        now = time.monotonic()
        if now - self._polled < POLL_SECONDS:
            return
        self._polled = now
        self._metrics.look(
            unfinished=self._watch.unfinished(),
            in_flight=self._scheduler.in_flight,
            workers=len(self._fleet.handles),
        )
        asked = set(self._fleet.polls.values())
        for actor, handle in self._fleet.handles.items():
            if actor not in asked:
                self._fleet.polls[handle.progress.options(concurrency_group="status").remote()] = actor
        self._watch.rows_moved(sum(sum(tasks.values()) for tasks in self._fleet.rows_done.values()))

    def _polled_back(self, ref: Any) -> None:
        actor = self._fleet.polls.pop(ref)
        if actor not in self._fleet.handles:
            return
        try:
            done = ray.get(ref)
        except (RayActorError, ActorUnavailableError):
            return  # the actor's own calls fail as well, and say so
        before = self._fleet.rows_done.get(actor, {})
        for number, rows in done.items():
            if before.get(number, -1) != rows:
                self._scheduler.task_moved(number, time.monotonic())
        self._fleet.rows_done[actor] = done

    def _check_hope(self) -> None:
        if self._scheduler.hopeless:
            raise ConfigError(
                "workers die one after another without finishing a shard: look at the Ray logs, and at the "
                "memory of one actor (hwr-batch doctor); then run the same command again"
            )
        if not self._ever_ready and time.monotonic() - self._begun > START_SECONDS:
            raise ConfigError(
                f"no actor with {self._cpus} CPUs could be started within {START_SECONDS:.0f} seconds: the "
                f"cluster's nodes have {node_cores() or 'no'} CPUs; lower --cpus-per-actor or add nodes, then run again"
            )

    def _drain(self) -> None:
        """Finish what is in flight, for a while; what does not finish is done by the next run."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and any(call.task for call in self._fleet.calls.values()):
            self._collect(WAIT_SECONDS)


@contextmanager
def connected(run: RunOptions, bundle: ModelBundle) -> Iterator[None]:
    """A connection to the cluster, or a cluster of our own for `local`; closed on the way out."""
    _check_address(run)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if run.address == "local":
            size = sum(len(data) for data in bundle.files.values())
            store = max(256 * MEBIBYTE, 4 * size)
            cores = max(usable_cores(), (run.actors or 0) * (run.cpus_per_actor or 1))
            ray.init(
                address="local", num_cpus=cores, object_store_memory=store, include_dashboard=False, **quiet
            )
        else:
            ray.init(address=run.address, runtime_env=_runtime_env(), **quiet)
    except (ConnectionError, RuntimeError, ValueError) as exc:
        raise ConfigError(_no_cluster(run.address, exc)) from exc
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(run: RunOptions) -> None:
    """What Ray itself would wait minutes for, or never mention."""
    if run.address == "local":
        if (run.cpus_per_actor or 1) > usable_cores():
            raise ConfigError(
                f"--cpus-per-actor {run.cpus_per_actor}: this machine has {usable_cores()} cores"
            )
        return
    host, _, port = run.address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as exc:
        raise ConfigError(_no_cluster(run.address, exc)) from exc


def _no_cluster(address: str, exc: Exception) -> str:
    reason = str(exc).strip().splitlines()
    return (
        f"--address {address}: no Ray cluster answers there ({reason[0] if reason else type(exc).__name__}); "
        "start one with `ray start --head`, or leave --address out to run on this machine"
    )


def _runtime_env() -> dict[str, Any] | None:
    """Ship this package with the job, so that workers run the driver's version; a submitted job brings its
    working directory already."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return None
    import hwr_batch

    return {"py_modules": [hwr_batch]}


def node_cores() -> list[int]:
    """CPUs of every living node, as Ray counts them."""
    return [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]


def cpus_per_actor(run: RunOptions) -> int:
    """`--cpus-per-actor`, or the most that fits: a node's cores shared by its actors, 8 at most."""
    cores = [count for count in node_cores() if count > 0]
    if run.cpus_per_actor is not None:
        return run.cpus_per_actor
    smallest = min(cores, default=1)
    if run.actors is None:
        return max(1, min(CORES_PER_ACTOR, smallest))
    return max(1, min(CORES_PER_ACTOR, smallest, sum(cores) // run.actors))
