"""PAGE XML, 2010 to 2019: regions nested at will, an explicit reading order, Transkribus' own one.

Schemas: https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hwr_batch.sources.layout import LayoutLine, LayoutPage, base_name, in_order, ranks
from hwr_batch.sources.xml_tree import Node, child, children, descendants, line_of, local_name, text_of

ROOT = "PcGts"
_REFERENCES = ("RegionRef", "RegionRefIndexed")
_GROUPS = ("OrderedGroup", "OrderedGroupIndexed", "UnorderedGroup", "UnorderedGroupIndexed")
_CUSTOM_ORDER = re.compile(r"readingOrder\s*\{\s*index\s*:\s*([0-9]{1,9})\s*;?\s*\}")


def pages(root: Node) -> Iterator[LayoutPage]:
    """The one page of a document (nothing where it is empty)."""
    for page in children(root, "Page"):
        yield LayoutPage(
            image=base_name(page.get("imageFilename", "")),
            width=page.get("imageWidth", ""),
            height=page.get("imageHeight", ""),
            pixels=True,
            lines=tuple(_lines(page)),
            source_line=line_of(page),
        )


def _lines(page: Node) -> list[LayoutLine]:
    """Regions in reading order, each with its own lines in theirs, before the regions nested in it."""
    regions = list(dict.fromkeys(line.getparent() for line in descendants(page, "TextLine")))
    order = ranks(_referenced(child(page, "ReadingOrder")))
    if not order:
        regions = _by_custom_order(regions)
    sorted_regions = in_order(regions, [_ranked(region, order) for region in regions], order)
    return [
        _line(line, region.get("id"))
        for region in sorted_regions
        for line in _by_custom_order(list(children(region, "TextLine")))
    ]


def _ranked(region: Node, order: dict[str, int]) -> str | None:
    """The id of the nearest region that the order names, this one or one around it, such as its table."""
    for node in (region, *region.iterancestors()):
        if node.get("id") in order:
            name: str = node.get("id")
            return name
    return None


def _referenced(order: Node | None) -> Iterator[str]:
    """Region ids as the reading order has them; a group is where it stands, its members by `index`."""
    if order is None:
        return
    members = [node for node in order if local_name(node) in (*_REFERENCES, *_GROUPS)]
    if local_name(order).startswith("OrderedGroup"):
        members.sort(key=_index)
    for node in members:
        if node.get("regionRef"):
            yield node.get("regionRef")
        yield from _referenced(node)


def _index(node: Node) -> int:
    index = node.get("index", "")
    return int(index) if re.fullmatch("[0-9]{1,9}", index) else 2**31


def _by_custom_order(nodes: Sequence[Node]) -> list[Node]:
    """Sorted by Transkribus' `custom="readingOrder {index:3;}"` or by `index`, where every node has one."""
    places = [_custom_index(node) for node in nodes]
    known = [place for place in places if place is not None]
    if len(known) < len(nodes):
        return list(nodes)
    return [nodes[i] for i in sorted(range(len(nodes)), key=known.__getitem__)]


def _custom_index(node: Node) -> int | None:
    match = _CUSTOM_ORDER.search(node.get("custom", "")) or re.fullmatch(
        "([0-9]{1,9})", node.get("index", "")
    )
    return int(match[1]) if match else None


def _line(node: Node, region: str | None) -> LayoutLine:
    return LayoutLine(
        id=node.get("id"),
        region=region,
        polygon=_points(child(node, "Coords")),
        box=None,
        baseline=_points(child(node, "Baseline")),
        text=_text(node),
        source_line=line_of(node),
    )


def _points(node: Node | None) -> str:
    """The `points` attribute; before 2013 each point was an element."""
    if node is None:
        return ""
    written: str | None = node.get("points")
    if written is not None:
        return written
    return " ".join(f"{point.get('x', '?')},{point.get('y', '?')}" for point in children(node, "Point"))


def _text(line: Node) -> str | None:
    """The line's own text: of several alternatives the one with the lowest `index`, which is the best."""
    alternatives = sorted(children(line, "TextEquiv"), key=_index)
    texts = (text_of(child(node, "Unicode")) or text_of(child(node, "PlainText")) for node in alternatives)
    return next((text for text in texts if text), None)
