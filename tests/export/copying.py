"""Texts written into one layout file, without results and stores around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwr_batch.export.alto_xml import alto_edits
from hwr_batch.export.layout import Placed, copy, place, recognise
from hwr_batch.export.lines import Line, _line
from hwr_batch.export.offsets import parse
from hwr_batch.export.page_xml import page_edits
from hwr_batch.export.request import Detail, Format


def as_line(made: Mapping[str, Any]) -> Line:
    """A result row as the export reads it."""
    return _line(made)


def write_into(
    source: str | bytes, rows: list[dict[str, Any]], detail: Detail = Detail.CHAR
) -> tuple[bytes, Placed]:
    """The copy of `source` with the results `rows`, and where they went."""
    layout = recognise(parse(source.encode() if isinstance(source, str) else source))
    placed = place(layout, [as_line(made) for made in rows])
    edits = page_edits if layout.format is Format.PAGE else alto_edits
    return copy(layout, edits(layout, placed.pairs, detail)), placed
