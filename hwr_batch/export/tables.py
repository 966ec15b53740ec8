"""Result rows → CSV or JSON lines, every column, in files of bounded size.

JSON lines are made for search engines: one object per line of handwriting, with `box` [x, y, width,
height] in page pixels beside the columns as they are; `Detail.LINE` and `WORD` leave the per-character
columns out. In CSV, lists and structs are JSON, and a null is an empty cell.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hwr_batch.export.lines import BATCH_ROWS, line_box
from hwr_batch.export.request import Detail, Format
from hwr_batch.results.reading import PartStore, column_names, read_columns

FILE_BYTES = 32 << 20  # a file is closed once it is this large
_CHARACTERS = ("char_scores", "char_spans")
_FLOAT32 = frozenset({"score", "min_char_score", "path_log_prob", "p_correct"})


class Sink(Protocol):
    """Takes the pieces of one table: `begin` before the first bytes of each file, `size` bytes since then."""

    @property
    def size(self) -> int: ...

    def begin(self) -> None: ...

    def write(self, data: bytes) -> None: ...


def write_table(output: str, store: PartStore, format: Format, detail: Detail, sink: Sink) -> Counter[str]:
    """Write all rows of OUTPUT, those of lines that could not be read among them.

    Returns how many rows there are of each status.
    """
    names = [name for name in column_names(output, store) if detail is Detail.CHAR or name not in _CHARACTERS]
    encode = _Csv(names) if format is Format.CSV else _JsonLines(names)
    by_status: Counter[str] = Counter()
    for batch in read_columns(output, store, names, batch_rows=BATCH_ROWS):
        if not by_status or sink.size >= FILE_BYTES:
            sink.begin()
            sink.write(encode.head())
        values = [dict(zip(names, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        sink.write(encode.rows(values))
        by_status.update(batch["status"])
    return by_status


class _JsonLines:
    def __init__(self, names: Sequence[str]) -> None:
        self._with_box = "box" not in names

    def head(self) -> bytes:
        return b""

    def rows(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return b"".join(self._row(row) for row in rows)

    def _row(self, row: dict[str, Any]) -> bytes:
        content = {name: _value(name, value) for name, value in row.items()}
        if self._with_box:
            box = line_box(row)
            content["box"] = [box.x, box.y, box.width, box.height]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class _Csv:
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def head(self) -> bytes:
        return self._encoded([self._names])

    def rows(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return self._encoded([_cell(_value(name, row[name])) for name in self._names] for row in rows)

    def _encoded(self, rows: Any) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _value(name: str, value: Any) -> Any:
    """A value as JSON holds it: spans as [start, end], float32 by its shortest digits, NaN as null."""
    if value is None:
        return None
    if name == "char_spans":
        return [[span["start"], span["end"]] for span in value]
    if name == "char_scores":
        return [_short(score) for score in value]
    if name in _FLOAT32:
        return _short(value)
    return _plain(value)


def _short(value: float) -> float | None:
    """The shortest number that is the same float32: 0.9 rather than 0.8999999761581421."""
    return float(str(np.float32(value))) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A carried value of any type."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
