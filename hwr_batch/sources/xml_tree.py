"""XML from strangers: the one place that parses it. No entities, no DTD, no network, no huge nodes.

lxml, because the exporter writes the same documents back and must keep what it does not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from lxml import etree

Node: TypeAlias = Any  # lxml.etree._Element

LARGEST = 64 << 20  # bytes; pages of newspapers with a polygon for each glyph have 20 MB


class XmlError(ValueError):
    """`line`: where the document stops being XML that is read, 1-based."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


def parse(data: bytes) -> Node:
    """The root element. Raises XmlError for what is not well formed, and for any document type.

    PAGE and ALTO documents have none; entities, which can be nested to gigabytes or name local files,
    are declared there.
    """
    if len(data) > LARGEST:
        raise XmlError(1, f"has {len(data)} bytes; layout files over {LARGEST >> 20} MB are not read")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as exc:
        line = exc.lineno or 1
        raise XmlError(line, f"is not well-formed XML ({str(exc.msg).partition(chr(10))[0]})") from exc
    if root.getroottree().docinfo.doctype:
        raise XmlError(
            1, "declares a document type, which layout files have no use for; remove the DOCTYPE line"
        )
    return root


def local_name(node: Node) -> str:
    """The tag without its namespace; empty for comments and processing instructions."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def children(node: Node, *names: str) -> Iterator[Node]:
    """Child elements with one of these local names, of any namespace: versions differ in nothing else."""
    return (child for child in node if local_name(child) in names)


def child(node: Node, name: str) -> Node | None:
    """The first child element of that local name."""
    return next(children(node, name), None)


def descendants(node: Node, *names: str) -> Iterator[Node]:
    """Elements below `node` in document order."""
    return (found for found in node.iter() if found is not node and local_name(found) in names)


def text_of(node: Node | None) -> str:
    """The characters directly in an element; empty for None."""
    return "" if node is None else (node.text or "")


def line_of(node: Node) -> int:
    """Where the element begins in its file, 1-based."""
    return int(node.sourceline or 1)
