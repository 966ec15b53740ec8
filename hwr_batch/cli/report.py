"""`report`: one page that a person can read."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hwr_batch.cli import options
from hwr_batch.evaluate import read_truth
from hwr_batch.report import ReportOptions, write_report
from hwr_batch.storage import Store, normalize

PARTS = ReportOptions().parts


def report(
    output: options.OutputArgument,
    truth: Annotated[
        str | None, typer.Option(help="a manifest with reference texts; default: what the results carry")
    ] = None,
    by: Annotated[str | None, typer.Option(help="accuracy for each value of this column as well")] = None,
    every_part: Annotated[
        bool, typer.Option("--all", help=f"look into every part, not into {PARTS} spread over the run")
    ] = False,
    allow_root: options.AllowRootOption = None,
    allow_url: options.AllowUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write OUTPUT/_report.html: totals, speed, errors, scores, accuracy, and lines with their pictures."""
    store = Store()
    chosen = ReportOptions(
        parts=None if every_part else PARTS, by=by, access=options.access_options(allow_root, allow_url)
    )
    references = nullcontext(None) if truth is None else read_truth(normalize(truth, Path.cwd()), store)
    with references as table:
        written = write_report(normalize(output, Path.cwd()), store, chosen, truth=table)
    if as_json:
        typer.echo(json.dumps(asdict(written), indent=2))
    else:
        looked = f"{written.looked_into:,} of {written.parts:,} parts looked into"
        typer.echo(f"{written.uri} ({written.size / 1e6:.1f} MB, {looked})")
    sys.stderr.write(f"next: open {written.uri} in a browser\n")
