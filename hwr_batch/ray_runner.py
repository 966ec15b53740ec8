"""Runs shards on Ray: carries out `Scheduler`'s decisions and tells it what happened.

Actors never restart by themselves (Ray's `max_restarts` and `max_task_retries` stay 0): a lost worker is
replaced here, so that a dead actor never keeps its slot and the scheduler knows which shards were on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError

from hwr_batch import log
from hwr_batch.config import RunOptions
from hwr_batch.errors import ConfigError, HwrBatchError, StorageError
from hwr_batch.ray_actor import Loaded, Pulse, ShardActor
from hwr_batch.ray_cluster import Nodes, connected, cpus_per_actor
from hwr_batch.ray_metrics import DriverMetrics
from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Policy, Scheduler, Task
from hwr_batch.watch import Watch
from hwr_batch.worker import WorkOrder
from hwr_batch.zoo.card import ModelBundle

POLL_SECONDS = 2.0  # between looks at the workers' progress
POLLS_PER_SECOND = 500  # at most, of all workers together: a call costs the driver 0.1 ms
WAIT_SECONDS = 0.5
AWAY_SECONDS = 5.0  # a round of the loop that takes longer: the driver was suspended, or waited for a store
DRAIN_SECONDS = 20.0  # Kubernetes gives 30 between SIGTERM and SIGKILL
MEMORY_HEADROOM = 1.5  # of what a worker holds once loaded: a limit below that would replace it for ever


@dataclass(frozen=True, slots=True)
class _Call:
    """A Ray call in flight: `task` for a shard, None for loading."""

    actor: int
    task: Task | None


@dataclass(slots=True)
class _Fleet:
    """Handles and calls in flight, by actor number. `nodes`: where an actor runs."""

    handles: dict[int, Any] = field(default_factory=dict)
    nodes: dict[int, str] = field(default_factory=dict)
    calls: dict[Any, _Call] = field(default_factory=dict)
    polls: dict[Any, int] = field(default_factory=dict)
    pulses: dict[int, Pulse] = field(default_factory=dict)
    started: int = 0

    def drop(self, actor: int) -> Any:
        self.pulses.pop(actor, None)
        self.nodes.pop(actor, None)
        return self.handles.pop(actor)


class _Clock:
    """Seconds during which the driver was at work.

    A driver that was suspended, or waited a minute for its store, has not heard its workers meanwhile: on
    any other clock they would all look stalled afterwards.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._looked = time.monotonic()

    def tick(self) -> None:
        looked = time.monotonic()
        self.now += min(looked - self._looked, AWAY_SECONDS)
        self._looked = looked


def run_shards(shards: Iterable[ShardSpec], bundle: ModelBundle, order: WorkOrder, watch: Watch) -> None:
    """Read every shard on the cluster. Raises StorageError when a shard has used up its tries, ConfigError
    when no actor can be placed or workers do nothing but die, ModelError when the model does not load."""
    with connected(order.config.run, bundle):
        watch.connected()
        _Run(shards, bundle, order, watch).until_done()


def policy_of(run: RunOptions) -> Policy:
    return Policy(stall_seconds=run.stall_seconds, start_seconds=run.start_timeout)


