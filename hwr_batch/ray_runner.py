"""Runs shards on Ray: carries out `Scheduler`'s decisions and tells it what happened.

Actors never restart by themselves (Ray's `max_restarts` and `max_task_retries` stay 0): a lost worker is
replaced here, so that a dead actor never keeps its slot and the scheduler knows which shards were on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError

from hwr_batch import log
from hwr_batch.config import RunOptions
from hwr_batch.errors import ConfigError, HwrBatchError, StorageError
from hwr_batch.orders import WorkOrder
from hwr_batch.ray_actor import Loaded, Pulse
from hwr_batch.ray_cluster import Nodes, connected, cpus_per_actor
from hwr_batch.ray_fleet import Asked, Call, Fleet
from hwr_batch.ray_metrics import DriverMetrics
from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Policy, Scheduler, Task
from hwr_batch.watch import Watch
from hwr_batch.zoo.card import ModelBundle

POLL_SECONDS = 2.0  # between looks at the workers' progress
POLLS_PER_SECOND = 500  # at most, of all workers together: a call costs the driver 0.1 ms
WAIT_SECONDS = 0.5
AWAY_SECONDS = 5.0  # a round of the loop that takes longer: the driver was suspended, or waited for a store
DRAIN_SECONDS = 20.0  # Kubernetes gives 30 between SIGTERM and SIGKILL
MEMORY_HEADROOM = 1.5  # of what a worker holds once loaded: a limit below that would replace it for ever


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
    """Read once more, a failed line may turn out either way: there a second copy could undo the first."""
    copies = 1 if run.retry_failed else Policy().copies
    return Policy(stall_seconds=run.stall_seconds, start_seconds=run.start_timeout, copies=copies)


class _Run:
    def __init__(
        self, shards: Iterable[ShardSpec], bundle: ModelBundle, order: WorkOrder, watch: Watch
    ) -> None:
        self._watch, self._options, self._run_id = watch, order.config.run, order.run_id
        self._policy = policy_of(self._options)
        self._metrics = DriverMetrics(order.run_id)
        self._scheduler = Scheduler(shards, self._policy, self._retried)
        self._clock, self._nodes = _Clock(), Nodes()
        nodes = list(self._nodes.now().values())
        self._cpus = cpus_per_actor(self._options, nodes)
        crowded = any(node.cores >= 2 * self._cpus for node in nodes)
        self._fleet = Fleet(
            bundle,
            order.with_cpus(self._cpus, several_on_host=crowded),
            cpus=self._cpus,
            tasks_at_once=self._policy.shards_per_actor,
        )
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
            self._collect()
            self._poll()
            self._clock.tick()
            self._check_hope()
        if not self._scheduler.finished:
            self._drain()

    # Actors come and go

    def _start_actors(self) -> None:
        limit = self._options.actors or max(1, self._nodes.room_for(self._cpus))
        for _ in range(self._scheduler.actors_wanted(limit)):
            self._scheduler.actor_starting(self._fleet.start(), self._clock.now)

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
        node = self._fleet.end(actor)
        gone = node is not None and node not in self._nodes.now()
        self._scheduler.actor_lost(actor, self._clock.now, blameless=gone)

    def _dismiss(self, actor: int) -> None:
        self._fleet.end(actor)
        self._scheduler.actor_dismissed(actor, self._clock.now)

    def _loaded(self, actor: int, loaded: Loaded) -> None:
        self._failed_loads = 0
        self._fleet.placed(actor, loaded.node)
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
            self._fleet.process(actor, task)

    def _collect(self) -> None:
        for call, ref in self._fleet.returned(WAIT_SECONDS):
            self._settle(call, ref)

    def _settle(self, call: Call, ref: Any) -> None:
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            self._failed(call, error)
        except RuntimeEnvSetupError as error:
            raise ConfigError(f"Ray cannot set up the workers' environment: {error}") from error
        except RayError:  # the actor died, its node did, or Ray killed it for its memory
            if call.asked is not Asked.PULSE:  # a status call may be late; its work tells for sure
                self._lose(call.actor)
        else:
            self._answered(call, answer)

    def _answered(self, call: Call, answer: Any) -> None:
        if call.asked is Asked.PULSE:
            self._beats(call.actor, answer)
        elif call.task is None:
            self._loaded(call.actor, answer)
        elif answer is None:
            self._scheduler.task_returned(call.actor, call.task)
        else:
            self._last_bug = None
            self._scheduler.actor_memory(call.actor, answer.resident_bytes)
            if self._scheduler.task_done(call.actor, call.task, self._clock.now):
                self._watch.shard_done(answer)

    def _failed(self, call: Call, raised: RayTaskError) -> None:
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
        frames = re.findall(r'File "[^"]*?([^"/]+)", line (\d+)', str(raised))
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
        if now - self._polled < max(POLL_SECONDS, len(self._fleet) / POLLS_PER_SECOND):
            return
        self._polled = now
        self._metrics.look(
            unfinished=self._watch.unfinished(),
            in_flight=self._scheduler.in_flight,
            workers=len(self._fleet),
        )
        self._fleet.ask_pulses()
        self._watch.rows_moved(self._fleet.rows_in_flight())

    def _beats(self, actor: int, pulse: Pulse) -> None:
        before = self._fleet.remember(actor, pulse)
        if pulse.store_retries != before.store_retries:
            self._scheduler.actor_moved(actor, self._clock.now)
        for number, rows in pulse.rows.items():
            if before.rows.get(number, -1) != rows:
                self._scheduler.task_moved(number, self._clock.now)
        if pulse.leaving:
            self._scheduler.actor_leaving(actor)

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
        while time.monotonic() < until and self._fleet.busy:
            self._collect()
            self._clock.tick()
