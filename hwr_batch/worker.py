"""A worker: one compiled model, shards through it. A plain class; Ray wraps it at the edge."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace

from hwr_batch import engine, image, results
from hwr_batch.calibrate import Calibration
from hwr_batch.errors import DamagedPartError, Status
from hwr_batch.image_threads import ImageThreads
from hwr_batch.manifest import Manifest, open_manifest, schema_from_text
from hwr_batch.memory import peak_bytes, resident_bytes
from hwr_batch.orders import ShardReport, WorkOrder
from hwr_batch.pipeline import LineReader, ShardReading, read_rows
from hwr_batch.records import Failure, LineResult, Row, ShardSpec
from hwr_batch.schedule import Kind, Task
from hwr_batch.stages import StageClock
from hwr_batch.storage import AccessPolicy, ImageSource, Store, join
from hwr_batch.zoo.card import ModelBundle

FETCH_THREADS = 16  # reading and decoding; object stores answer in tens of milliseconds, so many at once


class Worker:
    """Compiles the model on construction. `process` may be called from two threads at once.

    Raises ModelError when the model cannot be loaded, StorageError when a store fails for good.
    """

    def __init__(self, bundle: ModelBundle, order: WorkOrder) -> None:
        image.use_threads(1)
        results.use_threads(max(1, order.cpus // 2))
        results.load_libraries()
        config = order.config
        self._order = order
        self._store = Store()
        self._policy = AccessPolicy.for_manifest(config.manifest, config.access)
        self._manifest_lock = threading.Lock()
        self._manifest: Manifest = open_manifest(
            config.manifest, self._store, carried=schema_from_text(order.carried)
        )
        self._progress: dict[int, ShardReading] = {}
        self._retries_told: dict[str, int] = {}
        review = config.reading.review
        self._calibration = None if review is None else Calibration.loads(review.calibration)
        self._network = engine.load(bundle, _engine_options(order))
        allowed = config.reading.allowed_chars
        self._reader = LineReader(
            card=bundle.card,
            charset=bundle.charset,
            network=self._network,
            fetch=ImageSource(self._store, self._policy, config.reading.limits).fetch,
            options=config.reading,
            allowed=None if allowed is None else frozenset(allowed),
            threads=ImageThreads(FETCH_THREADS),
        )

    @property
    def facts(self) -> dict[str, str | int | float | bool]:
        """How the network is run here: the engine's facts, and the process."""
        return {**self._network.facts, "cpus": self._order.cpus, "pid": os.getpid()}

    def process(self, task: Task) -> ShardReport:
        """Read a shard and write its part, or probe some of its rows without writing."""
        uri = join(self._order.config.output, results.part_name(task.spec.index))
        if task.kind is Kind.PROBE:
            return self._probe(task)
        try:
            if not self._store.exists(uri):
                return self._read_shard(task, uri)
            return self._retry(task, uri) if self._order.config.run.retry_failed else self._already(task, uri)
        except DamagedPartError:
            return self._read_shard(task, uri, overwrite=True)  # cut short or overwritten by something else

    def read(self, rows: tuple[Row, ...]) -> list[LineResult]:
        """Read rows without writing anything."""
        return read_rows(self._reader, rows, StageClock()).complete()

    def progress(self) -> dict[int, int]:
        """Rows finished so far of each task being processed, by task number."""
        return {number: shard.done for number, shard in list(self._progress.items())}

    @property
    def store_retries(self) -> int:
        """How often the store was asked once more: while this grows the worker waits, it does not hang."""
        return sum(self._store.retries.values())

    def _read_shard(self, task: Task, uri: str, *, overwrite: bool = False) -> ShardReport:
        """A part that landed meanwhile, from another copy or another driver, stands: its counts are known to
        somebody, and a line that timed out here may be read there. `overwrite`: a damaged one does not."""
        clock = StageClock()
        rows, carried = self._rows(task.spec)
        shard = self._read(task, _condemn(rows, task.crashed), clock)
        with clock.stage("write"):
            finished = self._judged(shard.complete())
            if not overwrite and self._store.exists(uri):
                return self._already(task, uri)
            self._store.put(uri, results.encode_part(finished, carried, self._footer(task.spec)))
        return self._report(task, finished, clock, shard)

    def _judged(self, finished: list[LineResult]) -> list[LineResult]:
        """`finished` with `p_correct` and `needs_review`, where the run was given a calibration."""
        review = self._order.config.reading.review
        if review is None or self._calibration is None:
            return finished
        judged = self._calibration.judge(finished, review.precision)
        return [
            replace(result, p_correct=line.p_correct, needs_review=line.needs_review)
            for result, line in zip(finished, judged, strict=True)
        ]

    def _footer(self, spec: ShardSpec) -> dict[str, str]:
        """The part's key-values: nothing in them may depend on time or on who wrote it."""
        facts = self._network.facts
        return {
            **self._order.footer,
            results.SHARD: str(spec.index),
            "hwr_batch.openvino": str(facts["openvino"]),
            "hwr_batch.isa": str(facts["isa"]),
        }

    def _retry(self, task: Task, uri: str) -> ShardReport:
        """Read again only the rows of a part that are not `ok`, and put the part in place of the old."""
        clock = StageClock()
        part = results.read_part(self._store.read(uri), name=uri)
        rows, _ = self._rows(task.spec)
        failed = part.failed_positions()
        chosen = _condemn(rows, task.crashed)
        shard = self._read(task, tuple(chosen[position] for position in failed), clock)
        replaced = dict(zip(failed, self._judged(shard.complete()), strict=True))
        with clock.stage("write"):
            data, by_status = part.with_results(replaced)
            self._store.put(uri, data)
        return self._report(task, shard.complete(), clock, shard, by_status=by_status)

    def _probe(self, task: Task) -> ShardReport:
        rows, _ = self._rows(task.spec)
        start, stop = task.rows or (0, len(rows))
        chosen = _condemn(rows, task.crashed)[start:stop]
        clock = StageClock()
        shard = self._read(task, chosen, clock)
        return self._report(task, [], clock, shard)

    def _read(self, task: Task, rows: tuple[Row, ...], clock: StageClock) -> ShardReading:
        shard = ShardReading([None] * len(rows))
        self._progress[task.number] = shard
        try:
            return read_rows(self._reader, rows, clock, shard)
        finally:
            del self._progress[task.number]

    def _rows(self, spec: ShardSpec) -> tuple[tuple[Row, ...], results.Table]:
        with self._manifest_lock:
            shard = self._manifest.read(spec)
        return shard.rows, shard.carried

    def _already(self, task: Task, uri: str) -> ShardReport:
        with self._store.open(uri) as file:
            counts = results.read_counts(file, name=uri)
        return ShardReport(
            task.spec.index,
            counts.by_status,
            {},
            skipped=True,
            rss_bytes=peak_bytes(),
            resident_bytes=resident_bytes(),
        )

    def _new_retries(self) -> dict[str, int]:
        """Retries of the store since the last report, by cause."""
        now = self._store.retries
        told, self._retries_told = self._retries_told, now
        return {
            cause: count - told.get(cause, 0) for cause, count in now.items() if count > told.get(cause, 0)
        }

    def _report(
        self,
        task: Task,
        finished: list[LineResult],
        clock: StageClock,
        shard: ShardReading,
        *,
        by_status: Mapping[str, int] | None = None,
    ) -> ShardReport:
        counted = results.count(finished).by_status
        return ShardReport(
            shard=task.spec.index,
            by_status=counted if by_status is None else by_status,
            seconds=clock.seconds(),
            reread=shard.reread,
            differing=shard.differing,
            store_retries=self._new_retries(),
            rss_bytes=peak_bytes(),
            resident_bytes=resident_bytes(),
        )


def _engine_options(order: WorkOrder) -> engine.EngineOptions:
    reading = order.config.reading
    return engine.EngineOptions(
        precision=reading.precision,
        padding=reading.padding,
        threads=order.cpus,
        several_on_host=order.several_on_host,
        top_k=0 if reading.allowed_chars is None else reading.top_k,
    )


def _condemn(rows: tuple[Row, ...], crashed: frozenset[int]) -> tuple[Row, ...]:
    """Mark the rows that kill a worker, so that they are never touched again."""
    if not crashed:
        return rows
    failure = Failure(Status.WORKER_CRASHED, "reading this line ended its worker process, or broke it, twice")
    return tuple(replace(row, problem=failure) if i in crashed else row for i, row in enumerate(rows))
