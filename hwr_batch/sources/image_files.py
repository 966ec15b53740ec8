"""Image files as manifests need them: size and frames from the header, a line cut out as a file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from hwr_batch.errors import LineError, Status
from hwr_batch.image import DAMAGE, file_format
from hwr_batch.records import Pixels

FRAMED = frozenset({".tif", ".tiff"})  # may hold several pages; animations are none
_JPEG_2000 = frozenset({".jp2", ".j2k", ".jpx", ".j2c"})
_PNM = frozenset({".pnm", ".pgm", ".ppm", ".pbm"})
EXTENSIONS = FRAMED | _JPEG_2000 | _PNM | {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
HEADER_BLOCK = 1 << 16  # bytes fetched at a time: nearly every header lies within the first
_ORIENTATION = 0x0112  # EXIF and TIFF tag; 5 to 8 lie on their side
_JPEG_QUALITY = 95


class LineFormat(StrEnum):
    """What cut lines are stored as: without loss, or a fifth of that size."""

    PNG = "png"
    JPEG = "jpeg"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Pixels of the upright first frame, and how many frames there are."""

    width: int
    height: int
    frames: int


def look(file: BinaryIO) -> ImageFacts:
    """What the header says, no pixel decoded. Raises LineError image_unreadable."""
    kind = file_format(file.read(16))
    file.seek(0)
    try:
        with Image.open(file, formats=(kind,)) as image:
            width, height = image.size
            # Of a PNG without EXIF data getexif decodes the whole image to look for some behind it.
            told = kind in ("JPEG", "TIFF") or "exif" in image.info
            lying = told and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            frames = int(getattr(image, "n_frames", 1)) if kind == "TIFF" else 1
    except DAMAGE as exc:
        sentence = f"The file begins like {kind} but its header is damaged."
        raise LineError(Status.IMAGE_UNREADABLE, sentence) from exc
    return ImageFacts(height, width, frames) if lying else ImageFacts(width, height, frames)


def encode(line: Pixels, kind: LineFormat) -> bytes:
    """A line as an image file. `line`: uint8 (H, W) grey or (H, W, 3) BGR."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if kind is LineFormat.JPEG else []
    done, data = cv2.imencode(f".{kind.value}", np.ascontiguousarray(line), options)
    if not done:
        raise LineError(Status.IMAGE_UNREADABLE, "The line cannot be stored as an image.")
    return data.tobytes()
