"""ALTO 2 to 4: blocks, lines, strings; coordinates in pixels or in the page's own units.

Schemas: https://github.com/altoxml/schema
"""

from __future__ import annotations

from collections.abc import Iterator

from hwr_batch.sources.layout import LayoutLine, LayoutPage, base_name, in_order, ranks
from hwr_batch.sources.xml_tree import Node, child, children, descendants, line_of, local_name, text_of

ROOT = "alto"
_BOX = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def pages(root: Node) -> Iterator[LayoutPage]:
    """Every page of a document; they share the one image file that ALTO can name."""
    unit = next((text_of(node).strip() for node in descendants(root, "MeasurementUnit")), "pixel")
    named = next((text_of(node) for node in descendants(root, "fileName")), "")
    order = ranks(_referenced(root))
    for page in descendants(root, "Page"):
        yield LayoutPage(
            image=base_name(named),
            width=page.get("WIDTH", ""),
            height=page.get("HEIGHT", ""),
            pixels=unit == "pixel",
            lines=tuple(_lines(page, order)),
            source_line=line_of(page),
        )


def _referenced(root: Node) -> Iterator[str]:
    """Ids of blocks and lines as a ReadingOrder (ALTO 4.3) has them."""
    for order in descendants(root, "ReadingOrder"):
        for reference in descendants(order, "ElementRef"):
            yield reference.get("REF", "")


def _lines(page: Node, order: dict[str, int]) -> list[LayoutLine]:
    """In document order, which is ALTO's reading order where no ReadingOrder says otherwise."""
    nodes = list(descendants(page, "TextLine"))
    keys = [_ranked(node, order) for node in nodes]
    return [_line(node) for node in in_order(nodes, keys, order)]


def _ranked(line: Node, order: dict[str, int]) -> str | None:
    for node in (line, *line.iterancestors()):
        if node.get("ID") in order:
            name: str = node.get("ID")
            return name
    return None


def _line(node: Node) -> LayoutLine:
    shape = child(node, "Shape")
    polygon = None if shape is None else child(shape, "Polygon")
    box = tuple(node.get(name) for name in _BOX)
    return LayoutLine(
        id=node.get("ID"),
        region=node.getparent().get("ID"),
        polygon="" if polygon is None else polygon.get("POINTS", ""),
        box=None if None in box else box,
        baseline=_baseline(node),
        text=_text(node) or None,
        source_line=line_of(node),
    )


def _baseline(node: Node) -> str:
    """Points (ALTO 4), or before that one y for the whole width."""
    written = str(node.get("BASELINE", "")).strip()
    if not written or len(written.replace(",", " ").split()) > 1:
        return written
    left, width = node.get("HPOS"), node.get("WIDTH")
    try:
        right = f"{float(left) + float(width):g}"
    except (TypeError, ValueError):
        return ""
    return f"{left},{written} {right},{written}"


def _text(line: Node) -> str:
    """Strings and spaces as they stand; a line without any SP gets a space between its strings."""
    parts = list(children(line, "String", "SP", "HYP"))
    between = "" if any(local_name(part) == "SP" for part in parts) else " "
    text = ""
    for part in parts:
        if local_name(part) == "SP":
            text += " "
        elif local_name(part) == "HYP":
            text += part.get("CONTENT", "")
        else:
            text += (between if text else "") + part.get("CONTENT", "")
    return text
