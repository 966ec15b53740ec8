"""How large a page is, for the formats that want to know."""

from __future__ import annotations

from PIL import Image

import hwr_batch.image  # noqa: F401 - it lifts Pillow's own limit on pixels; only headers are read here
from hwr_batch.errors import LineError
from hwr_batch.export.lines import Page, bounds
from hwr_batch.storage import AccessPolicy, Store

_BLOCK = 64 << 10  # bytes fetched at a time; a header lies within the first of them
_ORIENTATION = 0x0112  # EXIF and TIFF tag
_TURNED = frozenset({5, 6, 7, 8})  # the upright image has width and height exchanged
# What Pillow's parsers raise on what is no image, and stores on what is not there.
_NO_IMAGE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, ArithmeticError)


def page_size(page: Page, store: Store, policy: AccessPolicy) -> tuple[int, int]:
    """(width, height) in pixels: as the manifest says, else as the image's header does.

    Where there is no image to look at, as far as the lines reach.
    """
    known = next((line.page_size for line in page.lines if line.page_size), None)
    return known or _from_header(page, store, policy) or _as_far_as_lines_reach(page)


def _from_header(page: Page, store: Store, policy: AccessPolicy) -> tuple[int, int] | None:
    try:
        with store.open(policy.resolve(page.image), block=_BLOCK) as file, Image.open(file) as image:
            if page.frame:
                image.seek(page.frame)
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            return (image.height, image.width) if turned else image.size
    except (LineError, *_NO_IMAGE):
        return None


def _as_far_as_lines_reach(page: Page) -> tuple[int, int]:
    around = bounds([line.extent for line in page.lines])
    return max(1, around.x + around.width), max(1, around.y + around.height)
