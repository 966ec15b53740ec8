"""An XML file → its elements, each with the bytes it stands on, so that a copy can differ in these alone.

Serialising a parsed tree again loses what a parser does not report: the way attributes are set out,
character references, the spelling of empty elements. Here a copy is the file's own bytes, with others put in
at the offsets that expat reports.

Files are untrusted. A DOCTYPE is refused, which leaves no entity to expand and nothing to fetch; what is
written is parsed once more by lxml, with entities, network and huge trees off (`hwr_batch.export.checked`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# A closed list: Python knows "encodings" (utf-7, unicode_escape, idna) that other parsers read otherwise.
_ENCODINGS = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d")
_START_TAG = re.compile(rb"""<([^\s/>]+)((?:\s+[^\s=/>]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')""")


class LayoutError(Exception):
    """A layout file that nothing can be written into. The message completes '<file> …'."""


@dataclass(slots=True)
class Element:
    """An element and its bytes: `<` at `start`, content [inside, close), behind the last `>` at `end`.

    `name`: local; `namespace`: URI or ""; `attributes` by name, "URI name" where they have a namespace;
    `text`: the character data directly in it. For `<a/>` inside = close = end.
    """

    name: str
    namespace: str
    attributes: dict[str, str]
    start: int
    inside: int
    close: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[Element]:
        """The children called `name`, in their order."""
        return [child for child in self.children if child.name == name]

    def walk(self) -> Iterator[Element]:
        """The element and all below it, in document order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


@dataclass(frozen=True, slots=True)
class Document:
    """`data`: the file in UTF-8 without byte order mark; offsets count in it."""

    data: bytes
    encoding: str
    bom: bytes
    root: Element

    def tag(self, element: Element) -> bytes:
        """The name in the start tag, prefix and all."""
        return _start_tag(self.data, element.start)[1]

    def prefix(self, element: Element) -> str:
        """The prefix of the element with its colon, or ""."""
        head, colon, _ = self.tag(element).decode().rpartition(":")
        return head + colon

    def raw(self, element: Element) -> bytes:
        return self.data[element.start : element.end]

    def raw_attributes(self, element: Element) -> dict[str, tuple[int, int]]:
        """Where each attribute stands: from the white space before it to behind its closing quote."""
        base, source = (
            _start_tag(self.data, element.start).span(2)[0],
            _start_tag(self.data, element.start)[2],
        )
        return {
            found[1].decode(): (base + found.start(), base + found.end())
            for found in _ATTRIBUTE.finditer(source)
        }

    def lead(self, element: Element) -> bytes:
        """The line end and indentation directly before an element, b"" where there is none."""
        space = self.data[len(self.data[: element.start].rstrip(b" \t\r\n")) : element.start]
        newline = space.rfind(b"\n")
        if newline < 0:
            return b""
        return space[newline - (space[newline - 1 : newline] == b"\r") :]

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes in its own encoding, with `edits` made; all else as it was."""
        pieces, position = [], 0
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.stop)):
            if edit.start < position:
                raise AssertionError("two edits of the same bytes")
            pieces += [self.data[position : edit.start], edit.new]
            position = edit.stop
        data = b"".join([*pieces, self.data[position:]])
        if self.encoding == "utf-8":
            return self.bom + data
        return self.bom + data.decode().encode(self.encoding, "xmlcharrefreplace")


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` in place of the bytes [start, stop)."""

    start: int
    stop: int
    new: bytes


def parse(data: bytes) -> Document:
    """Read a file. Raises LayoutError where it is not well-formed, has a DOCTYPE or an odd encoding."""
    bom, encoding = _encoding(data)
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as exc:
        raise LayoutError(f"is not in the encoding it declares, {encoding}") from exc
    if text.encode(encoding) != data[len(bom) :]:
        raise LayoutError(f"cannot be copied byte for byte from the encoding {encoding}")
    content = text.encode()
    return Document(content, encoding, bom, _Tree(content).root)


def _encoding(data: bytes) -> tuple[bytes, str]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return bom, encoding
    declared = _DECLARED.match(data[:200])
    name = declared[1].decode() if declared else "utf-8"
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if not _ENCODINGS.fullmatch(encoding):
        raise LayoutError(f"is in the encoding {name!r}; convert it to UTF-8")
    return b"", encoding


def _start_tag(data: bytes, start: int) -> re.Match[bytes]:
    found = _START_TAG.match(data, start)
    if found is None:
        raise LayoutError("has a tag that cannot be taken apart")
    return found


class _Tree:
    """Builds the elements of `data` (UTF-8)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._open = data, [Element("", "", {}, 0, 0)]
        self._parser = expat.ParserCreate("utf-8", " ")  # overrides the declaration: the text is decoded
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as exc:
            raise LayoutError(f"is not well-formed XML ({exc})") from exc
        self.root = self._open[0].children[0]

    def _refuse(self, *_: object) -> None:
        raise LayoutError("has a DOCTYPE, which no layout format needs and this reader refuses")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        start = self._parser.CurrentByteIndex
        tag = _start_tag(self._data, start)
        element = Element(local, namespace, attributes, start, tag.end())
        if tag[3]:
            element.close = element.end = tag.end()
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if not element.end:
            element.close = self._parser.CurrentByteIndex
            element.end = self._data.index(b">", element.close) + 1

    def _characters(self, text: str) -> None:
        self._open[-1].text += text


def replaced(element: Element, new: bytes) -> Edit:
    """`new` in place of a whole element."""
    return Edit(element.start, element.end, new)


def removed(document: Document, element: Element) -> Edit:
    """Nothing in place of an element and the white space before it."""
    before = len(document.data[: element.start].rstrip(b" \t\r\n"))
    return Edit(before, element.end, b"")


def inserted(document: Document, parent: Element, after: Element | None, new: bytes) -> Edit:
    """`new` behind the child `after`, or as the first thing in `parent`; `<a/>` is opened for it."""
    if after is not None:
        return Edit(after.end, after.end, new)
    if parent.inside < parent.end:
        return Edit(parent.inside, parent.inside, new)
    slash = document.data.rindex(b"/", parent.start, parent.end)
    return Edit(slash, parent.end, b">" + new + b"</" + document.tag(parent) + b">")
