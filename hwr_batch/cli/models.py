"""`models`: list, pull, show and bundle."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hwr_batch.cli import options
from hwr_batch.storage import Store
from hwr_batch.zoo import pull as pulling
from hwr_batch.zoo.cache import Cache, default_cache
from hwr_batch.zoo.listing import describe, list_models

app = typer.Typer(no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="a name from `hwr-batch models list`")]
VariantOption = Annotated[
    str | None, typer.Option(help="published arithmetic: FP32, FP16 or FP16-INT8; default: the first it has")
]


def _cache() -> Cache:
    return Cache(default_cache(os.environ), Store(), tell=lambda text: print_message(text))


def print_message(text: str) -> None:
    sys.stderr.write(text + "\n")


@app.command("list")
def list_(as_json: options.JsonOption = False) -> None:
    """The known models, and which are here."""
    listings = list_models(_cache())
    if as_json:
        typer.echo(json.dumps([asdict(listing) for listing in listings], indent=2, ensure_ascii=False))
        return
    table = Table()
    for heading in ("name", "languages", "licence", "MB", "here", "published accuracy"):
        table.add_column(heading)
    for model in listings:
        size, here = f"{model.size / 1e6:.0f}", "yes" if model.present else "no"
        table.add_row(model.name, " ".join(model.languages), model.license, size, here, model.accuracy)
    Console().print(table)
    print_message("next: hwr-batch models pull NAME")


@app.command()
def show(name: NameArgument, as_json: options.JsonOption = False) -> None:
    """A model's card, its files with digests, and where they are."""
    found = describe(name, _cache())
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False, default=str))
        return
    for field, value in asdict(found.card).items():
        typer.echo(f"{field} = {value}")
    for variant in found.variants:
        typer.echo(f"{variant.variant}: {variant.where} ({'here' if variant.present else 'not here'})")
        for file in variant.files:
            typer.echo(f"  {file.name}  {file.size:,} bytes  {file.algorithm} {file.digest}")


@app.command()
def pull(name: NameArgument, variant: VariantOption = None) -> None:
    """Download a model into the cache (HWR_BATCH_CACHE), resuming and checking digests."""
    typer.echo(pulling.pull(name, _cache(), variant=variant))
    print_message(f"next: hwr-batch recognize MANIFEST OUTPUT --model {name}")


@app.command()
def bundle(
    name: NameArgument,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="a folder or URL that becomes a cache")],
    variant: VariantOption = None,
) -> None:
    """Copy a verified model to DEST, for machines that cannot download it."""
    typer.echo(pulling.bundle_to(name, dest, _cache(), variant=variant))
    print_message(f"next: HWR_BATCH_CACHE={dest} hwr-batch recognize MANIFEST OUTPUT --model {name}")
