"""Image file bytes → page pixels.

One stated treatment for whatever archives hold:

    EXIF / TIFF orientation   applied; boxes and polygons count in the upright image
    16 bits a sample          the high byte
    1 bit, palette            expanded to 0 … 255, to the palette's colours
    transparency              laid over white
    CMYK, YCCK JPEG           converted as Adobe writes them (inverted)
    animation (GIF, …)        the first frame, unless `page` names another
    32 bits a sample          refused: there is no one way to make grey of them
    damaged or cut short      refused; never filled up with grey

Pillow reads the header (12 µs for a JPEG line), OpenCV decodes (165 µs for 1000 × 100; it releases the
GIL and its grey is the one the published demo sees). Pillow decodes what OpenCV's wheel does not.
"""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
from PIL import Image, ImageOps

from hwr_batch.config import Limits
from hwr_batch.errors import LineError, Status
from hwr_batch.records import Pixels

# Pillow warns at 89 and refuses at 178 million pixels, whatever our own cap is: ours replaces it.
Image.MAX_IMAGE_PIXELS = None
# OpenCV logs each damaged file on stderr; here it becomes a row. The lines that libjpeg and libpng print
# themselves ("Corrupt JPEG data: …") have no switch in the wheel; they name no file and quote no text.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_READ = "JPEG, PNG, TIFF, JPEG 2000, WebP, BMP, GIF, PNM"
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    *((f"P{kind}".encode(), "PPM") for kind in range(1, 7)),
)
_NOT_READ = (
    (b"%PDF", "a PDF"),
    (b"AT&TFORM", "a DjVu document"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"<?xml", "an XML document"),
)
# Modes whose pixels OpenCV reads as Pillow means them; LAB, for one, it does not.
_OPENCV_MODES = frozenset({"1", "L", "P", "RGB", "CMYK", "YCbCr", "I", "I;16", "I;16B", "I;16L", "I;16N"})
# What Pillow's parsers raise on damaged files (found with mutated files); Warning where `-W error` is set.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError),
    *(struct.error, ArithmeticError, RuntimeError, MemoryError, Warning),
)


def use_threads(count: int) -> None:
    """Limit OpenCV's own thread pool: lines are decoded side by side already."""
    cv2.setNumThreads(count)


def open_page(
    data: bytes, *, page: int | None = None, channels: int = 1, limits: Limits | None = None
) -> Pixels:
    """Decode one image file, or frame `page` (0-based) of one that has several.

    Returns uint8 (H, W) grey for `channels` 1, (H, W, 3) BGR for 3; 0 black … 255 white, upright.
    Size and frame are checked before a pixel is decoded. Raises LineError: image_too_large over
    `limits.image_pixels`, image_unreadable for everything else.
    """
    limits = limits or Limits()
    image = _header(data)
    _check_size(image, limits)
    if page:
        _seek(data, image, page)
        _check_size(image, limits)
    _check_complete(data, image)
    pixels = _by_opencv(data, page or 0, channels) if _opencv_reads(image, page) else None
    if pixels is None:
        pixels = _by_pillow(image, channels)
    if sorted(pixels.shape[:2]) != sorted(image.size):
        raise _unreadable("The image's header and its pixels disagree about its size: it is damaged.")
    return pixels


def with_channels(page: Pixels, channels: int) -> Pixels:
    """A grey page, uint8 (H, W), as it is for 1 channel, as (H, W, 3) of equal channels for 3."""
    return page if channels == 1 else np.asarray(cv2.cvtColor(page, cv2.COLOR_GRAY2BGR), np.uint8)


def pixel_count(data: bytes, page: int | None = None) -> int:
    """Pixels that `open_page` would unpack, from the header alone; 0 where it would refuse at once."""
    try:
        image = _header(data)
        if page:
            _seek(data, image, page)
    except LineError:
        return 0
    width, height = image.size
    return int(width * height)


