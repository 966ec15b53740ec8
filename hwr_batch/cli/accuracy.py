"""`evaluate`: how good the results are, against reference texts."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hwr_batch import evaluate as accuracy
from hwr_batch.cli import options
from hwr_batch.cli.accuracy_shown import show
from hwr_batch.errors import ExitCode
from hwr_batch.evaluate import EvaluateOptions, Normalisation
from hwr_batch.storage import Store, normalize


def evaluate(
    output: options.OutputArgument,
    truth: Annotated[
        str | None, typer.Option(help="a manifest with reference texts; default: what the results carry")
    ] = None,
    by: Annotated[str | None, typer.Option(help="figures for each value of this column as well")] = None,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="upper and lower case are equal")
    ] = False,
    ignore_punctuation: Annotated[
        bool, typer.Option("--ignore-punctuation", help="leave punctuation out of both texts")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="compare the strings as they are, as the Open Model Zoo does")
    ] = False,
    blank_is_reference: Annotated[
        bool, typer.Option("--blank-is-reference", help="an empty reference means: nothing is written there")
    ] = False,
    fail_under: Annotated[
        float | None, typer.Option(help="exit 3 where label accuracy is lower than this share")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Label accuracy, CER, WER and exact lines of OUTPUT against reference texts."""
    chosen = EvaluateOptions(
        normalisation=_normalisation(raw, ignore_case, ignore_punctuation),
        by=by,
        blank_is_reference=blank_is_reference,
    )
    store = Store()
    references = (
        nullcontext(None) if truth is None else accuracy.read_truth(normalize(truth, Path.cwd()), store)
    )
    with references as table:
        found = accuracy.evaluate(normalize(output, Path.cwd()), store, chosen, truth=table)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        show(found, Console())
    if fail_under is not None and found.fails_under(fail_under):
        sys.stderr.write(f"label accuracy is under {fail_under}: look at the worst lines above\n")
        raise typer.Exit(int(ExitCode.OVER_ERROR_BUDGET))
    sys.stderr.write("next: --by COLUMN for groups, --json for every figure, confusion and worst line\n")


def _normalisation(raw: bool, ignore_case: bool, ignore_punctuation: bool) -> Normalisation:
    if raw:
        return Normalisation.none()
    return Normalisation(fold_case=ignore_case, drop_punctuation=ignore_punctuation)
