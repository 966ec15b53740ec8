"""Texts → a copy of an ALTO file.

    <TextLine ID="l1" …><Shape>…</Shape>     stay as they are
      <String CONTENT="Mch" HPOS="1389" VPOS="806" WIDTH="212" HEIGHT="168" WC="0.9312" CC="001">
        <ALTERNATIVE PURPOSE="previous text">…</ALTERNATIVE>
        <Glyph CONTENT="M" … GC="0.9912"/>   ALTO 4 only
      </String><SP …/>

A line's text stands nowhere but in its Strings, so these are new, and the old ones (with SP and HYP) go.
Where there are as many new as old, they are taken for the same words: a String keeps its ID, styles and tags,
and has the old word as its alternative. Elsewhere the first String has the old text of the whole line.
Runs of blanks become one SP, and blanks around a line are not written: ALTO has no place for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hwr_batch.export.layout import Layout
from hwr_batch.export.lines import Line
from hwr_batch.export.markup import in_attribute, in_text, share
from hwr_batch.export.offsets import Edit, Element, inserted, removed, replaced
from hwr_batch.export.request import Detail
from hwr_batch.export.words import Char, confidence, words

_GLYPHS = 4  # the major version that brought them
_CONTENT = ("String", "SP", "HYP")
# What describes the old word alone; everything else in a String's start tag goes to the new one.
_REPLACED = {"CONTENT", "HPOS", "VPOS", "WIDTH", "HEIGHT", "WC", "CC", "CS", "SUBS_TYPE", "SUBS_CONTENT"}
PREVIOUS = "previous text"
PREVIOUS_LINE = "previous text of the line"


def alto_edits(layout: Layout, pairs: tuple[tuple[Line, Element], ...], detail: Detail) -> list[Edit]:
    """What to change in the file for each line that was read and its TextLine."""
    writer = _Writer(layout, detail)
    return [edit for line, element in pairs for edit in writer.edits(line, element)]


def _in_pixels(root: Element) -> bool:
    """Whether positions are pixels. ALTO 2 without a unit means tenths of a millimetre."""
    units = [element.text.strip() for element in root.walk() if element.name == "MeasurementUnit"]
    return units == ["pixel"]


class _Writer:
    """Writes into one document."""

    def __init__(self, layout: Layout, detail: Detail) -> None:
        self._document, self._detail = layout.document, detail
        self._in_pixels = _in_pixels(layout.document.root)
        self._pages = [element for element in layout.document.root.walk() if element.name == "Page"]
        self._glyphs = layout.version >= _GLYPHS

    def edits(self, line: Line, element: Element) -> Iterator[Edit]:
        old = [child for child in element.children if child.name in _CONTENT]
        first = old[0] if old else (element.children or [element])[0]
        lead = self._document.lead(first)
        new = lead.join(source.encode() for source in self._strings(line, element, old))
        if not old:
            after = element.children[-1] if element.children else None
            yield inserted(self._document, element, after, lead + new)
            return
        yield replaced(old[0], new)
        yield from (removed(self._document, gone) for gone in old[1:])

    def _strings(self, line: Line, element: Element, old: Sequence[Element]) -> Iterator[str]:
        """The source of each new String and SP."""
        prefix, place = self._document.prefix(element), _places(line, element, self._scale(line, element))
        parts = words(line, self._detail)
        attributes, inside = self._inherited(prefix, len(parts) or 1, old)
        if not parts:  # a line must have a String
            yield _element(
                f'{prefix}String{attributes[0]} CONTENT="" WC="{share(confidence(line.score))}"', inside[0]
            )
        for number, word in enumerate(parts):
            if number:
                gap = place(parts[number - 1].right, max(parts[number - 1].right, word.left), height=False)
                yield f"<{prefix}SP {gap}/>"
            digits = "".join(str(min(9, round((1 - char.score) * 9))) for char in word.chars)
            own = (
                f'CONTENT="{in_attribute(word.text)}" {place(word.left, word.right)} WC="{share(word.score)}"'
            )
            codes = f' CC="{digits}"' if digits else ""
            glyphs = "".join(_glyph(prefix, char, place) for char in word.chars if self._glyphs)
            yield _element(f"{prefix}String{attributes[number]} {own}{codes}", inside[number] + glyphs)

    def _scale(self, line: Line, element: Element) -> tuple[float, float]:
        """What a pixel is in the file's unit, and where page x 0 lies in it.

        Where the file does not count in pixels, from the page's width in both measures, or else from the
        line's own edges.
        """
        if self._in_pixels:
            return 1.0, 0.0
        page = next((page for page in self._pages if page.start < element.start < page.end), element)
        if line.page_size is not None and (wide := _number(page.attributes.get("WIDTH"))):
            return wide / line.page_size[0], 0.0
        left, across = (_number(element.attributes.get(name)) for name in ("HPOS", "WIDTH"))
        if left is None or not across or not line.box.width:
            return 1.0, 0.0
        scale = across / line.box.width
        return scale, left - line.box.x * scale

    def _inherited(self, prefix: str, count: int, old: Sequence[Element]) -> tuple[list[str], list[str]]:
        """What each of `count` new Strings takes over from the old: attributes, and alternatives."""
        strings = [element for element in old if element.name == "String"]
        kept = [self._alternatives(string) for string in strings]
        if len(strings) == count and not any(element.name == "HYP" for element in old):
            texts = [string.attributes.get("CONTENT", "") for string in strings]
            purposes = [_alternative(prefix, PREVIOUS, text) for text in texts]
            inside = [purpose + existing for purpose, existing in zip(purposes, kept, strict=True)]
            return [self._attributes(string) for string in strings], inside
        whole = _alternative(prefix, PREVIOUS_LINE, line_text(old)) + "".join(kept)
        return [""] * count, [whole] + [""] * (count - 1)

    def _alternatives(self, string: Element) -> str:
        """The alternatives that a String had, as they were written."""
        return b"".join(self._document.raw(child) for child in string.all("ALTERNATIVE")).decode()

    def _attributes(self, string: Element) -> str:
        spans = self._document.raw_attributes(string)
        kept = (span for name, span in spans.items() if name not in _REPLACED)
        return b"".join(self._document.data[start:stop] for start, stop in kept).decode()


def line_text(content: Sequence[Element]) -> str:
    """The text of a line from its String, SP and HYP elements, words a blank apart."""
    text = " ".join(element.attributes.get("CONTENT", "") for element in content if element.name == "String")
    return text + "".join(
        element.attributes.get("CONTENT", "") for element in content if element.name == "HYP"
    )


def _places(line: Line, element: Element, scale: tuple[float, float]) -> Callable[..., str]:
    """A function from page x pixels [left, right) to the attributes that say where that is.

    Above and below are the TextLine's own.
    """
    given = element.attributes
    top, tall = given.get("VPOS", str(line.box.y)), given.get("HEIGHT", str(line.box.height))

    def place(left: int, right: int, *, height: bool = True) -> str:
        start, stop = (round(scale[1] + edge * scale[0]) for edge in (left, right))
        position = f'HPOS="{start}" VPOS="{in_attribute(top)}" WIDTH="{stop - start}"'
        return position + (f' HEIGHT="{in_attribute(tall)}"' if height else "")

    return place


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _alternative(prefix: str, purpose: str, text: str) -> str:
    if not text.strip():
        return ""
    return f'<{prefix}ALTERNATIVE PURPOSE="{purpose}">{in_text(text)}</{prefix}ALTERNATIVE>'


def _glyph(prefix: str, char: Char, place: Callable[..., str]) -> str:
    position = place(char.left, char.right)
    return f'<{prefix}Glyph CONTENT="{in_attribute(char.text)}" {position} GC="{share(char.score)}"/>'


def _element(start: str, inside: str) -> str:
    name = start.split(maxsplit=1)[0]
    return f"<{start}>{inside}</{name}>" if inside else f"<{start}/>"
