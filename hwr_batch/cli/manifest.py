"""`manifest`: a manifest out of images, layout files, IIIF manifests, TIFF and tar."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hwr_batch import sources
from hwr_batch.cli import options
from hwr_batch.cores import usable_cores
from hwr_batch.errors import ConfigError
from hwr_batch.sources import BuildOptions, LineFormat, Problem, Summary
from hwr_batch.storage import Store, is_local, normalize


def manifest(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="folders, globs, PAGE or ALTO files, IIIF manifests, TIFF, tar; local or remote",
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="the manifest, a .parquet file or URL")],
    embed: Annotated[
        bool, typer.Option("--embed", help="put the line images into the manifest: no small reads later")
    ] = False,
    image_format: Annotated[
        LineFormat, typer.Option(help="with --embed: how lines cut out of pages are stored")
    ] = LineFormat.PNG,
    colour: Annotated[
        bool,
        typer.Option("--colour", help="with --embed: keep colour, for models that see it (ppocr-v6-small)"),
    ] = False,
    pages: Annotated[
        bool, typer.Option("--pages", help="images are whole pages: find their lines (extra `pages`)")
    ] = False,
    draw: Annotated[
        str | None, typer.Option(help="with --pages: a folder for pictures of the first pages, lines drawn")
    ] = None,
    allow_url: options.AllowUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Build a manifest. What is wrong with a source is told by file and line, and the rest goes on."""
    if not output.lower().endswith((".parquet", ".pq")):
        raise ConfigError(f"--output {output}: a manifest is written as Parquet; end its name with .parquet")
    if not embed and (colour or image_format is not LineFormat.PNG):
        raise ConfigError("--colour and --image-format say how --embed stores lines; give --embed as well")
    if draw is not None and not pages:
        raise ConfigError("--draw shows the lines that --pages finds; give both")
    store = Store()
    chosen = BuildOptions(
        embed=image_format if embed else None,
        colour=colour,
        find_lines=_page_finder(draw) if pages else None,
        access=options.access_options(None, allow_url),
    )
    found = sources.build([_named(name) for name in source], _named(output), store, chosen, _tell)
    if as_json:
        typer.echo(json.dumps(_to_json(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    sys.stderr.write(
        f"next: {shlex.join(['hwr-batch', 'recognize', output, 'OUTPUT', *found.allow_options()])}\n"
    )


def _page_finder(pictures: str | None) -> sources.PageFinder:
    folder = None if pictures is None else _named(pictures)
    return sources.PageFinder(sources.PpOcrDetector(usable_cores()), pictures=folder)


def _named(name: str) -> str:
    """The absolute name, without `..`: ids and relative paths are cut from it."""
    uri = normalize(name, Path.cwd())
    return str(Path(uri).resolve()) if is_local(uri) and ".." in Path(uri).parts else uri


def _tell(problem: Problem) -> None:
    sys.stderr.write(f"warning: {problem}\n")


def _show(found: Summary) -> None:
    typer.echo(f"{found.rows:,} lines of {found.pages:,} images, {found.with_text:,} with text")
    if found.left_out:
        typer.echo(f"left out: {found.left_out:,} (see the warnings)")
    for kind, count in sorted(found.by_kind.items()):
        typer.echo(f"  {kind}: {count:,}")
    if found.images_without_layout:
        typer.echo(f"{found.images_without_layout:,} images have no layout file and no row")


def _to_json(found: Summary) -> dict[str, object]:
    return {
        "rows": found.rows,
        "images": found.pages,
        "with_text": found.with_text,
        "left_out": found.left_out,
        "images_without_layout": found.images_without_layout,
        "problems_by_kind": dict(sorted(found.by_kind.items())),
        "problems": [asdict(problem) for problem in found.problems],
        "recognize_options": found.allow_options(),
    }
