"""`bench`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hwr_batch.cli import options
from hwr_batch.config import Padding, Precision
from hwr_batch.storage import Store, normalize
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache, default_cache


def bench(
    manifest: Annotated[
        str | None,
        typer.Argument(metavar="[MANIFEST]", help="your own lines; left out: lines made from the samples"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="a zoo name or a folder; repeatable [default: english-open]"),
    ] = None,
    output: Annotated[Path, typer.Option(help="folder for bench.json and bench.svg", file_okay=False)] = Path(
        "bench-output"
    ),
    lines: Annotated[int, typer.Option(help="at most so many lines")] = 320,
    rounds: Annotated[int, typer.Option(help="interleaved rounds; figures are medians")] = 3,
    cores: Annotated[int | None, typer.Option(help="cores to use [default: all]")] = None,
    precision: options.PrecisionOption = Precision.F32,
    padding: options.PaddingOption = Padding.EXACT,
    also: Annotated[
        list[str] | None, typer.Option(help="the job once more with bf16, trim or full; repeatable")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="leave out demo, ray-data, hwr-batch, limit or arithmetic; repeatable"),
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="also cost against content width, and actors and cores against speed"),
    ] = False,
    allow_root: options.AllowRootOption = None,
    allow_url: options.AllowUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Read the same lines in several ways: the demo's, a usual Ray Data job's, this job's, and its limits."""
    from hwr_batch.bench import (
        benchmark,
        chart,
    )  # OpenVINO takes a second to import, other commands do without

    chosen = benchmark.BenchOptions(
        manifest=None if manifest is None else normalize(manifest, Path.cwd()),
        lines=lines,
        rounds=rounds,
        cores=cores,
        precision=precision,
        padding=padding,
        also=tuple(also or ()),
        without=tuple(without or ()),
        sweep=sweep,
        access=options.access_options(allow_root, allow_url),
    )
    cache = Cache(default_cache(os.environ), Store(), tell=_tell)
    bundles = [load(name, precision=precision, cache=cache) for name in model or ["english-open"]]
    report = benchmark.run(bundles, chosen, _tell)
    output.mkdir(parents=True, exist_ok=True)
    content = json.dumps(report.to_json(), indent=2, ensure_ascii=False, default=str)
    (output / "bench.json").write_text(content, encoding="utf-8")
    (output / "bench.svg").write_text(chart.draw(report), encoding="utf-8")
    if as_json:
        typer.echo(content)
    else:
        for found in report.models:
            for sentence in found.sentences():
                typer.echo(sentence)
    chart_file, figures = output / "bench.svg", output / "bench.json"
    _tell(f"next: look at {chart_file}; every figure and its configuration is in {figures}")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
