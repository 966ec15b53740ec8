"""A dry run: what a job will do, what its first lines look like read, and how long it should take.

The time estimate reads a sample of the real rows on this machine's cores with the real model. Where the
options may change texts (bf16, trim), the sample is also read the plain way and the differences counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from hwr_batch.config import JobConfig, Padding, Precision
from hwr_batch.cores import usable_cores
from hwr_batch.errors import Status
from hwr_batch.manifest import open_manifest, schema_from_text
from hwr_batch.orders import WorkOrder
from hwr_batch.plan import Plan
from hwr_batch.planning import footer, make_plan
from hwr_batch.records import LineResult, Row, ShardSpec
from hwr_batch.storage import Store
from hwr_batch.worker import Worker
from hwr_batch.zoo.card import ModelBundle

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Forecast:
    """`lines_per_second`: measured on `cores` cores of this machine, None without a sample.

    `differing`: sampled texts that differ from f32 at the published width, None where the options
    cannot change a text.
    """

    rows: int
    shards: int
    shard_lines: int
    model: str
    fingerprint: str
    sampled: int
    failed: int
    lines_per_second: float | None
    cores: int
    differing: int | None
    first: tuple[LineResult, ...]

    def seconds(self) -> float | None:
        return None if not self.lines_per_second else self.rows / self.lines_per_second

    def to_json(self) -> dict[str, object]:
        return {
            "rows": self.rows,
            "shards": self.shards,
            "shard_lines": self.shard_lines,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "sampled": self.sampled,
            "sampled_failed": self.failed,
            "lines_per_second": self.lines_per_second,
            "cores": self.cores,
            "estimated_seconds": self.seconds(),
            "sampled_texts_differing": self.differing,
            "first": [_shown(result) for result in self.first],
        }

    def sentences(self) -> Iterator[str]:
        shards = f"{self.shards:,} shards of about {self.shard_lines:,}"
        yield f"{self.rows:,} rows in {shards}, model {self.model}"
        for result in self.first:
            reading = result.reading
            told = f"{reading.score:.3f} {reading.text!r}" if reading else f"{result.status}: {result.error}"
            yield f"  {result.line_id}: {told}"
        seconds = self.seconds()
        if seconds is not None:
            yield (
                f"{self.lines_per_second:.1f} lines/s on the {self.cores} cores of this machine "
                f"({self.sampled} lines read): about {timedelta(seconds=round(seconds))} for all of them"
            )
        if self.failed:
            yield f"{self.failed} of {self.sampled} sampled lines could not be read"
        if self.differing is not None:
            yield f"{self.differing} of {self.sampled} sampled texts differ from f32 at the published width"


def forecast(
    config: JobConfig, bundle: ModelBundle, store: Store, sample: int, tell: Callable[[str], None]
) -> Forecast:
    """Scan, and read the first `sample` rows. Writes nothing."""
    plan = make_plan(config, bundle, store, tell)
    rows = _sample(plan, config, store, sample)
    results: list[LineResult] = []
    speed = None
    if rows:
        worker = _worker(config, bundle, plan)
        worker.read(rows[:1])  # the first run of a network sets up its buffers
        begun = time.perf_counter()
        results = worker.read(rows)
        speed = len(rows) / (time.perf_counter() - begun)
    return Forecast(
        rows=plan.rows,
        shards=len(plan.shards),
        shard_lines=plan.shards[0].rows,
        model=bundle.card.name,
        fingerprint=plan.fingerprint,
        sampled=len(rows),
        failed=sum(result.status is not Status.OK for result in results),
        lines_per_second=speed,
        cores=_cores(config),
        differing=_differing(config, bundle, plan, rows, results),
        first=tuple(results[:SHOWN]),
    )


def _sample(plan: Plan, config: JobConfig, store: Store, sample: int) -> tuple[Row, ...]:
    if sample <= 0:
        return ()
    manifest = open_manifest(config.manifest, store, carried=schema_from_text(plan.carried))
    first = plan.shards[0]
    return manifest.read(ShardSpec(0, 0, min(sample, plan.rows), first.offset)).rows


def _worker(config: JobConfig, bundle: ModelBundle, plan: Plan) -> Worker:
    return Worker(bundle, WorkOrder(config, plan.carried, footer(plan), cpus=_cores(config)))


def _differing(
    config: JobConfig, bundle: ModelBundle, plan: Plan, rows: tuple[Row, ...], results: list[LineResult]
) -> int | None:
    reading = config.reading
    if not rows or (reading.precision is Precision.F32 and reading.padding is not Padding.TRIM):
        return None
    plain = replace(config, reading=replace(reading, precision=Precision.F32, padding=Padding.EXACT))
    published = _worker(plain, bundle, plan).read(rows)
    return sum(_text(ours) != _text(theirs) for ours, theirs in zip(results, published, strict=True))


def _cores(config: JobConfig) -> int:
    return config.run.cpus_per_actor or usable_cores()


def _text(result: LineResult) -> str | None:
    return result.reading.text if result.reading else None


def _shown(result: LineResult) -> dict[str, object]:
    reading = result.reading
    return {
        "line_id": result.line_id,
        "status": str(result.status),
        "error": result.error,
        "text": reading.text if reading else None,
        "score": reading.score if reading else None,
    }
