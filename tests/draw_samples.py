"""Draw the bundled sample lines: `python tests/draw_samples.py FONTS [DEST]`.

FONTS is a folder with one `<hand>-latin-400-normal.woff` per hand named below. They are the `files/` of
the npm packages `@fontsource/<hand>`, version 5.3.0, each under the SIL Open Font License 1.1 (the texts
stand in `hwr_batch/samples/licences`). The fonts themselves are not shipped. DEST defaults to
`hwr_batch/samples`. The same fonts give the same bytes (checked with Pillow 13.0 and NumPy 2.4): every
line has its own seed, and only Pillow's integer filters touch the ink.

    text ─write─▶ ink ─tilt─▶ ink ─on_paper─▶ pixels ─encode─▶ file bytes
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sample_texts import BROKEN_PNG, COLUMNS, LINES, PAGE, SampleLine

Font: TypeAlias = ImageFont.FreeTypeFont
Ink: TypeAlias = NDArray[np.float32]  # (H, W), 0 bare paper … 1 full ink
Colour: TypeAlias = NDArray[np.float32]  # (H, W, 3) RGB, 0 … 255

PAPERS = ((246, 241, 226), (238, 228, 204), (250, 249, 245), (232, 226, 214))  # RGB
INKS = ((38, 32, 40), (62, 44, 32), (30, 40, 82), (52, 50, 54))  # black, iron gall, blue, pencil
PAGE_SIZE = (920, 350)  # width, height in pixels
PAGE_TILTS = (0.0, 0.0, -2.2, -2.2)  # degrees; the last two lines run downhill, so that boxes overlap
SHARE_OF_HEIGHT = 0.74  # of a line image that the tallest and deepest letters span
JPEG_QUALITY = 60


def open_font(folder: Path, hand: str, height: int) -> Font:
    """The hand at the size whose letters from `d` top to `g` bottom fill their share of `height` pixels."""
    path = folder / f"{hand}-latin-400-normal.woff"
    probe = ImageFont.truetype(path, 100, layout_engine=ImageFont.Layout.BASIC)
    _, top, _, bottom = probe.getbbox("Hdlgy", anchor="ls")
    return probe.font_variant(size=round(100 * SHARE_OF_HEIGHT * height / (bottom - top)))


def write(text: str, font: Font, height: int, rng: np.random.Generator) -> Image.Image:
    """The text as ink, mode L, 0 bare … 255 inked, `height` rows; words wander as a hand does."""
    _, top, _, bottom = font.getbbox("Hdlgy", anchor="ls")
    baseline = (height - bottom - top) / 2
    space = font.getlength("n") * 0.62
    sheet = Image.new("L", (int(font.getlength(text) * 1.5) + 4 * height, height))
    pen, x = ImageDraw.Draw(sheet), float(height)
    for word in text.split(" "):
        pen.text((x, baseline + rng.uniform(-1.2, 1.2)), word, font=font, fill=255, anchor="ls")
        x += font.getlength(word) + space * rng.uniform(0.9, 1.35)
    left, _, right, _ = sheet.getbbox() or (0, 0, 1, 1)
    margin = int(height * rng.uniform(0.12, 0.3))
    return sheet.crop((left - margin, 0, right + margin, height))


def tilt(ink: Image.Image, degrees: float) -> Image.Image:
    """The ink turned counter-clockwise, on a sheet grown to hold it."""
    return ink.rotate(degrees, resample=Image.Resampling.BICUBIC, expand=True) if degrees else ink


def coverage(ink: Image.Image) -> Ink:
    return np.asarray(ink, dtype=np.float32) / np.float32(255)


def grain(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> Ink:
    """Smooth noise in -1 … 1 whose blotches are about `cell` pixels wide."""
    height, width = shape
    small = rng.integers(0, 256, (height // cell + 2, width // cell + 2), dtype=np.uint8)
    sheet = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(sheet, dtype=np.float32) / np.float32(127.5) - np.float32(1)


def on_paper(ink: Ink, condition: str, rng: np.random.Generator) -> Colour:
    """Lay the ink on paper under one of the conditions that archives know."""
    paper, pen = PAPERS[int(rng.integers(4))], INKS[int(rng.integers(4))]
    sheet = np.full((*ink.shape, 3), paper, dtype=np.float32)
    strength = 0.38 if condition == "faded" else 0.93
    if condition == "ruled":
        sheet[int(ink.shape[0] * 0.74) :][:2] = (150, 170, 205)
    if condition == "bleed":
        sheet = _blend(sheet, pen, np.roll(ink[:, ::-1], 5, axis=0) * 0.24)
    if condition in ("paper", "page"):
        sheet += (7 * grain(ink.shape, 40, rng) + 9 * grain(ink.shape, 3, rng))[..., None]
    sheet = _blend(sheet, pen, ink * strength)
    if condition == "shaded":
        sheet *= _light(ink.shape, rng)[..., None]
    if condition == "noisy":
        sheet += np.float32(rng.integers(-26, 27, (*ink.shape, 1)))
    return sheet


def _blend(sheet: Colour, pen: tuple[int, int, int], share: Ink) -> Colour:
    return sheet + (np.array(pen, dtype=np.float32) - sheet) * share[..., None]


def _light(shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """A shadow over one end of the line, as a lamp on one side leaves it: factors 0.45 … 1."""
    across = np.linspace(0, 1, shape[1], dtype=np.float32)
    ramp = across if rng.integers(2) else across[::-1]
    return np.broadcast_to(1 - np.float32(0.55) * ramp**2, shape)


def encode(pixels: Colour, condition: str, name: str) -> bytes:
    """The file's bytes: JPEG in colour, PNG in grey, in 16 greys (palette) or in black and white."""
    image = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    if condition == "blurred":
        image = image.filter(ImageFilter.GaussianBlur(1.7))
    out = io.BytesIO()
    if name.endswith(".jpg"):
        image.save(out, "JPEG", quality=JPEG_QUALITY)
        return out.getvalue()
    grey = image.convert("L")
    if condition == "binary":
        grey = grey.point(lambda value: 255 * (value > 140), mode="1")
    elif condition == "palette":
        grey = grey.quantize(16)
    grey.save(out, "PNG", optimize=True)
    return out.getvalue()


