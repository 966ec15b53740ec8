"""Options that several commands share, declared once."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hwr_batch.config import (
    AccessOptions,
    Binarize,
    Limits,
    Padding,
    Precision,
    ReadingOptions,
    Review,
    Wide,
)
from hwr_batch.storage import Store, normalize

ManifestArgument = Annotated[str, typer.Argument(metavar="MANIFEST", help="CSV, TSV, JSONL, Parquet or .txt")]
OutputArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="folder or URL of the results")]
ModelOption = Annotated[str, typer.Option("--model", help="a zoo name (hwr-batch models list) or a folder")]
PrecisionOption = Annotated[
    Precision,
    typer.Option(help="arithmetic; anything but f32 may change a text: hwr-batch plan says how often"),
]
PaddingOption = Annotated[
    Padding, typer.Option(help="the published width: left out exactly, computed in full, or cut short")
]
WideOption = Annotated[
    Wide, typer.Option(help="lines wider than the model: read in pieces, squeezed, refused")
]
BinarizeOption = Annotated[
    Binarize | None,
    typer.Option(help="page binarisation before cropping; default: what the model card asks for"),
]
AllowCharsOption = Annotated[
    Path | None, typer.Option(help="a UTF-8 file of the only characters that may be read", dir_okay=False)
]
TopKOption = Annotated[int, typer.Option(help="with --allow-chars: candidates looked at in each frame")]
AllowRootOption = Annotated[
    list[Path] | None, typer.Option(help="another local folder images may be read from; repeatable")
]
AllowUrlOption = Annotated[
    list[str] | None, typer.Option(help="a URL prefix images may be read from; repeatable")
]
LimitOption = Annotated[int | None, typer.Option(help="only the first N rows")]
ShardLinesOption = Annotated[
    int | None, typer.Option(help="rows per part; default: chosen from the row count")
]
CalibrationOption = Annotated[
    str | None, typer.Option(help="a file of hwr-batch calibrate: adds p_correct and needs_review")
]
ReviewPrecisionOption = Annotated[
    float, typer.Option(help="with --calibration: the share of right lines among those not to review")
]
JsonOption = Annotated[bool, typer.Option("--json", help="for machines")]
StallOption = Annotated[
    float, typer.Option(help="a worker whose shards do not move for so long is killed and replaced")
]
StartTimeoutOption = Annotated[
    float, typer.Option(help="seconds without a single worker ready until the run is given up")
]
MemoryOption = Annotated[
    str,
    typer.Option(
        help="a worker over it is replaced between shards: 6GiB, 800MiB; auto: its share of the node"
    ),
]
CpusOption = Annotated[str, typer.Option(help="cores per actor, or auto")]


def reading_options(
    precision: Precision,
    padding: Padding,
    wide: Wide,
    binarize: Binarize | None,
    allow_chars: Path | None,
    top_k: int,
) -> ReadingOptions:
    return ReadingOptions(
        precision=precision,
        padding=padding,
        wide=wide,
        binarize=binarize,
        allowed_chars=None if allow_chars is None else designated(allow_chars),
        top_k=top_k,
        limits=Limits(),
    )


def with_review(reading: ReadingOptions, calibration: str | None, precision: float) -> ReadingOptions:
    """`reading`, judged by the calibration at this path or URL where one is named."""
    if calibration is None:
        return reading
    try:
        content = Store().read(normalize(calibration, Path.cwd()))
    except OSError as exc:
        raise typer.BadParameter(f"--calibration {calibration}: cannot be read ({exc})") from exc
    return replace(reading, review=Review(content, precision))


def designated(path: Path) -> str:
    """The designated characters: every character of the file but line ends, each once, sorted."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise typer.BadParameter(f"{path}: not a readable UTF-8 file ({exc})") from exc
    return "".join(sorted(set(text) - set("\r\n")))


def access_options(roots: list[Path] | None, urls: list[str] | None) -> AccessOptions:
    return AccessOptions(tuple(root.resolve() for root in roots or ()), tuple(urls or ()))


def count_or_auto(option: str, value: str) -> int | None:
    """An integer, or None for `auto`."""
    if value == "auto":
        return None
    try:
        return int(value)
    except ValueError as exc:
        raise typer.BadParameter(f"{option} is a number or auto, not {value!r}") from exc


def bytes_or_auto(option: str, value: str) -> int | None:
    """Bytes from a number with an optional unit, or None for `auto`."""
    if value == "auto":
        return None
    found = re.fullmatch(r"(\d+)\s*([KMGT]i?B?|B)?", value.strip(), re.IGNORECASE)
    if found is None:
        raise typer.BadParameter(f"{option} is a size like 6GiB or 800MiB, or auto, not {value!r}")
    power = "BKMGT".index((found[2] or "B")[0].upper())
    return int(found[1]) << 10 * power


def default_address() -> str:
    """A cluster named by RAY_ADDRESS (`ray job submit` sets it), otherwise this machine."""
    return "auto" if os.environ.get("RAY_ADDRESS") else "local"
