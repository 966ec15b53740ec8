"""CSV and TSV records, as RFC 4180 has them: quoted cells may hold delimiters, newlines, doubled quotes.

Python's csv module is the judge of where a record ends, in its strict mode. A block without any quote is
handed to it in one go, since there every line is a record; otherwise records are counted line by line.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hwr_batch.manifest.blocks import BadRecordError, Records, decoded, line_starts
from hwr_batch.manifest.columns import CarriedColumn, FixedColumns
from hwr_batch.manifest.contract import CELL_LIMIT

# The module's limit of 131,072 characters is process-wide and too small for a long polygon; only ever raised.
csv.field_size_limit(max(csv.field_size_limit(), CELL_LIMIT))


Lines = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Delimited:
    """`names`: the header's columns, empty while the header itself is still to be read."""

    delimiter: str
    names: tuple[str, ...] = ()

    def as_begun(self, data: bytes) -> Delimited:
        """Split at semicolons where the file's first line holds some and no comma.

        Spreadsheets write CSV like that in countries where the comma is the decimal sign.
        """
        header = data.lstrip(b"\xef\xbb\xbf\r\n").partition(b"\n")[0]
        semicolons = self.delimiter == "," and b"," not in header and b";" in header
        return Delimited(";") if semicolons else self

    def split(self, data: bytes, final: bool) -> Records:
        """A record is a list of cells, str. See `blocks.Splitter`."""
        text, starts = decoded(data), line_starts(data)
        if b'"' in data:
            items, lines, end = self._quoted(text, len(starts), final)
        else:
            items, lines, end = self._plain(text), np.arange(len(starts)), len(starts)
        if not all(items):  # csv gives an empty list for a blank line
            lines = lines[np.fromiter(map(bool, items), np.bool_, len(items))]
            items = [item for item in items if item]
        self._check(items, lines)
        return Records(items, starts[lines], lines, len(data) if end == len(starts) else int(starts[end]))

    def _plain(self, text: str) -> list[list[str]]:
        if "\r" not in text and len(text) <= CELL_LIMIT:  # then csv does no more than this, at twice the cost
            lines = text.removesuffix("\n").split("\n")
            return [line.split(self.delimiter) if line else [] for line in lines]
        reader = csv.reader(StringIO(text, newline="\n"), delimiter=self.delimiter, strict=True)
        try:
            return list(reader)
        except csv.Error as exc:
            raise BadRecordError(reader.line_num - 1, _explained(exc)) from exc

    def _quoted(self, text: str, lines: int, final: bool) -> tuple[list[list[str]], Lines, int]:
        """Records, the line each begins in, and the line after the last whole record."""
        reader = csv.reader(StringIO(text, newline="\n"), delimiter=self.delimiter, strict=True)
        items: list[list[str]] = []
        firsts = [0]
        try:
            for item in reader:
                items.append(item)
                firsts.append(reader.line_num)
        except csv.Error as exc:
            if final or reader.line_num < lines:
                raise BadRecordError(firsts[-1], _explained(exc)) from exc
            # The block ends within quotes: the rest of the record comes with the next one.
        return items, np.array(firsts[:-1], np.int64), firsts[-1]

    def _check(self, items: list[list[str]], lines: Lines) -> None:
        """Raises BadRecordError for the first record with too many or too few cells."""
        if self.names and set(map(len, items)) - {len(self.names)}:
            wrong = next(i for i, item in enumerate(items) if len(item) != len(self.names))
            raise BadRecordError(
                int(lines[wrong]),
                f"the row has {len(items[wrong])} cells and the header {len(self.names)}; "
                "put cells that hold the delimiter or a newline in double quotes",
            )

    def columns(self, items: list[list[str]], names: Sequence[str]) -> dict[str, Sequence[object]]:
        """Those of the columns `names` that the manifest has."""
        places = {name: place for place, name in enumerate(self.names)}
        return {name: [item[places[name]] for item in items] for name in names if name in places}

    def survey(self) -> FixedColumns:
        """Every cell is text; nothing depends on the records."""
        return FixedColumns(tuple(CarriedColumn(name, pa.string()) for name in self.names))


def _explained(error: csv.Error) -> str:
    """What the csv module stumbled over, and what to do."""
    sentence = str(error)
    if "unexpected end of data" in sentence:
        return "a quote opens in this row and is never closed; double quotes within a cell must be doubled"
    if "field larger" in sentence:
        return f"a cell holds more than {CELL_LIMIT // 10**6} MB; no line of text is that long"
    if "new-line character" in sentence:
        return (
            "a carriage return stands outside quotes; end lines with a newline, and quote cells that hold one"
        )
    return f"{sentence}; double quotes within a cell must be doubled, and the cell quoted"


def header_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The header's column names, spaces around them dropped. Raises BadRecordError where one stands twice."""
    names = tuple(cell.strip() for cell in cells)
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise BadRecordError(0, f"the header names {min(twice)!r} twice; give each column a name of its own")
    return names
