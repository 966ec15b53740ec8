"""The whole hwr-batch job: what `recognize` does, on a Ray of its own, from manifest to Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwr_batch import job
from hwr_batch.bench.setting import Measured, Setting
from hwr_batch.config import Binarize, JobConfig, ReadingOptions, RunOptions
from hwr_batch.errors import ExitCode
from hwr_batch.results.reading import read_columns
from hwr_batch.storage import Store


class _Silent:
    """No display: what is measured is not told on the way."""

    def message(self, text: str) -> None: ...

    def begin(self, lines: int, done: int, failed: int) -> None: ...

    def update(self, done: int, failed: int) -> None: ...

    def end(self) -> None: ...


class _NeverStopped:
    """Nobody ends this run early."""

    def __call__(self) -> ExitCode | None:
        return None

    def install(self) -> None: ...


def read(setting: Setting) -> Measured:
    """`seconds_reading` of `_run.json`: from the first actor that is ready to the last part in place."""
    output = str(Path(setting.scratch) / "hwr-batch")
    config = JobConfig(
        manifest=setting.manifest,
        output=output,
        model=setting.bundle.card.name,
        reading=ReadingOptions(setting.precision, setting.padding, binarize=Binarize.NONE),
        run=RunOptions("local", setting.actors, setting.cpus_per_actor, max_error_rate=1.0),
    )
    run: Any = job.recognize(config, setting.bundle, _Silent(), _NeverStopped()).record["this_run"]
    by_id = {
        line_id: text
        for rows in read_columns(output, Store(), ("line_id", "text"))
        for line_id, text in zip(rows["line_id"], rows["text"], strict=True)
    }
    texts = tuple(by_id[line.line_id] for line in setting.lines)
    facts = {name: run[name] for name in ("shards", "seconds_by_stage", "reread_published", "workers")}
    return Measured(run["seconds_reading"], len(texts), run["peak_rss_bytes"], texts, facts)