def draw_line(line: SampleLine, font: Font, seed: int) -> bytes:
    """One line image as file bytes; equal arguments give equal bytes."""
    rng = np.random.default_rng(seed)
    degrees = float(rng.uniform(1.3, 2.2) * rng.choice((-1, 1))) if line.condition == "skewed" else 0.0
    ink = coverage(tilt(write(line.text, font, line.height, rng), degrees))
    return encode(on_paper(ink, line.condition, rng), line.condition, line.image)


def draw_page(fonts: Path, seed: int) -> tuple[bytes, list[dict[str, str]]]:
    """The page scan and its manifest rows: level lines by box, tilted lines by polygon."""
    rng = np.random.default_rng(seed)
    sheet, rows = Image.new("L", PAGE_SIZE), []
    for order, (line, degrees) in enumerate(zip(PAGE, PAGE_TILTS, strict=True)):
        flat = write(line.text, open_font(fonts, line.hand, line.height), line.height, rng)
        turned = tilt(flat, degrees)
        left, top = 24 + 6 * order, 14 + 76 * order
        sheet.paste(turned, (left, top), mask=turned)
        rows.append(_row(line) | _region(flat.size, turned.size, (left, top), degrees))
    return encode(on_paper(coverage(sheet), "page", rng), "page", PAGE[0].image), rows


def _region(
    flat: tuple[int, int], turned: tuple[int, int], corner: tuple[int, int], degrees: float
) -> dict[str, str]:
    """The manifest cells that mark a line on the page, in page pixels."""
    left, top = corner
    if not degrees:
        return {"x": str(left), "y": str(top), "width": str(flat[0]), "height": str(flat[1])}
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = (left + turned[0] / 2, top + turned[1] / 2)
    corners = [(x * flat[0] / 2, y * flat[1] / 2) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    points = [(middle[0] + x * cos + y * sin, middle[1] - x * sin + y * cos) for x, y in corners]
    return {"polygon": " ".join(f"{round(x)},{round(y)}" for x, y in points)}


def _row(line: SampleLine) -> dict[str, str]:
    return {"image": line.image, "text": line.text, "hand": line.hand, "condition": line.condition}


def draw_all(fonts: Path) -> Iterator[tuple[str, bytes, list[dict[str, str]]]]:
    """Every file of the set with its manifest rows, in manifest order."""
    for number, line in enumerate(LINES, start=1):
        if line.condition == "not an image":
            yield line.image, BROKEN_PNG, [_row(line)]
            continue
        data = draw_line(line, open_font(fonts, line.hand, line.height), seed=number)
        cut = len(data) // 2 if line.condition == "truncated" else len(data)
        yield line.image, data[:cut], [_row(line)]
    page, rows = draw_page(fonts, seed=100)
    yield PAGE[0].image, page, rows


def main(fonts: Path, dest: Path) -> None:
    """Write the images and `manifest.csv` into `dest`."""
    rows = []
    for name, data, its_rows in draw_all(fonts):
        (dest / name).write_bytes(data)
        rows += its_rows
    with (dest / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    package = Path(__file__).parents[1] / "hwr_batch" / "samples"
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else package)
