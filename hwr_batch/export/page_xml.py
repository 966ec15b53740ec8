"""Texts → a copy of a PAGE XML file.

    <TextLine id="l1">                       its start tag, Coords and Baseline stay as they are
      <Coords …/><Baseline …/>
      <Word id="l1_w1">…</Word>              new, where the line has no words yet
      <TextEquiv index="0" conf="0.9312">    new: what was read
      <TextEquiv index="1">                  what stood there; only its index is changed

Words that are there already stay, with the text they have: their ids and polygons are somebody's work. The
schema of 2013 (Transkribus writes it) allows one TextEquiv for a line and no index; there the old text moves
to the line's `comments`. Texts of regions are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from hwr_batch.export.layout import Layout
from hwr_batch.export.lines import Line
from hwr_batch.export.markup import in_attribute, in_text, rectangle, share
from hwr_batch.export.offsets import Document, Edit, Element, inserted, removed, replaced
from hwr_batch.export.request import Detail
from hwr_batch.export.words import Char, Word, confidence, words
from hwr_batch.records import Box

_SEVERAL_TEXTS = 2016  # since this schema a line may have several TextEquiv, told apart by their index
_BEFORE_WORDS = ("AlternativeImage", "Coords", "Baseline")
PREVIOUS = "previous text: "


def page_edits(layout: Layout, pairs: tuple[tuple[Line, Element], ...], detail: Detail) -> list[Edit]:
    """What to change in the file for each line that was read and its TextLine."""
    ids = {value for element in layout.document.root.walk() if (value := element.attributes.get("id"))}
    writer = _Writer(layout.document, layout.version >= _SEVERAL_TEXTS, ids, detail)
    return [edit for line, element in pairs for edit in writer.edits(line, element)]


class _Writer:
    """Writes into one document; `ids` are those taken, and grow."""

    def __init__(self, document: Document, several: bool, ids: set[str], detail: Detail) -> None:
        self._document, self._several, self._ids, self._detail = document, several, ids, detail

    def edits(self, line: Line, element: Element) -> Iterator[Edit]:
        prefix = self._document.prefix(element)
        first = element.children[0] if element.children else element
        lead = self._document.lead(first)
        new_words = b""
        if self._detail is not Detail.LINE and not element.all("Word"):
            new_words = b"".join(lead + source.encode() for source in self._words(line, element, prefix))
        text = self._text_equiv(prefix, line.text or "", confidence(line.score), several=self._several)
        existing = element.all("TextEquiv")
        if not existing:
            anchor = _last(element, (*_BEFORE_WORDS, "Word"))
            yield inserted(self._document, element, anchor, new_words + lead + text.encode())
            return
        if new_words:
            yield inserted(self._document, element, _last(element, _BEFORE_WORDS), new_words)
        if self._several:
            yield from self._kept_beside(existing, text.encode())
        else:
            yield from self._kept_in_comments(element, existing, text.encode())

    def _kept_beside(self, existing: list[Element], text: bytes) -> Iterator[Edit]:
        """The new text first; those that were there behind it, by their order, blank ones left out."""
        if _unicode(existing[0]).strip():
            lead = self._document.lead(existing[0])
            yield Edit(existing[0].start, existing[0].start, text + lead)
        else:
            yield replaced(existing[0], text)
        yield from (removed(self._document, old) for old in existing[1:] if not _unicode(old).strip())
        order = sorted((old for old in existing if _unicode(old).strip()), key=_index)
        for rank, old in enumerate(order, 1):
            if old.attributes.get("index") != str(rank):
                yield self._attribute(old, "index", str(rank))

    def _kept_in_comments(self, element: Element, existing: list[Element], text: bytes) -> Iterator[Edit]:
        yield replaced(existing[0], text)
        yield from (removed(self._document, old) for old in existing[1:])
        texts = [old_text for old in existing if (old_text := _unicode(old)).strip()]
        if texts:
            comments = [*filter(None, [element.attributes.get("comments")]), PREVIOUS + " | ".join(texts)]
            yield self._attribute(element, "comments", "; ".join(comments))

    def _attribute(self, element: Element, name: str, value: str) -> Edit:
        """Set an attribute where it stands, or as the first one."""
        behind_tag = element.start + 1 + len(self._document.tag(element))
        at = self._document.raw_attributes(element).get(name, (behind_tag, behind_tag))
        return Edit(*at, f' {name}="{in_attribute(value)}"'.encode())

    def _words(self, line: Line, element: Element, prefix: str) -> Iterator[str]:
        base = element.attributes.get("id", line.xml_line_id or "line")
        for number, word in enumerate(words(line, self._detail), 1):
            word_id = self._free(f"{base}_w{number}")
            glyphs = "".join(self._glyphs(line, word, word_id, prefix))
            text = self._text_equiv(prefix, word.text, word.score)
            yield (
                f'<{prefix}Word id="{in_attribute(word_id)}">{_coords(prefix, line, word)}{glyphs}{text}'
                f"</{prefix}Word>"
            )

    def _glyphs(self, line: Line, word: Word, word_id: str, prefix: str) -> Iterator[str]:
        for number, char in enumerate(word.chars, 1):
            glyph_id = in_attribute(self._free(f"{word_id}_g{number}"))
            text = self._text_equiv(prefix, char.text, char.score)
            yield f'<{prefix}Glyph id="{glyph_id}">{_coords(prefix, line, char)}{text}</{prefix}Glyph>'

    def _free(self, wanted: str) -> str:
        """`wanted`, or the first variation of it that is nobody's id."""
        chosen, number = wanted, 1
        while chosen in self._ids:
            number += 1
            chosen = f"{wanted}.{number}"
        self._ids.add(chosen)
        return chosen

    def _text_equiv(self, prefix: str, text: str, score: float, *, several: bool = False) -> str:
        index = ' index="0"' if several else ""
        return (
            f'<{prefix}TextEquiv{index} conf="{share(score)}">'
            f"<{prefix}Unicode>{in_text(text)}</{prefix}Unicode></{prefix}TextEquiv>"
        )


def _coords(prefix: str, line: Line, part: Word | Char) -> str:
    box = Box(part.left, line.box.y, part.right - part.left, line.box.height)
    return f'<{prefix}Coords points="{rectangle(box)}"/>'


def _last(element: Element, names: tuple[str, ...]) -> Element | None:
    found = [child for child in element.children if child.name in names]
    return found[-1] if found else None


def _unicode(text_equiv: Element) -> str:
    return "".join(child.text for child in text_equiv.all("Unicode"))


def _index(text_equiv: Element) -> int:
    """Its place among the texts of the line; the schema's sort order, without an index the first."""
    value = text_equiv.attributes.get("index", "0")
    return int(value) if value.isdecimal() else 0
