"""Pictures of the shown lines, cut again from their images under the same rules as in the run.

Small WebP files as `data:` URIs, so that the page needs nothing beside it. Bounded: the pictures of the
longest run weigh what those of a short one do.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from PIL import Image

from hwr_batch import image, region
from hwr_batch.config import AccessOptions, Limits
from hwr_batch.decode_room import DecodeRoom
from hwr_batch.errors import HwrBatchError, LineError
from hwr_batch.image_threads import ImageTask, ImageThreads
from hwr_batch.manifest import Manifest, open_manifest, schema_from_text
from hwr_batch.plan import Plan
from hwr_batch.records import Pixels, Row
from hwr_batch.report.words import cut
from hwr_batch.results import part_index
from hwr_batch.storage import AccessPolicy, ImageSource, Store

HEIGHT, WIDTH = 96, 1200  # pixels at most: legible, and 5 to 20 KB
PICTURE_BYTES = 40_000  # base64 characters of one picture at most
ALL_BYTES = 2_400_000  # of all
QUALITIES = (70, 45, 20)
THREADS = 8
LARGEST = 50_000_000  # pixels of an image that a picture is cut from, and of all that are open at once

Place = tuple[str, int]
"""Part name and 0-based row within the part."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A line as a person sees it: a `data:` URI and its size in pixels; or why there is none."""

    source: str = ""
    width: int = 0
    height: int = 0
    missing: str = ""


def pictures(
    plan: Plan, store: Store, access: AccessOptions, lines: Mapping[Place, str]
) -> dict[Place, Picture]:
    """Pictures of `lines` (place → line id). A picture that cannot be had is a sentence, never an error."""
    try:
        policy = AccessPolicy.for_manifest(plan.manifest, access)
        source = ImageSource(store, policy, Limits(image_pixels=LARGEST))
        rows = _rows(plan, store, sorted(lines))
    except (HwrBatchError, OSError) as exc:
        nothing = Picture(missing=cut(f"the manifest cannot be read again: {exc}", 300))
        return dict.fromkeys(lines, nothing)
    room = DecodeRoom(LARGEST)
    with closing(ImageThreads(THREADS)) as threads:
        tasks = {
            place: threads.submit(partial(_picture, source, room, rows.get(place), line_id))
            for place, line_id in lines.items()
        }
        return _within({place: _made(threads, task) for place, task in tasks.items()})


def _made(threads: ImageThreads, task: ImageTask[Picture]) -> Picture:
    try:
        return threads.wait(task)
    except TimeoutError as late:
        return Picture(missing=f"the image cannot be read again: {late}")


def _rows(plan: Plan, store: Store, places: Iterable[Place]) -> dict[Place, Row]:
    """The manifest rows of the lines, shard after shard: compressed manifests are read once."""
    found: dict[Place, Row] = {}
    shard: tuple[str, tuple[Row, ...]] = ("", ())
    manifest: Manifest
    with closing(open_manifest(plan.manifest, store, carried=schema_from_text(plan.carried))) as manifest:
        for part, row in places:
            if shard[0] != part:
                shard = (part, manifest.read(plan.shards[part_index(part) or 0]).rows)
            if row < len(shard[1]):
                found[part, row] = shard[1][row]
    return found


def _picture(
    source: ImageSource, room: DecodeRoom, row: Row | None, line_id: str, task: ImageTask[Picture]
) -> Picture:
    if row is None or row.line_id != line_id:
        return Picture(missing="the manifest has changed since the run")
    try:
        data = source.fetch(row.image) if row.embedded is None else row.embedded
        pixels = image.pixel_count(data, row.page)
        task.stop_clock()
        with room.hold(pixels):
            task.start_clock()
            page = image.open_page(data, page=row.page, channels=3, limits=source.limits)
            return thumbnail(region.crop(page, row)[0])
    except LineError as failure:
        return Picture(missing=cut(failure.sentence, 300))
    except (HwrBatchError, OSError) as exc:
        return Picture(missing=cut(f"the image cannot be read again: {exc}", 300))


def thumbnail(line: Pixels) -> Picture:
    """`line`, uint8 (H, W, 3) BGR, within `HEIGHT` × `WIDTH` and `PICTURE_BYTES`."""
    small = Image.fromarray(line[:, :, ::-1])
    small.thumbnail((WIDTH, HEIGHT), Image.Resampling.BOX)
    for quality in QUALITIES:
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=quality)
        text = base64.b64encode(buffer.getvalue()).decode()
        if len(text) <= PICTURE_BYTES:
            return Picture(f"data:image/webp;base64,{text}", *small.size)
    return Picture(missing="the picture is too large for this page")


def _within(made: dict[Place, Picture]) -> dict[Place, Picture]:
    """The pictures until they are too much for one page."""
    left = ALL_BYTES
    for place, picture in made.items():
        left -= len(picture.source)
        if left < 0:
            made[place] = Picture(missing="left out to keep this page small")
    return made
