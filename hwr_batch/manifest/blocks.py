"""From a stream of bytes to blocks of whole records, each with the byte offset of every record.

A format says where records end (`Splitter`); this file feeds it, carries the unfinished tail over, counts
lines for messages, and bounds what one record may cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwr_batch.errors import ManifestError
from hwr_batch.manifest.contract import CELL_LIMIT, ROW_LIMIT
from hwr_batch.storage import redact

_BOM = b"\xef\xbb\xbf"
_NEWLINE = 10


class BadRecordError(ValueError):
    """A record cannot be read. `line`: of the block, 0-based."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Records:
    """The records of some bytes, blank ones left out.

    `starts`, `lines`: int64 (records,), byte offset and physical line (0-based) in which each begins;
    `consumed`: bytes up to the end of the last whole one.
    """

    items: list[Any]
    starts: NDArray[np.int64]
    lines: NDArray[np.int64]
    consumed: int


# (data, final) → records. `data` begins with a record and ends with a newline, or with the file where
# `final`; only a splitter whose records hold newlines may leave a tail. Raises BadRecordError.
Splitter: TypeAlias = Callable[[bytes, bool], Records]


@dataclass(frozen=True, slots=True)
class Start:
    """Where in the text to begin. `skip`: bytes still to drop from the stream; `line`: lines before it."""

    offset: int = 0
    line: int = 0
    skip: int = 0


def blocks(chunks: Iterator[bytes], split: Splitter, uri: str, start: Start) -> Iterator[Records]:
    """Blocks of at least one record, in order; its numbers count from the text's beginning.

    A byte order mark at the beginning is dropped. Raises ManifestError with the line of what is wrong.
    """
    reader = _BlockReader(split, uri, start.offset, start.line)
    held, size, enough, skip = [b""], 0, 0, start.skip
    for chunk in chunks:
        if skip:
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
        held.append(chunk)
        size += len(chunk)
        if size >= enough:
            data, records = reader.read(b"".join(held), final=False)
            # An unfinished record is looked at again only once it has doubled, or a long one would be
            # read hundreds of times.
            held, size, enough = [data], len(data), min(2 * len(data), ROW_LIMIT + 1)
            yield from records
    yield from reader.read(b"".join(held), final=True)[1]


class _BlockReader:
    """Knows where in the text the next block begins. `line` counts newlines passed."""

    def __init__(self, split: Splitter, uri: str, offset: int, line: int) -> None:
        self._split = split
        self._uri = uri
        self._offset = offset
        self._line = line
        self._after = f" after byte {offset}" if offset and not line else ""

    def read(self, data: bytes, *, final: bool) -> tuple[bytes, list[Records]]:
        """What is left of `data`, and the records before that, placed in the text: one block or none."""
        if self._offset == 0 and data.startswith(_BOM):
            self._offset = len(_BOM)
            data = data[len(_BOM) :]
        end = len(data) if final else data.rfind(b"\n") + 1
        if not end:
            return self._within_limit(data), []
        try:
            records = self._split(data[:end], final)
        except BadRecordError as bad:
            raise self._error(bad.line, bad.sentence) from bad
        offset, line, consumed = self._offset, self._line, records.consumed
        self._offset += consumed
        self._line += data.count(b"\n", 0, consumed)
        placed = Records(records.items, records.starts + offset, records.lines + line, self._offset)
        return self._within_limit(data[consumed:]), [placed] if placed.items else []

    def _within_limit(self, rest: bytes) -> bytes:
        if len(rest) <= ROW_LIMIT:
            return rest
        raise self._error(
            0,
            f"the row that begins here goes on for more than {ROW_LIMIT // 10**6} MB "
            f"(a cell may hold {CELL_LIMIT // 10**6} MB); look for a quote that is never closed",
        )

    def _error(self, line: int, sentence: str) -> ManifestError:
        return ManifestError(f"{redact(self._uri)}, line {self._line + line + 1}{self._after}: {sentence}")


def line_starts(data: bytes) -> NDArray[np.int64]:
    """Byte offset of every physical line, int64 (lines,)."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1
    starts = np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64, copy=False)])
    return starts[:-1] if starts[-1] == len(data) else starts


def decoded(data: bytes) -> str:
    """`data` as text. Raises BadRecordError with the line that is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start)
        raise BadRecordError(line, "is not UTF-8 text; save the manifest as UTF-8") from exc


def check_cell(cell: object, line: int) -> None:
    """Raises BadRecordError where a cell is longer than any cell may be."""
    if isinstance(cell, str) and len(cell) > CELL_LIMIT:
        raise BadRecordError(
            line, f"a cell holds more than {CELL_LIMIT // 10**6} MB; no line of text is that long"
        )
