"""`verify` and `doctor`: is the output whole, is the machine fit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import typer

from hwr_batch.cli import options
from hwr_batch.errors import ExitCode
from hwr_batch.results import verify as proof
from hwr_batch.storage import Store, normalize


def verify(output: options.OutputArgument, as_json: options.JsonOption = False) -> None:
    """Prove from the files alone that OUTPUT has every manifest row exactly once."""
    found = proof.verify(normalize(output, Path.cwd()), Store())
    if as_json:
        typer.echo(found.to_json())
    else:
        typer.echo(f"manifest rows {found.manifest_rows:,}, result rows {found.result_rows:,}")
        for status, count in sorted(found.by_status.items()):
            typer.echo(f"  {status}: {count:,}")
        for problem in found.problems:
            typer.echo(f"problem: {problem}")
    if found.ok:
        sys.stderr.write("complete: every manifest row stands in the results exactly once\n")
        return
    sys.stderr.write("not complete: run the same `hwr-batch recognize` command again, then verify again\n")
    raise typer.Exit(int(ExitCode.BUG))


def doctor(as_json: options.JsonOption = False) -> None:
    """Show what this machine has and what would go wrong."""
    from hwr_batch import doctor as machine  # brings OpenVINO, which the driver of a cluster does without

    found = machine.examine(os.environ, Path.home())
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        for section, facts in found.facts.items():
            typer.echo(section)
            for name, value in facts.items():
                typer.echo(f"  {name}: {value}")
        for warning in found.warnings:
            typer.echo(f"warning: {warning}")
    sys.stderr.write("next: hwr-batch plan MANIFEST\n")
