"""What a run shows on Ray's Prometheus endpoint; there names begin with `ray_`, counters end in `_total`.

Workers count the work they do, the driver what it waits for; both say which `run` it is. A worker that is
killed takes the counts since its last report (10 s in Ray's default) with it, and a shard that two workers
read counts twice: these are for watching. The exact totals are in `_run.json`.
"""

from __future__ import annotations

from ray.util.metrics import Counter, Gauge

from hwr_batch.memory import resident_bytes
from hwr_batch.orders import ShardReport


class WorkerMetrics:
    """Of one worker: lines by status (`ok` or the cause), seconds by stage, shards by outcome, memory."""

    def __init__(self, run: str) -> None:
        self._run = {"run": run}
        self._lines = Counter(
            "hwr_batch_lines", "Lines read, by status: ok or an error's cause", ("run", "status")
        )
        self._seconds = Counter("hwr_batch_stage_seconds", "Thread-seconds by stage", ("run", "stage"))
        self._shards = Counter(
            "hwr_batch_shards", "Shards: written, found_done or failed", ("run", "outcome")
        )
        self._rss = Gauge("hwr_batch_rss_bytes", "Resident memory of a worker", ("run",))

    def shard_done(self, report: ShardReport) -> None:
        """Count one report. Counters refuse an increment of 0, so those are left out."""
        self.memory(resident_bytes())
        self._count_shard("found_done" if report.skipped else "written")
        if report.skipped:
            return
        for status, lines in report.by_status.items():
            if lines:
                self._lines.inc(lines, {**self._run, "status": status})
        for stage, seconds in report.seconds.items():
            if seconds > 0:
                self._seconds.inc(seconds, {**self._run, "stage": stage})

    def shard_failed(self) -> None:
        self._count_shard("failed")

    def memory(self, rss_bytes: int) -> None:
        self._rss.set(rss_bytes, self._run)

    def _count_shard(self, outcome: str) -> None:
        self._shards.inc(1, {**self._run, "outcome": outcome})


class DriverMetrics:
    """Of the driver: what waits, what is being read, by how many workers, and what was tried again."""

    def __init__(self, run: str) -> None:
        self._run = {"run": run}
        self._queued = Gauge("hwr_batch_queue_depth", "Shards that no worker has yet", ("run",))
        self._in_flight = Gauge("hwr_batch_shards_in_flight", "Tasks that workers have", ("run",))
        self._workers = Gauge("hwr_batch_workers", "Workers started and not lost", ("run",))
        self._retries = Counter("hwr_batch_retries", "What was tried again, by cause", ("run", "cause"))

    def look(self, *, unfinished: int, in_flight: int, workers: int) -> None:
        self._queued.set(max(0, unfinished - in_flight), self._run)
        self._in_flight.set(in_flight, self._run)
        self._workers.set(workers, self._run)

    def retried(self, cause: str) -> None:
        self._retries.inc(1, {**self._run, "cause": cause})

    def ended(self) -> None:
        """Nothing waits any more: gauges keep their last value on the endpoint for minutes."""
        self.look(unfinished=0, in_flight=0, workers=0)
