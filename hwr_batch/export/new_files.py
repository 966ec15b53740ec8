"""A page without a layout file → a new PAGE or ALTO file with its lines, still without text.

The texts are then written into it as into a copy, so that there is one way of writing them. Lines stand in
reading order, in the regions that the manifest names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count

from lxml import etree

from hwr_batch import __version__
from hwr_batch.export.lines import Line, Page, Point, bounds
from hwr_batch.export.markup import is_name, printable, rectangle
from hwr_batch.export.request import Format
from hwr_batch.records import Box

PAGE_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ALTO_LOCATION = f"{ALTO_NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"


@dataclass(frozen=True, slots=True)
class NewFile:
    """`data`: the file; `lines`: the page's lines, each with the `xml_line_id` it has in the file."""

    data: bytes
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Region:
    id: str
    lines: tuple[Line, ...]

    @property
    def box(self) -> Box:
        return bounds([line.extent for line in self.lines])


def new_file(page: Page, size: tuple[int, int], format: Format, now: datetime) -> NewFile:
    """A file for `page`; `size`: of its image, (width, height) in pixels; `now`: PAGE wants a time."""
    regions = _regions(page.in_reading_order())
    root = _page(page, regions, size, now) if format is Format.PAGE else _alto(page, regions, size)
    etree.indent(root)
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return NewFile(data + b"\n", tuple(line for region in regions for line in region.lines))


def _regions(lines: Sequence[Line]) -> tuple[_Region, ...]:
    """Lines by region, regions in the order of their first line, with ids that XML allows, each once."""
    by_region: dict[str | None, list[Line]] = {}
    for line in lines:
        by_region.setdefault(line.region_id, []).append(line)
    ids = _Ids()
    return tuple(
        _Region(
            ids.take(region, "r"),
            tuple(replace(line, xml_line_id=ids.take(line.xml_line_id, "l")) for line in of),
        )
        for region, of in by_region.items()
    )


class _Ids:
    """Gives out ids, each once: the wanted one where XML allows it, else a numbered one."""

    def __init__(self) -> None:
        self._taken = {"page"}

    def take(self, wanted: str | None, kind: str) -> str:
        numbered = (f"{kind}{number}" for number in count(1))
        candidates = [wanted] if wanted is not None and is_name(wanted) else []
        chosen = next(name for name in _chain(candidates, numbered) if name not in self._taken)
        self._taken.add(chosen)
        return chosen


def _chain(first: Sequence[str], then: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from then


def _page(page: Page, regions: Sequence[_Region], size: tuple[int, int], now: datetime) -> etree._Element:
    root = etree.Element(f"{{{PAGE_NAMESPACE}}}PcGts", nsmap={None: PAGE_NAMESPACE})
    metadata = _add(root, "Metadata")
    _add(metadata, "Creator").text = f"hwr-batch {__version__}"
    for name in ("Created", "LastChange"):
        _add(metadata, name).text = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    width, height = (str(side) for side in size)
    body = _add(root, "Page", imageFilename=_file_name(page), imageWidth=width, imageHeight=height)
    order = _add(_add(body, "ReadingOrder"), "OrderedGroup", id="page")
    for index, region in enumerate(regions):
        _add(order, "RegionRefIndexed", index=str(index), regionRef=region.id)
    for region in regions:
        block = _add(body, "TextRegion", id=region.id)
        _add(block, "Coords", points=rectangle(region.box))
        for line in region.lines:
            element = _add(block, "TextLine", id=str(line.xml_line_id))
            _add(element, "Coords", points=_outline(line))
            if line.baseline and len(line.baseline) > 1:
                _add(element, "Baseline", points=_points(line.baseline))
    return root


def _alto(page: Page, regions: Sequence[_Region], size: tuple[int, int]) -> etree._Element:
    root = etree.Element(f"{{{ALTO_NAMESPACE}}}alto", nsmap={None: ALTO_NAMESPACE, "xsi": _XSI})
    root.set(f"{{{_XSI}}}schemaLocation", _ALTO_LOCATION)
    description = _add(root, "Description")
    _add(description, "MeasurementUnit").text = "pixel"
    _add(_add(description, "sourceImageInformation"), "fileName").text = _file_name(page)
    whole = {"WIDTH": str(size[0]), "HEIGHT": str(size[1])}
    number = str((page.frame or 0) + 1)
    body = _add(_add(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR=number, **whole)
    space = _add(body, "PrintSpace", HPOS="0", VPOS="0", **whole)
    for region in regions:
        block = _add(space, "TextBlock", ID=region.id, **_position(region.box))
        for line in region.lines:
            element = _add(block, "TextLine", ID=str(line.xml_line_id), **_position(line.box))
            if line.baseline:
                element.set("BASELINE", _points(line.baseline))
            if line.polygon:
                _add(_add(element, "Shape"), "Polygon", POINTS=_points(line.polygon))
            _add(element, "String", CONTENT="")  # a line must have one; the text takes its place
    return root


def _add(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    namespace = etree.QName(parent).namespace
    return etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)


def _file_name(page: Page) -> str:
    return printable(page.image.replace("\\", "/").rsplit("/", 1)[-1])


def _outline(line: Line) -> str:
    return rectangle(line.box) if line.polygon is None or len(line.polygon) < 2 else _points(line.polygon)


def _points(points: Sequence[Point]) -> str:
    """As PAGE wants them and ALTO recommends them; PAGE has no negative coordinates."""
    return " ".join(f"{max(0, x)},{max(0, y)}" for x, y in points)


def _position(box: Box) -> dict[str, str]:
    return {"HPOS": str(box.x), "VPOS": str(box.y), "WIDTH": str(box.width), "HEIGHT": str(box.height)}
