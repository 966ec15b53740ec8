"""Which layout format a file is in, and where the lines of the results stand in it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from hwr_batch.export.lines import Line, points
from hwr_batch.export.offsets import Document, Edit, Element, LayoutError
from hwr_batch.export.request import NOT_IN_SOURCE, STANDS_TWICE, Format, Note
from hwr_batch.records import Box

_PAGE = re.compile(r"http://schema\.primaresearch\.org/PAGE/gts/pagecontent/(\d{4})-\d\d-\d\d")
_ALTO = re.compile(r"http://www\.loc\.gov/standards/alto/ns-v([234])#")
_OLDEST_PAGE = 2013  # before it, points were elements of their own


@dataclass(frozen=True, slots=True)
class Layout:
    """`format`: page or alto; `version`: the year of a PAGE schema, the major version of an ALTO one."""

    document: Document
    format: Format
    version: int

    @property
    def lines(self) -> list[Element]:
        """Every TextLine, in document order."""
        root = self.document.root
        return [e for e in root.walk() if e.name == "TextLine" and e.namespace == root.namespace]

    @property
    def id_name(self) -> str:
        """How the format spells the attribute."""
        return "id" if self.format is Format.PAGE else "ID"


def recognise(document: Document) -> Layout:
    """Raises LayoutError where a file is neither PAGE 2013 to 2019 nor ALTO 2 to 4."""
    root = document.root
    if root.name == "PcGts" and (found := _PAGE.fullmatch(root.namespace)) and int(found[1]) >= _OLDEST_PAGE:
        return Layout(document, Format.PAGE, int(found[1]))
    if root.name == "alto" and (found := _ALTO.fullmatch(root.namespace)):
        return Layout(document, Format.ALTO, int(found[1]))
    raise LayoutError("is neither PAGE XML of 2013 or later nor ALTO 2 to 4")


@dataclass(frozen=True, slots=True)
class Placed:
    """Lines that were read with the elements they belong in, and notes on those that found none.

    `notes` holds nothing on lines that were not read: there is nothing to place.
    """

    pairs: tuple[tuple[Line, Element], ...]
    notes: tuple[Note, ...]


def place(layout: Layout, lines: Sequence[Line]) -> Placed:
    """Find each line's element: by its id, or where neither has one (ALTO allows that), by its outline."""
    elements = layout.lines
    keys = [element.attributes.get(layout.id_name) or _outline(element) for element in elements]
    by_key = dict(zip(reversed(keys), reversed(elements), strict=True))
    often = Counter(keys)
    taken: set[object] = set()
    pairs, notes = [], []
    for line in (line for line in lines if line.read):
        key = line.xml_line_id or line.polygon or line.box
        name = f"the id {line.xml_line_id!r}" if line.xml_line_id else "its outline"
        if key not in by_key:
            notes.append(_note(line, NOT_IN_SOURCE, f"the file has no line with {name}"))
        elif often[key] > 1 or key in taken:
            where = "file" if often[key] > 1 else "results"
            notes.append(_note(line, STANDS_TWICE, f"a line with {name} stands twice in the {where}"))
        else:
            taken.add(key)
            pairs.append((line, by_key[key]))
    return Placed(tuple(pairs), tuple(notes))


def _outline(element: Element) -> object:
    """The polygon of a TextLine as manifests have it, else its box, else something that nothing equals."""
    shapes = [child for shape in element.all("Shape") for child in shape.children] + element.all("Coords")
    given = (shape.attributes.get("POINTS") or shape.attributes.get("points") for shape in shapes)
    polygon = next(filter(None, map(points, given)), None)
    if polygon is not None and len(polygon) > 2:
        return polygon
    try:
        left, top, width, height = (float(element.attributes[n]) for n in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    except (KeyError, ValueError):
        return object()
    x, y = math.floor(left), math.floor(top)
    return Box(x, y, math.ceil(left + width) - x, math.ceil(top + height) - y)


def _note(line: Line, reason: str, sentence: str) -> Note:
    return Note(line.line_id, line.source_xml or line.image, reason, sentence)


def copy(layout: Layout, edits: Sequence[Edit]) -> bytes:
    """The file with `edits` made, parsed once more by another parser before anybody gets it.

    Raises LayoutError where it would not come out well-formed, or with other lines than went in.
    """
    data = layout.document.edited(edits)
    root = hardened_parse(data)
    lines = [line.get(layout.id_name) for line in root.iter(f"{{{layout.document.root.namespace}}}TextLine")]
    if lines != [element.attributes.get(layout.id_name) for element in layout.lines]:
        raise LayoutError("cannot be copied: its lines would change")
    return data


def hardened_parse(data: bytes) -> etree._Element:
    """Parse untrusted XML: no entities, no network, no DTD, no huge trees. Raises LayoutError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise LayoutError(f"is not XML that can be read safely ({exc})") from exc
