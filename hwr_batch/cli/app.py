"""The commands, gathered."""

from __future__ import annotations

import typer

from hwr_batch.cli import accuracy, bench, calibrate, check, export, manifest, models, recognize, report

app = typer.Typer(
    name="hwr-batch",
    help="Batch handwriting recognition: a manifest of line images in, Parquet with text and scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("manifest")(manifest.manifest)
app.command("recognize")(recognize.recognize)
app.command("plan")(recognize.plan)
app.command("verify")(check.verify)
app.command("doctor")(check.doctor)
app.command("evaluate")(accuracy.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("report")(report.report)
app.command("export")(export.export)
app.add_typer(models.app, name="models", help="List, pull, show and bundle models.")
app.command("bench")(bench.bench)
