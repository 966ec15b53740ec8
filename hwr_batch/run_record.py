"""`_run.json`: what a run did, for machines. Written last, and on every orderly end before that."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hwr_batch import __version__
from hwr_batch.config import JobConfig
from hwr_batch.errors import ExitCode, HwrBatchError, Status
from hwr_batch.ledger import Ledger
from hwr_batch.log import run_id
from hwr_batch.orders import ShardReport
from hwr_batch.plan import Plan
from hwr_batch.speed_curve import SpeedCurve
from hwr_batch.stages import STAGES
from hwr_batch.storage import Store, join
from hwr_batch.watch import Facts

RUN_RECORD = "_run.json"


@dataclass(frozen=True, slots=True)
class Ending:
    """`state`: complete, over_error_budget, interrupted or failed."""

    state: str
    code: ExitCode
    next_step: str


@dataclass(slots=True)
class RunTotals:
    """What this run itself did, earlier runs left out. Counters add."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)
    first_worker: float | None = None
    last_part: float | None = None
    lines: int = 0
    shards: int = 0
    skipped: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    reread: int = 0
    differing: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    store_retries: Counter[str] = field(default_factory=Counter)
    peak_rss_bytes: int = 0
    workers: list[dict[str, str | int | float | bool]] = field(default_factory=list)
    curve: SpeedCurve = field(default_factory=SpeedCurve)

    def add_worker(self, facts: Facts) -> None:
        if self.first_worker is None:
            self.first_worker = time.monotonic()
        self.workers.append(dict(facts))

    def add(self, report: ShardReport) -> None:
        self.peak_rss_bytes = max(self.peak_rss_bytes, report.rss_bytes)
        self.store_retries.update(report.store_retries or {})
        if report.skipped:
            self.skipped += 1
            return
        self.last_part = time.monotonic()
        self.shards += 1
        self.lines += sum(report.by_status.values())
        self.curve.add(time.monotonic() - self.clock, self.lines)
        self.seconds.update(report.seconds)
        self.reread += report.reread
        self.differing += report.differing

    def retried(self, cause: str) -> None:
        self.retries[cause] += 1

    def reading_seconds(self) -> float:
        """Wall-clock seconds from the first worker that was ready to the last part."""
        if self.first_worker is None or self.last_part is None:
            return 0.0
        return self.last_part - self.first_worker


def finished(ledger: Ledger, config: JobConfig, rows: int) -> Ending:
    """Complete: within or over the error budget."""
    share = ledger.failures / rows
    if share > config.run.max_error_rate:
        return Ending(
            "over_error_budget",
            ExitCode.OVER_ERROR_BUDGET,
            f"{ledger.failures} of {rows} lines could not be read ({share:.2%}, more than the "
            f"{config.run.max_error_rate:.2%} allowed): look at `status` and `error` in {config.output}, "
            "mend the images and run again with --retry-failed, or allow more with --max-error-rate",
        )
    return Ending(
        "complete", ExitCode.COMPLETE, f"the results are in {config.output}: hwr-batch verify {config.output}"
    )


def interrupted(signal: ExitCode) -> Ending:
    return Ending("interrupted", signal, "interrupted, state saved: run the same command again to resume")


def failed(error: BaseException) -> Ending:
    """A run that ended with an error; what is done stays done."""
    if isinstance(error, HwrBatchError):
        return Ending("failed", error.exit_code, f"{error}")
    return interrupted(ExitCode.INTERRUPTED)


def record(
    ending: Ending, plan: Plan, ledger: Ledger, totals: RunTotals, config: JobConfig
) -> dict[str, object]:
    """The content of `_run.json`."""
    reading = totals.reading_seconds()
    return {
        "state": ending.state,
        "exit_code": int(ending.code),
        "next": ending.next_step,
        "version": __version__,
        "fingerprint": plan.fingerprint,
        "manifest_rows": plan.rows,
        "result_rows": ledger.lines,
        "by_status": dict(sorted(ledger.by_status.items())),
        "errors": {s: n for s, n in sorted(ledger.by_status.items()) if s != Status.OK},
        "shards": len(plan.shards),
        "shards_finished": len(ledger.finished),
        "max_error_rate": config.run.max_error_rate,
        "this_run": {
            "id": run_id(plan.fingerprint, totals.started),
            "started": totals.started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - totals.clock, 3),
            "seconds_reading": round(reading, 3),
            "lines": totals.lines,
            "lines_per_second": round(totals.lines / reading, 2) if reading else None,
            "lines_after_seconds": totals.curve.to_json(),
            "shards": totals.shards,
            "shards_found_done": totals.skipped,
            "seconds_by_stage": {stage: round(totals.seconds[stage], 3) for stage in STAGES},
            "reread_published": {"lines": totals.reread, "texts_differing": totals.differing},
            "retries": dict(sorted(totals.retries.items())),
            "store_retries": dict(sorted(totals.store_retries.items())),
            "peak_rss_bytes": totals.peak_rss_bytes,
            "workers": _grouped(totals.workers),
        },
    }


def write(content: Mapping[str, object], output: str, store: Store) -> None:
    store.put(join(output, RUN_RECORD), json.dumps(content, indent=2, ensure_ascii=False).encode())


def _grouped(workers: list[dict[str, str | int | float | bool]]) -> list[dict[str, object]]:
    """Workers that run the network alike, counted together: a cluster has thousands."""
    groups: dict[str, dict[str, object]] = {}
    for facts in workers:
        alike = {name: value for name, value in facts.items() if name not in ("pid", "node")}
        key = json.dumps(alike, sort_keys=True)
        group = groups.setdefault(key, {"workers": 0, **alike})
        group["workers"] = int(str(group["workers"])) + 1
    return list(groups.values())
