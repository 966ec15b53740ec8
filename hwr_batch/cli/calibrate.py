"""`calibrate`: from results with references to a file that says how far a score can be trusted."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hwr_batch.calibrate.fit import CalibrateOptions, CalibrationReport
from hwr_batch.calibrate.fit import calibrate as fit
from hwr_batch.cli import options
from hwr_batch.evaluate import Normalisation, read_truth
from hwr_batch.storage import Store, normalize


def calibrate(
    output: options.OutputArgument,
    to: Annotated[str, typer.Option("--to", "-o", help="file or URL to write the calibration to")],
    truth: Annotated[
        str | None, typer.Option(help="a manifest with reference texts; default: what the results carry")
    ] = None,
    right_cer: Annotated[
        float, typer.Option(help="a line is right where its CER is at most this; 0 asks for the exact text")
    ] = 0.0,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="upper and lower case are equal")
    ] = False,
    ignore_punctuation: Annotated[
        bool, typer.Option("--ignore-punctuation", help="leave punctuation out of both texts")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Learn from lines with references how likely a line is right; test it on lines held out."""
    chosen = CalibrateOptions(
        right_cer=right_cer,
        normalisation=Normalisation(fold_case=ignore_case, drop_punctuation=ignore_punctuation),
    )
    store = Store()
    references = nullcontext(None) if truth is None else read_truth(normalize(truth, Path.cwd()), store)
    with references as table:
        found = fit(normalize(output, Path.cwd()), store, chosen, truth=table)
    store.put(normalize(to, Path.cwd()), found.calibration.dumps())
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    sys.stderr.write(
        f"next: hwr-batch recognize MANIFEST OUTPUT --calibration {to} --review-precision 0.98\n"
    )


def _show(found: CalibrationReport) -> None:
    console = Console()
    held = found.held_out
    console.print(
        f"{found.calibration.fitted_lines:,} lines fitted, {held.lines:,} held out ({held.right:,} right)",
        highlight=False,
    )
    console.print(
        f"expected calibration error {held.ece:.3f} (the bare score: {held.ece_before:.3f}; "
        f"a perfect calibration on so many lines stays under {held.ece_chance:.3f})",
        highlight=False,
    )
    table = Table(title="on the lines held out: what --review-precision does")
    for heading in ("asked", "accepted", "right of these", "CER of these"):
        table.add_column(heading, justify="right")
    for point in held.review:
        table.add_row(
            f"{point.asked:.2f}", f"{point.coverage:.1%}", _share(point.precision), _share(point.cer)
        )
    console.print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
