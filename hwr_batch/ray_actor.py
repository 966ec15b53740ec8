"""What runs in a worker process: `Worker` behind Ray."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import ray

from hwr_batch import log
from hwr_batch.errors import HwrBatchError
from hwr_batch.memory import give_back_freed, resident_bytes
from hwr_batch.orders import ShardReport, WorkOrder
from hwr_batch.ray_metrics import WorkerMetrics
from hwr_batch.schedule import Task
from hwr_batch.watch import Facts
from hwr_batch.zoo.card import ModelBundle

if TYPE_CHECKING:
    from hwr_batch.worker import Worker

NOTICE_SECONDS = 20  # after SIGTERM, to finish what is begun: clouds and Kubernetes give 30 before SIGKILL


@dataclass(frozen=True, slots=True)
class Loaded:
    """A worker that is ready: how it runs the network, its node's id, its resident memory in bytes."""

    facts: Facts
    node: str
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far a worker is: rows read of each task by number, what its store had to repeat so far, and whether
    it was told to go."""

    rows: Mapping[int, int]
    store_retries: int
    leaving: bool


class ShardActor:
    """Loading is a call of its own, so that its errors arrive as themselves.

    SIGTERM is a notice of preemption: what is being read is finished if that takes no longer than
    NOTICE_SECONDS, nothing more is begun, and the driver hears of it with the next pulse. A part is put in
    place at once or not at all, so the process may end at any moment.
    """

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._metrics: WorkerMetrics | None = None
        self._run = ""
        self._leaving = False
        if threading.current_thread() is threading.main_thread():  # elsewhere Python refuses handlers
            signal.signal(signal.SIGTERM, self._on_notice)

    def load(self, bundle: ModelBundle, order: WorkOrder) -> Loaded:
        log.write_to(sys.stderr, "info")  # Ray keeps it in this worker's log file
        self._run, self._metrics = order.run_id, WorkerMetrics(order.run_id)
        from hwr_batch import results
        from hwr_batch.worker import Worker  # OpenVINO and OpenCV, which the driver does without

        give_back_freed()
        results.leave_pandas_out()
        self._worker = Worker(bundle, order)
        log.event("worker_ready", {"run": self._run, **self._worker.facts})
        return Loaded(self._worker.facts, ray.get_runtime_context().get_node_id(), resident_bytes())

    def process(self, task: Task) -> ShardReport | None:
        """None: not begun, as the worker is leaving."""
        assert self._worker is not None and self._metrics is not None  # noqa: S101 - the runner loads first
        if self._leaving:
            return None
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

    def pulse(self) -> Pulse:
        if self._worker is None or self._metrics is None:
            return Pulse({}, 0, self._leaving)
        self._metrics.memory(resident_bytes())
        return Pulse(self._worker.progress(), self._worker.store_retries, self._leaving)

    def _on_notice(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self._leaving:
            self._leaving = True
            signal.alarm(NOTICE_SECONDS)  # nobody listens to SIGALRM: it ends the process, whatever it does