def _header(data: bytes) -> Image.Image:
    format_ = file_format(data)
    try:
        return Image.open(io.BytesIO(data), formats=(format_,))
    except DAMAGE as exc:
        raise _unreadable(f"The file begins like {format_} but its header is damaged.") from exc


def file_format(data: bytes) -> str:
    """Pillow's name of the format the bytes begin with, or a sentence with the way out."""
    if not data:
        raise _unreadable("The file is empty.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    found = next((name for signature, name in _NOT_READ if data.startswith(signature)), None)
    if data[4:8] == b"ftyp":
        found = "a HEIC or AVIF image" if data[8:12] in (b"heic", b"heix", b"mif1", b"avif") else "a video"
    what = f"The file is {found}, which is not read" if found else "The file is not an image that can be read"
    raise _unreadable(f"{what}: convert it to one of {_READ}.")


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.image_pixels:
        raise LineError(
            Status.IMAGE_TOO_LARGE,
            f"The image has {width} × {height} pixels, over the cap of {limits.image_pixels}: scale it down.",
        )


def _seek(data: bytes, image: Image.Image, page: int) -> None:
    try:
        image.seek(page)
    except EOFError as exc:
        frames = getattr(_header(data), "n_frames", 1)  # after a seek too far, TIFF counts one too many
        holds = "1 frame" if frames == 1 else f"{frames} frames"
        raise _unreadable(f"There is no page {page}: the image holds {holds}, counted from 0.") from exc
    except DAMAGE as exc:
        raise _unreadable(f"Page {page} of the image is damaged.") from exc


def _check_complete(data: bytes, image: Image.Image) -> None:
    """Refuse cut-off JPEG and PNG files: decoders fill the rest with grey and call it read.

    The other formats' decoders report it themselves (tests/test_image.py holds them to it).
    """
    whole = True
    if image.format in ("JPEG", "MPO"):
        whole = data.rfind(b"\xff\xd9", _first_scan(data)) != -1
    elif image.format == "PNG":
        whole = data.rfind(b"IEND\xaeB`\x82") != -1
    if not whole:
        raise _unreadable("The image is cut short, its end is missing: export or fetch it again.")


def _first_scan(data: bytes) -> int:
    """Offset of a JPEG's first start-of-scan marker, or the end; an EOI before it is a thumbnail's."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xDA:
            return at
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return len(data)


def _opencv_reads(image: Image.Image, page: int | None) -> bool:
    if image.format == "TIFF":
        if image.mode in ("F", "I"):
            raise _unreadable("The image has 32 bits a sample: save it with 8 or 16.")
    elif page or image.format == "GIF" or getattr(image, "is_animated", False):
        return False
    # 16-bit grey with one transparent value has no meaning on paper and no way through Pillow.
    transparent = image.has_transparency_data and not image.mode.startswith("I")
    return image.mode in _OPENCV_MODES and not transparent


def _by_opencv(data: bytes, page: int, channels: int) -> Pixels | None:
    flags = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    buffer = np.frombuffer(data, np.uint8)
    try:
        if page:
            pages = cv2.imdecodemulti(buffer, flags, None, (page, page + 1))[1]
            pixels = pages[0] if pages else None
        else:
            pixels = cv2.imdecode(buffer, flags)
    except cv2.error:
        return None
    # Some versions answer a damaged 16-bit file with 16-bit pixels.
    return None if pixels is None or pixels.dtype != np.uint8 else pixels


def _by_pillow(image: Image.Image, channels: int) -> Pixels:
    try:
        rgba = ImageOps.exif_transpose(image).convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        rgb = np.asarray(Image.alpha_composite(paper, rgba).convert("RGB"))
    except DAMAGE as exc:
        raise _unreadable("The image is damaged or cut short: export or fetch it again.") from exc
    pixels: Pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_RGB2BGR)
    return pixels


def _unreadable(sentence: str) -> LineError:
    return LineError(Status.IMAGE_UNREADABLE, sentence)
