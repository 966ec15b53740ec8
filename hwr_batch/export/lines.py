"""Result parts → lines, grouped into pages, one page in memory at a time.

Parts are in manifest order and a manifest keeps the rows of a page together, so a page ends where the
next one begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from hwr_batch.errors import Status
from hwr_batch.records import Box
from hwr_batch.results.reading import PartStore, column_names, read_columns

BATCH_ROWS = 512  # char_spans become a dict per character: 512 lines of 60 characters are about 10 MB

_RESULT = (
    *("line_id", "image", "text", "score", "char_scores", "char_spans", "status", "error"),
    *("image_width", "image_height"),
)
# Where line images were cut out of their page and embedded in the manifest, the region is empty, as there is
# nothing left to cut; these columns say where on the page the image comes from.
_CUT = "source_"
_REGION = ("page", "x", "y", "width", "height", "polygon")
_CARRIED = (
    *("source_xml", "xml_line_id", "region_id", "reading_order", "baseline", "page_width", "page_height"),
    *_REGION,
    *(f"{_CUT}{name}" for name in _REGION),
)

Point: TypeAlias = tuple[int, int]
Cells: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One result row, as far as a page needs it.

    `frame`: 0-based, of a multi-page file. `box`: page pixels; `polygon`, `baseline`: page pixels, None
    where the manifest has none. `text`, `score`: None unless the line was read. `scores`, `spans`: one for
    each character; spans are [start, end) in page x pixels.
    """

    line_id: str
    image: str
    frame: int | None
    source_xml: str | None
    xml_line_id: str | None
    region_id: str | None
    order: int | None
    box: Box
    polygon: tuple[Point, ...] | None
    baseline: tuple[Point, ...] | None
    page_size: tuple[int, int] | None
    text: str | None
    score: float | None
    scores: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]
    status: str
    error: str | None

    @property
    def read(self) -> bool:
        return self.text is not None

    @property
    def extent(self) -> Box:
        """Around the box and the polygon, which need not agree."""
        return bounds([self.box, *([around(self.polygon)] if self.polygon else [])])


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of one page as they stand in the manifest; at least one."""

    lines: tuple[Line, ...]

    @property
    def image(self) -> str:
        return self.lines[0].image

    @property
    def frame(self) -> int | None:
        return self.lines[0].frame

    @property
    def source_xml(self) -> str | None:
        return self.lines[0].source_xml

    @property
    def name(self) -> str:
        """What a person calls the page."""
        return self.image if self.frame is None else f"{self.image} page {self.frame}"

    def in_reading_order(self) -> tuple[Line, ...]:
        """Lines by `reading_order`; in manifest order where it says nothing."""
        return tuple(sorted(self.lines, key=lambda line: math.inf if line.order is None else line.order))

    def by_image(self) -> Iterator[Page]:
        """The page, or its parts where one layout file describes several images."""
        for _, lines in groupby(self.lines, key=lambda line: (line.image, line.frame)):
            yield Page(tuple(lines))


def by_source(line: Line) -> object:
    """Lines belong together that one layout file describes, or that lie on one image."""
    return line.source_xml or (line.image, line.frame)


def by_image(line: Line) -> object:
    """Lines belong together that lie on one image (and frame)."""
    return (line.image, line.frame)


def read_pages(output: str, store: PartStore, together: Callable[[Line], object]) -> Iterator[Page]:
    """The pages of OUTPUT in manifest order. Raises as `hwr_batch.results.reading` does."""
    for _, lines in groupby(_read_lines(output, store), key=together):
        yield Page(tuple(lines))


def _read_lines(output: str, store: PartStore) -> Iterator[Line]:
    present = column_names(output, store)
    columns = [*_RESULT, *(name for name in _CARRIED if name in present)]
    for batch in read_columns(output, store, columns, batch_rows=BATCH_ROWS):
        for values in zip(*batch.values(), strict=True):
            yield _line(dict(zip(batch, values, strict=True)))


def _line(cells: Cells) -> Line:
    ok = cells["status"] == Status.OK and cells["text"] is not None
    region = _region(cells)
    left = 0 if region is cells else line_box(cells).x  # spans count from the left edge of a cut-out line
    spans = cells["char_spans"] if ok else None
    size = (_number(cells.get("page_width")), _number(cells.get("page_height")))
    return Line(
        line_id=cells["line_id"],
        image=cells["image"],
        frame=_number(region.get("page")),
        source_xml=_text(cells.get("source_xml")),
        xml_line_id=_text(cells.get("xml_line_id")),
        region_id=_text(cells.get("region_id")),
        order=_number(cells.get("reading_order")),
        box=line_box(cells),
        polygon=points(region.get("polygon")),
        baseline=points(cells.get("baseline")),
        page_size=(size[0], size[1]) if size[0] and size[1] else None,
        text=cells["text"] if ok else None,
        score=cells["score"] if ok else None,
        scores=tuple(cells["char_scores"] or ()) if ok else (),
        spans=tuple((left + span["start"], left + span["end"]) for span in spans or ()),
        status=cells["status"],
        error=cells["error"],
    )


def line_box(cells: Cells) -> Box:
    """Where the line lies on its page: the row's box, else around its polygon, else the whole image."""
    region = _region(cells)
    x, y, width, height = (_number(region.get(name)) for name in ("x", "y", "width", "height"))
    if x is not None and y is not None and width and height:
        return Box(x, y, width, height)
    if polygon := points(region.get("polygon")):
        return around(polygon)
    return Box(0, 0, cells.get("image_width") or 0, cells.get("image_height") or 0)


def _region(cells: Cells) -> Cells:
    """The cells that say where on the page the line is, by the names of a region: `cells` itself, or what
    it says of where the line was cut out."""
    if _number(cells.get(f"{_CUT}x")) is None:
        return cells
    return {name: cells.get(f"{_CUT}{name}") for name in _REGION}


def _text(cell: object) -> str | None:
    return str(cell) if cell not in (None, "") else None


def _number(cell: object) -> int | None:
    """A carried number: CSV manifests carry it as text, pandas as a float. None where it is none."""
    try:
        return round(float(str(cell)))
    except (ValueError, OverflowError):
        return None


def points(cell: object) -> tuple[Point, ...] | None:
    """`x1,y1 x2,y2 …` or `x1 y1 x2 y2 …` in whole pixels; None where the cell is empty or not that."""
    numbers = [_number(part) for part in str(cell or "").replace(",", " ").split()]
    found = tuple(
        (x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=False) if x is not None and y is not None
    )
    return found if found and 2 * len(found) == len(numbers) else None


def around(points: Sequence[Point]) -> Box:
    """The smallest box around `points`, at least one."""
    left, top = min(x for x, _ in points), min(y for _, y in points)
    return Box(left, top, max(x for x, _ in points) - left, max(y for _, y in points) - top)


def bounds(boxes: Sequence[Box]) -> Box:
    """The smallest box around `boxes`, at least one."""
    return around(
        [corner for box in boxes for corner in ((box.x, box.y), (box.x + box.width, box.y + box.height))]
    )
