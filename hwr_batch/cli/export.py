"""`export`: the results as PAGE, ALTO, hOCR, text, JSON lines or CSV."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hwr_batch.cli import options
from hwr_batch.errors import ExitCode
from hwr_batch.export import Detail, ExportOptions, ExportSummary, Format
from hwr_batch.export import export as write
from hwr_batch.storage import Store, normalize, redact

SECONDS_BETWEEN_COUNTS = 5.0


def export(
    output: options.OutputArgument,
    dest: Annotated[
        str,
        typer.Argument(
            metavar="DEST", help="a new folder or URL; for jsonl and csv also a file.jsonl or .csv"
        ),
    ],
    to: Annotated[Format, typer.Option("--to", help="what to write")],
    detail: Annotated[
        Detail, typer.Option(help="the smallest thing with a position and a score of its own")
    ] = Detail.CHAR,
    manifest: Annotated[
        str | None, typer.Option(help="where the manifest lies now, if it was moved since recognize")
    ] = None,
    allow_root: options.AllowRootOption = None,
    allow_url: options.AllowUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write the texts of OUTPUT into copies of the source PAGE or ALTO files, or into new files.

    Exit code 3 where a line that was read found no place in the files.
    """
    cwd = Path.cwd()
    asked = ExportOptions(
        output=normalize(output, cwd),
        dest=normalize(dest, cwd),
        format=to,
        detail=detail,
        manifest=None if manifest is None else normalize(manifest, cwd),
        access=options.access_options(allow_root, allow_url),
    )
    found = write(asked, Store(), _Counting())
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _show(found)
    notes = f"{redact(asked.dest)}/{found.notes_files[0]}" if found.notes_files else ""
    if found.unplaced:
        sys.stderr.write(f"{found.unplaced} lines that were read are not in the files: see {notes}\n")
        raise typer.Exit(int(ExitCode.OVER_ERROR_BUDGET))
    also = f"; {notes} names the lines to look at" if notes else ""
    sys.stderr.write(f"next: the files are in {redact(asked.dest)}{also}\n")


def _show(found: ExportSummary) -> None:
    typer.echo(f"lines {found.lines:,}, written {found.written:,}, not read {found.failed:,}")
    typer.echo(f"files {found.files:,}" + (f", pages {found.pages:,}" if found.pages else ""))
    for reason, count in sorted(found.by_reason.items()):
        typer.echo(f"  {reason}: {count:,}")


class _Counting:
    """Tells on stderr how many pages are written, every few seconds."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, pages: int) -> None:
        if time.monotonic() - self._told >= SECONDS_BETWEEN_COUNTS:
            self._told = time.monotonic()
            sys.stderr.write(f"{pages:,} pages written so far\n")
