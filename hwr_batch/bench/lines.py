"""The lines that are read: each in an image file of its own, so that every way opens the same files.

Without a manifest they are made from the bundled samples: pieces of written lines, one behind the other, of
widths spread like those of real lines.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from hwr_batch import image, region
from hwr_batch.bench.setting import BenchLine
from hwr_batch.config import AccessOptions, Limits
from hwr_batch.errors import ConfigError, LineError
from hwr_batch.manifest import open_manifest
from hwr_batch.plan import cut_shards
from hwr_batch.records import Pixels, Row, ShardSpec
from hwr_batch.storage import AccessPolicy, ImageSource, Store

SAMPLES = tuple(f"{number:02d}" for number in range(1, 38))
HEIGHT = 96  # the height the made widths are counted at
NARROWEST, WIDEST = 150, 1850
SHAPE = (2.2, 3.15)  # of the beta distribution of widths: mean 850, most between 400 and 1300
LEAST_ASPECT = 3  # narrower samples are not lines of writing


@dataclass(frozen=True, slots=True)
class LineSet:
    """`source`: where the lines come from. `left_out`: rows that cannot be read, or not in one piece."""

    source: str
    lines: tuple[BenchLine, ...]
    left_out: int = 0

    def fitting(self, height: int, width: int) -> LineSet:
        """The lines that a network of this size takes in one piece; `width` 0 takes any."""
        kept = tuple(line for line in self.lines if not width or line.columns(height) <= width)
        if not kept:
            raise ConfigError(f"bench: none of the {len(self.lines)} lines fits a network of {width} columns")
        return LineSet(self.source, kept, self.left_out + len(self.lines) - len(kept))

    def mean_columns(self, height: int) -> float:
        return float(np.mean([line.columns(height) for line in self.lines]))


def write_manifest(lines: Sequence[BenchLine], path: Path) -> str:
    """A CSV manifest of the lines; returns its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "line_id"])
        writer.writerows((line.path, line.line_id) for line in lines)
    return str(path)


def made_lines(count: int, folder: Path) -> LineSet:
    """`count` JPEG lines in `folder`, the same ones every time."""
    random = np.random.default_rng(850)
    widths = NARROWEST + (WIDEST - NARROWEST) * random.beta(*SHAPE, size=count)
    written = itertools.cycle(_samples())
    lines = []
    for number, width in enumerate(widths.astype(int)):
        pixels = _line(written, int(width))
        path = folder / f"{number:06d}.jpg"
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        lines.append(BenchLine(path.name, str(path), pixels.shape[1], pixels.shape[0]))
    return LineSet("made from the bundled samples", tuple(lines))


def gathered_lines(manifest: str, limit: int, access: AccessOptions, folder: Path) -> LineSet:
    """The first `limit` rows of a manifest, each line cut out into `folder`."""
    store = Store()
    opened = open_manifest(manifest, store)
    scan = opened.scan(every=limit, limit=limit, on_rows=None)
    source = ImageSource(store, AccessPolicy.for_manifest(manifest, access), Limits())
    start = cut_shards(scan.marks, scan.rows, None)[0].offset
    rows = opened.read(ShardSpec(0, 0, scan.rows, start)).rows
    opened.close()
    lines = [line for row in rows if (line := _cut_out(row, source, folder)) is not None]
    if not lines:
        raise ConfigError(f"bench: none of the first {scan.rows} lines of {manifest} can be read")
    return LineSet(manifest, tuple(lines), len(rows) - len(lines))


def _cut_out(row: Row, source: ImageSource, folder: Path) -> BenchLine | None:
    """The row's line as a file: the image as it is where it is the line, else its region as PNG."""
    if row.problem is not None:
        return None
    try:
        data = row.embedded if row.embedded is not None else source.fetch(row.image)
        page = image.open_page(data, page=row.page, channels=3, limits=Limits())
        pixels, _ = region.crop(page, row)
    except LineError:
        return None
    whole = row.box is None and row.polygon is None and row.page is None
    path = folder / f"{row.number:06d}{PurePosixPath(row.image).suffix if whole else '.png'}"
    path.write_bytes(data if whole else cv2.imencode(".png", pixels)[1].tobytes())
    return BenchLine(row.line_id, str(path), pixels.shape[1], pixels.shape[0])


def _samples() -> Iterator[Pixels]:
    """The bundled lines that can be read, as grey pixels."""
    folder = files("hwr_batch") / "samples"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if PurePosixPath(entry.name).stem not in SAMPLES:
            continue
        try:
            pixels = image.open_page(entry.read_bytes(), page=None, channels=1, limits=Limits())
        except LineError:
            continue
        if pixels.shape[1] >= LEAST_ASPECT * pixels.shape[0]:
            yield pixels


def _line(written: Iterator[Pixels], columns: int) -> Pixels:
    """Written samples one behind the other at the first one's height, `columns` wide at HEIGHT."""
    parts = [next(written)]
    height = parts[0].shape[0]
    width = max(1, columns * height // HEIGHT)
    while sum(part.shape[1] for part in parts) < width:
        more = next(written)
        size = (max(1, more.shape[1] * height // more.shape[0]), height)
        parts.append(np.asarray(cv2.resize(more, size, interpolation=cv2.INTER_AREA), np.uint8))
    return np.ascontiguousarray(np.concatenate(parts, axis=1)[:, :width])