class _Run:
    def __init__(
        self, shards: Iterable[ShardSpec], bundle: ModelBundle, order: WorkOrder, watch: Watch
    ) -> None:
        self._watch, self._options = watch, order.config.run
        self._policy = policy_of(self._options)
        self._metrics = DriverMetrics(order.run_id)
        self._scheduler = Scheduler(shards, self._policy, self._retried)
        self._clock, self._fleet, self._nodes = _Clock(), _Fleet(), Nodes()
        nodes = list(self._nodes.now().values())
        self._cpus = cpus_per_actor(self._options, nodes)
        crowded = any(node.cores >= 2 * self._cpus for node in nodes)
        self._order = ray.put(order.with_cpus(self._cpus, several_on_host=crowded))
        self._bundle = ray.put(bundle)
        self._actor_class = ray.remote(concurrency_groups={"status": 1})(ShardActor)
        self._run_id = order.run_id
        self._polled = float("-inf")
        self._failed_loads = 0
        self._last_bug: Exception | None = None

    def until_done(self) -> None:
        try:
            self._loop()
        finally:
            self._metrics.ended()

    def _loop(self) -> None:
        while not self._scheduler.finished and not self._watch.stopping():
            self._start_actors()
            self._part_with_actors()
            self._hand_out()
            self._collect(WAIT_SECONDS)
            self._poll()
            self._clock.tick()
            self._check_hope()
        if not self._scheduler.finished:
            self._drain()

    # Actors come and go

    def _start_actors(self) -> None:
        limit = self._options.actors or max(1, self._nodes.room_for(self._cpus))
        for _ in range(self._scheduler.actors_wanted(limit)):
            number = self._fleet.started = self._fleet.started + 1
            handle = self._actor_class.options(
                num_cpus=self._cpus,
                max_concurrency=self._policy.shards_per_actor,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            ).remote()
            self._fleet.handles[number] = handle
            self._fleet.calls[handle.load.remote(self._bundle, self._order)] = _Call(number, None)
            self._scheduler.actor_starting(number, self._clock.now)

    def _part_with_actors(self) -> None:
        """End those that stalled, that did not start in time, and that leave and have nothing left to do."""
        for actor in self._scheduler.stalled(self._clock.now):
            self._retried("stalled")
            self._lose(actor)
        for actor in self._scheduler.overdue(self._clock.now):
            self._retried("not_started")
            self._dismiss(actor)
        for actor in self._scheduler.dismissible():
            self._dismiss(actor)

    def _lose(self, actor: int) -> None:
        """It died or must die. Killed either way: one that is only out of reach would keep its slot."""
        node = self._fleet.nodes.get(actor)
        ray.kill(self._fleet.drop(actor), no_restart=True)
        gone = node is not None and node not in self._nodes.now()
        self._scheduler.actor_lost(actor, self._clock.now, blameless=gone)

    def _dismiss(self, actor: int) -> None:
        ray.kill(self._fleet.drop(actor), no_restart=True)
        self._scheduler.actor_dismissed(actor, self._clock.now)

    def _loaded(self, actor: int, loaded: Loaded) -> None:
        self._failed_loads = 0
        self._fleet.nodes[actor] = loaded.node
        self._scheduler.actor_ready(actor, self._memory_limit(loaded))
        self._watch.worker_ready({**loaded.facts, "node": loaded.node})

    def _memory_limit(self, loaded: Loaded) -> int | None:
        """Bytes: as asked for, or the worker's share of its node."""
        if self._options.max_actor_memory is not None:
            return self._options.max_actor_memory
        node = self._nodes.now().get(loaded.node)
        if node is None or not node.memory:
            return None
        return max(node.memory_share(self._cpus), int(MEMORY_HEADROOM * loaded.resident_bytes))

    # Calls go out and come back

    def _hand_out(self) -> None:
        for actor, task in self._scheduler.assignments(self._clock.now):
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
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            self._failed(call, error)
        except RuntimeEnvSetupError as error:
            raise ConfigError(f"Ray cannot set up the workers' environment: {error}") from error
        except RayError:  # the actor died, its node did, or Ray killed it for its memory
            self._lose(call.actor)
        else:
            self._answered(call, answer)

    def _answered(self, call: _Call, answer: Any) -> None:
        if call.task is None:
            self._loaded(call.actor, answer)
        elif answer is None:
            self._scheduler.task_returned(call.actor, call.task)
        else:
            self._last_bug = None
            if self._scheduler.task_done(call.actor, call.task, self._clock.now):
                self._watch.shard_done(answer)

    def _failed(self, call: _Call, raised: RayTaskError) -> None:
        """A store that failed is worth another try elsewhere, and so is what nobody foresaw, one line of a
        billion may be the reason; any other error of ours ends the run."""
        error = raised.as_instanceof_cause()
        if isinstance(error, MemoryError):
            self._lose(call.actor)
        elif isinstance(error, HwrBatchError) and not isinstance(error, StorageError):
            raise error
        elif call.task is None:
            self._load_failed(call.actor, error)
        elif not isinstance(error, StorageError):
            self._last_bug = error
            self._tell(raised, call.task)
            self._scheduler.task_broke(call.actor, call.task)
        elif not self._scheduler.task_failed(call.actor, call.task, "storage", self._clock.now):
            raise error

    def _load_failed(self, actor: int, error: Exception) -> None:
        self._failed_loads += 1
        if not isinstance(error, StorageError) or self._failed_loads >= self._policy.attempts:
            raise error
        self._retried("storage")
        self._lose(actor)

    def _tell(self, raised: RayTaskError, task: Task) -> None:
        """An error's type and place; its sentence might hold document text."""
        frames = re.findall(r'File "[^"]*?([^"/]+)", line (\d+)', raised.traceback_str)
        place = ":".join(frames[-1]) if frames else "unknown"
        kind = type(raised.cause).__name__
        log.event(
            "unexpected_error", {"run": self._run_id, "shard": task.spec.index, "error": kind, "at": place}
        )

    def _retried(self, cause: str) -> None:
        self._watch.retried(cause)
        self._metrics.retried(cause)

    # How far they are

    def _poll(self) -> None:
        """Ask every worker how far it is; the answers are collected with the rest."""
        now = time.monotonic()
        if now - self._polled < max(POLL_SECONDS, len(self._fleet.handles) / POLLS_PER_SECOND):
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
                self._fleet.polls[handle.pulse.options(concurrency_group="status").remote()] = actor
        self._watch.rows_moved(sum(sum(pulse.rows.values()) for pulse in self._fleet.pulses.values()))

    def _polled_back(self, ref: Any) -> None:
        actor = self._fleet.polls.pop(ref)
        if actor not in self._fleet.handles:
            return
        try:
            pulse: Pulse = ray.get(ref)
        except RayError:
            return  # the actor's own calls fail as well, and say so
        before = self._fleet.pulses.get(actor, Pulse({}, 0, 0, leaving=False))
        self._fleet.pulses[actor] = pulse
        if pulse.store_retries != before.store_retries:
            self._scheduler.actor_moved(actor, self._clock.now)
        for number, rows in pulse.rows.items():
            if before.rows.get(number, -1) != rows:
                self._scheduler.task_moved(number, self._clock.now)
        if pulse.leaving:
            self._scheduler.actor_leaving(actor)
        self._scheduler.actor_memory(actor, pulse.resident_bytes)

    def _check_hope(self) -> None:
        if self._scheduler.hopeless:
            if self._last_bug is not None:
                raise self._last_bug
            raise ConfigError(
                "workers die one after another without finishing a shard: look at the Ray logs, and at the "
                "memory of one actor (hwr-batch doctor); then run the same command again to resume"
            )
        if self._scheduler.workerless(self._clock.now):
            cores = [node.cores for node in self._nodes.now().values() if node.cores]
            raise ConfigError(
                f"no actor with {self._cpus} CPUs could be started within {self._policy.start_seconds:.0f} "
                f"seconds: the cluster's nodes have {cores or 'no'} CPUs; lower --cpus-per-actor, add nodes "
                "or wait longer with --start-timeout, then run the same command again to resume"
            )

    def _drain(self) -> None:
        """Finish what is in flight, for a while; what does not finish is done by the next run."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and any(call.task for call in self._fleet.calls.values()):
            self._collect(WAIT_SECONDS)
            self._clock.tick()
