"""`recognize` and `plan`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hwr_batch import job
from hwr_batch.cli import display, options
from hwr_batch.cli.signals import StopRequest
from hwr_batch.config import JobConfig, Padding, Precision, RunOptions, Wide
from hwr_batch.storage import Store, normalize
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache, default_cache
from hwr_batch.zoo.card import ModelBundle


def recognize(
    manifest: options.ManifestArgument,
    output: options.OutputArgument,
    model: options.ModelOption = "english-open",
    address: Annotated[
        str | None,
        typer.Option(help="auto, local or ray://…; default: auto where RAY_ADDRESS is set, else local"),
    ] = None,
    actors: Annotated[
        str, typer.Option(help="workers, or auto; 0 runs in this process without Ray")
    ] = "auto",
    cpus_per_actor: options.CpusOption = "auto",
    shard_lines: options.ShardLinesOption = None,
    precision: options.PrecisionOption = Precision.F32,
    padding: options.PaddingOption = Padding.EXACT,
    wide: options.WideOption = Wide.SPLIT,
    binarize: options.BinarizeOption = None,
    allow_chars: options.AllowCharsOption = None,
    top_k: options.TopKOption = 20,
    max_error_rate: Annotated[float, typer.Option(help="share of failed lines that still exits 0")] = 0.01,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="read failed lines once more")] = False,
    limit: options.LimitOption = None,
    allow_root: options.AllowRootOption = None,
    allow_url: options.AllowUrlOption = None,
    calibration: options.CalibrationOption = None,
    review_precision: options.ReviewPrecisionOption = 0.98,
    stall_seconds: options.StallOption = 300.0,
    start_timeout: options.StartTimeoutOption = 600.0,
    max_actor_memory: options.MemoryOption = "auto",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(
            help="write events as JSON lines on stderr instead of the progress; last line: what next"
        ),
    ] = None,
) -> None:
    """Read every line of MANIFEST and write text and scores to OUTPUT. Run again to resume."""
    config = JobConfig(
        manifest=normalize(manifest, Path.cwd()),
        output=normalize(output, Path.cwd()),
        model=model,
        reading=options.with_review(
            options.reading_options(precision, padding, wide, binarize, allow_chars, top_k),
            calibration,
            review_precision,
        ),
        access=options.access_options(allow_root, allow_url),
        run=RunOptions(
            address=address or options.default_address(),
            actors=options.count_or_auto("--actors", actors),
            cpus_per_actor=options.count_or_auto("--cpus-per-actor", cpus_per_actor),
            max_error_rate=max_error_rate,
            retry_failed=retry_failed,
            stall_seconds=stall_seconds,
            start_timeout=start_timeout,
            max_actor_memory=options.bytes_or_auto("--max-actor-memory", max_actor_memory),
        ),
        shard_lines=shard_lines,
        limit=limit,
    )
    shown = display.logging_to(sys.stderr, log_level) if log_level else display.for_stream()
    stop = StopRequest()
    outcome = job.recognize(config, load_model(config, shown), shown, stop)
    sys.stderr.write(outcome.next_step + "\n")
    raise typer.Exit(int(outcome.code))


def plan(
    manifest: options.ManifestArgument,
    model: options.ModelOption = "english-open",
    shard_lines: options.ShardLinesOption = None,
    precision: options.PrecisionOption = Precision.F32,
    padding: options.PaddingOption = Padding.EXACT,
    wide: options.WideOption = Wide.SPLIT,
    binarize: options.BinarizeOption = None,
    allow_chars: options.AllowCharsOption = None,
    top_k: options.TopKOption = 20,
    limit: options.LimitOption = None,
    allow_root: options.AllowRootOption = None,
    allow_url: options.AllowUrlOption = None,
    sample: Annotated[int, typer.Option(help="lines to read for the time estimate; 0 reads none")] = 64,
    as_json: options.JsonOption = False,
) -> None:
    """Dry run: rows, shards, the first lines read, the model, and how long it should take. Writes nothing."""
    config = JobConfig(
        manifest=normalize(manifest, Path.cwd()),
        output=str(Path.cwd()),
        model=model,
        reading=options.reading_options(precision, padding, wide, binarize, allow_chars, top_k),
        access=options.access_options(allow_root, allow_url),
        shard_lines=shard_lines,
        limit=limit,
    )
    from hwr_batch import forecast  # brings OpenVINO, which the driver of a cluster does without

    shown = display.for_stream()
    found = forecast.forecast(config, load_model(config, shown), Store(), sample, shown.message)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    for line in found.sentences():
        typer.echo(line)
    sys.stderr.write(f"next: hwr-batch recognize {manifest} OUTPUT --model {model}\n")


def load_model(config: JobConfig, shown: job.Display) -> ModelBundle:
    """The model, pulled first where it is a zoo model that is not in the cache."""
    cache = Cache(default_cache(os.environ), Store(), tell=shown.message)
    return load(config.model, precision=config.reading.precision, cache=cache)
