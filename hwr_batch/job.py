"""One run of `recognize`, from a validated configuration to `_run.json`: the driver's table of contents.

The driver reads the manifest once to plan, hands out shards and adds up counts. It never touches a pixel
and holds O(shards in flight) besides the plan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from hwr_batch import ledger as ledgers
from hwr_batch import log, planning, run_record
from hwr_batch.config import JobConfig
from hwr_batch.errors import ConfigError, ExitCode, HwrBatchError, IncompleteError, StorageError
from hwr_batch.ledger import Ledger
from hwr_batch.orders import ShardReport, WorkOrder
from hwr_batch.plan import Plan
from hwr_batch.records import ShardSpec
from hwr_batch.run_record import RunTotals
from hwr_batch.storage import Store, scheme
from hwr_batch.watch import Facts, Watch
from hwr_batch.zoo.card import ModelBundle

SAVE_SECONDS = 15.0  # between saves of the progress
REPORT_PARTS = 32  # that the run's own page looks into: a second of the driver's time, 30,000 lines


class Display(Protocol):
    """Shows a person how far the run is."""

    def message(self, text: str) -> None: ...

    def begin(self, lines: int, done: int, failed: int) -> None: ...

    def update(self, done: int, failed: int) -> None: ...

    def end(self) -> None: ...


class StopSignal(Protocol):
    """Whether somebody asked the run to stop: INTERRUPTED or TERMINATED, else None."""

    def __call__(self) -> ExitCode | None: ...

    def install(self) -> None:
        """Listen to the process's signals from now on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the exit code, and the one sentence that says what to do next."""

    code: ExitCode
    next_step: str
    record: dict[str, object]


def recognize(config: JobConfig, bundle: ModelBundle, display: Display, stop: StopSignal) -> Outcome:
    """Plan or resume, read what remains, account for every line.

    `stop` is asked often; once it answers a code the run drains and saves its state.
    Raises a HwrBatchError for everything in the exit-code table that is not a finished run.
    """
    _check_memory_store(config)
    store = Store(on_retry=lambda cause: display.message(f"storage: {cause}, trying again"))
    plan = planning.plan_run(config, bundle, store, display.message)
    ledger = ledgers.recover(config.output, store, plan.fingerprint)
    if config.run.retry_failed:
        ledger = ledgers.without(ledger, set(ledger.failed), config.output, store)
        ledgers.save(ledger, config.output, store, plan.fingerprint)
    driver = _Driver(config, plan, store, ledger, display, stop)
    display.begin(plan.rows, ledger.lines, ledger.failures)
    try:
        driver.run(bundle)
    except (HwrBatchError, KeyboardInterrupt) as error:
        with suppress(StorageError):  # where the store is gone as well, the first error is the one to tell
            driver.save(run_record.failed(error))
        raise
    finally:
        display.end()
    outcome = driver.outcome()
    if driver.ledger.finished and driver.stop() is None:
        _write_report(config, store, display)
    return outcome


def _write_report(config: JobConfig, store: Store, display: Display) -> None:
    """The page on the results. They are complete without it, so its failure is a message."""
    from hwr_batch import report  # templates and picture codecs, which the run itself does without

    try:
        report.write_report(
            config.output, store, report.ReportOptions(parts=REPORT_PARTS, access=config.access)
        )
    except (HwrBatchError, OSError) as error:
        display.message(f"no {report.REPORT} was written: {error}")


@dataclass(slots=True)
class _Driver:
    """Adds up what the runner reports, shows it, and saves it from time to time."""

    config: JobConfig
    plan: Plan
    store: Store
    ledger: Ledger
    display: Display
    stop: StopSignal
    totals: RunTotals = field(default_factory=RunTotals)
    saved: float = field(default_factory=time.monotonic)

    @property
    def run_id(self) -> str:
        return log.run_id(self.plan.fingerprint, self.totals.started)

    def run(self, bundle: ModelBundle) -> None:
        """Read every shard that has no part; with `--retry-failed` those with failed lines count as such."""
        self._log("run_begins", lines=self.plan.rows, shards=self.unfinished())
        if not self.unfinished():
            return
        order = WorkOrder(self.config, self.plan.carried, planning.footer(self.plan), run_id=self.run_id)
        # Made one at a time, while the ledger grows by shards that were handed out before.
        todo = self.plan.remaining(self.ledger.finished)
        _runner(self.config)(todo, bundle, order, self)

    def _log(self, event: str, **fields: log.Value) -> None:
        log.event(event, {"run": self.run_id, **fields})

    # What the runner tells

    def connected(self) -> None:
        self.stop.install()

    def worker_ready(self, facts: Facts) -> None:
        self.totals.add_worker(facts)
        self._log("worker_ready", **facts)
        if "fallback" in facts:
            self.display.message(f"warning: {facts['fallback']}")

    def shard_done(self, report: ShardReport) -> None:
        self.ledger.add(report.shard, report.by_status)
        self.totals.add(report)
        self._log("shard_done", shard=report.shard, skipped=report.skipped, by_status=report.by_status)
        self.display.update(self.ledger.lines, self.ledger.failures)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self._save_progress()

    def _save_progress(self) -> None:
        """The parts are the truth, this only saves the next run reading them: no reason to end this one."""
        try:
            ledgers.save(self.ledger, self.config.output, self.store, self.plan.fingerprint)
        except StorageError as error:
            self.display.message(f"warning: the progress was not saved: {error}")
        self.saved = time.monotonic()

    def rows_moved(self, in_flight: int) -> None:
        self.display.update(self.ledger.lines + in_flight, self.ledger.failures)

    def unfinished(self) -> int:
        return len(self.plan.shards) - len(self.ledger.finished)

    def retried(self, cause: str) -> None:
        self.totals.retried(cause)
        self._log("retried", cause=cause)

    def stopping(self) -> bool:
        return self.stop() is not None

    # How it ended

    def outcome(self) -> Outcome:
        signal = self.stop()
        if signal is not None and len(self.ledger.finished) < len(self.plan.shards):
            ending = run_record.interrupted(signal)
        else:
            ending = run_record.finished(self.ledger, self.config, self._check_identity())
        return self.save(ending)

    def _check_identity(self) -> int:
        missing = self.unfinished()
        if missing or self.ledger.lines != self.plan.rows:
            raise IncompleteError(
                f"{self.ledger.lines} result rows for {self.plan.rows} manifest rows, {missing} parts "
                "missing: run `hwr-batch verify OUTPUT` and report this as a bug"
            )
        return self.plan.rows

    def save(self, ending: run_record.Ending) -> Outcome:
        ledgers.save(self.ledger, self.config.output, self.store, self.plan.fingerprint)
        record = run_record.record(ending, self.plan, self.ledger, self.totals, self.config)
        run_record.write(record, self.config.output, self.store)
        self._log("run_ended", state=ending.state, exit_code=int(ending.code))
        return Outcome(ending.code, ending.next_step, record)


Runner = Callable[[Iterator[ShardSpec], ModelBundle, WorkOrder, Watch], None]


def _runner(config: JobConfig) -> Runner:
    if config.run.actors == 0:
        from hwr_batch import serial_runner  # brings OpenVINO, which the driver of a cluster does without

        return serial_runner.run_shards
    from hwr_batch import ray_runner  # Ray takes seconds to import, and --actors 0 does without it

    return ray_runner.run_shards


def _check_memory_store(config: JobConfig) -> None:
    if config.run.actors != 0 and "memory" in (scheme(config.manifest), scheme(config.output)):
        raise ConfigError("memory:// lives in one process only: use it with --actors 0")
