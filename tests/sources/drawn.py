"""Pages drawn for tests, and the layout files that describe them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = (400, 300)
LINES = {"l1": (20, 20, 300, 60), "l2": (20, 100, 350, 140), "l3": (30, 200, 200, 240)}
TEXTS = {"l1": "first line", "l2": "second & last", "l3": ""}


def page_image(size: tuple[int, int] = SIZE, *, seed: int = 0) -> Image.Image:
    """Paper with a dark bar for each line, and a little noise so that every crop is different."""
    noise = np.random.default_rng(seed).integers(200, 256, (size[1], size[0]), np.uint8)
    image = Image.fromarray(noise)
    for left, top, right, bottom in LINES.values():
        ImageDraw.Draw(image).rectangle((left + 5, top + 10, right - 5, bottom - 10), fill=20)
    return image


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def save_page(folder: Path, name: str = "p1.png", **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(file_of(page_image(**options)))  # type: ignore[arg-type]
    return path


def corners(box: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def page_xml(
    version: str = "2019-07-15",
    image: str = "p1.png",
    size: tuple[int, int] = SIZE,
    lines: str | None = None,
    order: str = "",
) -> str:
    namespace = f"http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}"
    body = "\n".join(page_line(name) for name in LINES) if lines is None else lines
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PcGts xmlns="{namespace}">\n'
        f'<Page imageFilename="{image}" imageWidth="{size[0]}" imageHeight="{size[1]}">\n{order}'
        f'<TextRegion id="r1"><Coords points="0,0 399,0 399,299 0,299"/>\n{body}\n</TextRegion>\n'
        "</Page></PcGts>\n"
    )


def page_line(name: str, points: str | None = None, baseline: str | None = None, extra: str = "") -> str:
    left, top, right, bottom = LINES.get(name, LINES["l1"])
    outline = " ".join(f"{x},{y}" for x, y in corners((left, top, right, bottom)))
    below = f"{left},{bottom - 8} {right},{bottom - 8}" if baseline is None else baseline
    text = TEXTS.get(name, "").replace("&", "&amp;")
    return (
        f'<TextLine id="{name}"{extra}><Coords points="{points or outline}"/><Baseline points="{below}"/>'
        f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>"
    )


def alto(version: int = 4, unit: str = "pixel", lines: str | None = None, scale: float = 1.0) -> str:
    body = "\n".join(alto_line(name, version, scale) for name in LINES) if lines is None else lines
    return (
        f'<?xml version="1.0"?>\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#">\n<Description>'
        f"<MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation><fileName>p1.png</fileName>"
        f'</sourceImageInformation></Description>\n<Layout><Page ID="x" WIDTH="{SIZE[0] * scale:g}" '
        f'HEIGHT="{SIZE[1] * scale:g}"><PrintSpace><TextBlock ID="r1">\n{body}\n'
        "</TextBlock></PrintSpace></Page></Layout></alto>\n"
    )


def alto_line(name: str, version: int = 4, scale: float = 1.0) -> str:
    """Version 2 has a box and one y as baseline, 3 the polygon with commas, 4 without."""
    left, top, right, bottom = (value * scale for value in LINES[name])
    box = f'HPOS="{left:g}" VPOS="{top:g}" WIDTH="{right - left:g}" HEIGHT="{bottom - top:g}"'
    base = bottom - 8 * scale
    baseline = f"{left:g} {base:g} {right:g} {base:g}" if version == 4 else f"{base:g}"
    comma = " " if version == 4 else ","
    outline = " ".join(
        f"{x:g}{comma}{y:g}" for x, y in [(left, top), (right, top), (right, bottom), (left, bottom)]
    )
    shape = "" if version == 2 else f'<Shape><Polygon POINTS="{outline}"/></Shape>'
    words = TEXTS[name].replace("&", "&amp;").split()
    strings = '<SP WIDTH="3"/>'.join(f'<String CONTENT="{word}" {box}/>' for word in words)
    return f'<TextLine ID="{name}" {box} BASELINE="{baseline}">{shape}{strings}</TextLine>'
