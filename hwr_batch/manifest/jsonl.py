"""JSON Lines records: one object per line, blank lines skipped, one type per column over the whole file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

from hwr_batch.manifest.blocks import BadRecordError, Records, check_cell, decoded, line_starts
from hwr_batch.manifest.columns import CarriedColumn
from hwr_batch.manifest.contract import CELL_LIMIT

_LARGEST_INT64 = 2**63 - 1
_LARGEST_IN_FLOAT64 = 2**53  # integers beyond it would change their value
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODE = json.JSONDecoder(parse_constant=_refuse_constant).decode


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A record is a dict from column name to value."""

    def split(self, data: bytes, final: bool) -> Records:  # noqa: ARG002  lines end where they end
        """See `blocks.Splitter`."""
        check = len(data) > CELL_LIMIT or _SURROGATE.search(data) is not None
        items: list[dict[str, Any]] = []
        kept: list[int] = []
        for line, text in enumerate(decoded(data).split("\n")):
            if text and not text.isspace():
                items.append(_object(text, line, check))
                kept.append(line)
        lines = np.array(kept, np.int64)
        return Records(items, line_starts(data)[lines], lines, len(data))

    def columns(self, items: list[dict[str, Any]], names: Sequence[str]) -> dict[str, Sequence[object]]:
        """All of the columns `names`; a missing key is None."""
        return {name: [item.get(name) for item in items] for name in names}

    def survey(self) -> TypeVotes:
        return TypeVotes()


def _object(text: str, line: int, check: bool) -> dict[str, Any]:
    try:
        item = _DECODE(text)
    except json.JSONDecodeError as exc:
        raise BadRecordError(
            line, f"is not JSON ({exc.msg}, column {exc.colno}); write one object per line"
        ) from exc
    except (ValueError, RecursionError) as exc:  # NaN, a number of thousands of digits, a too deep nesting
        raise BadRecordError(line, "holds a value that is not plain JSON; write one object per line") from exc
    if not isinstance(item, dict):
        raise BadRecordError(line, 'is not a JSON object; write one per line, such as {"image": "a.png"}')
    if check:
        _check_values(item, line)
    return item


def _check_values(item: dict[str, Any], line: int) -> None:
    """Raises BadRecordError for a value too long, or with half a character (a lone surrogate) in it."""
    for value in item.values():
        check_cell(value, line)
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise BadRecordError(
            line, "holds half a \\u escape pair, which is no character; write both halves"
        ) from exc


class TypeVotes:
    """The types met in each column so far, and from them one type per column.

    int64 where all are integers, float64 where all are numbers, bool, string; anything else, and numbers
    that would change their value, becomes JSON text. Null and missing fit every type.
    """

    def __init__(self) -> None:
        self._types: dict[str, set[type]] = {}
        self._largest: dict[str, int] = {}

    def note(self, items: Sequence[dict[str, Any]]) -> None:
        """Take some records into account."""
        for name in dict.fromkeys(chain.from_iterable(items)):
            values = [item.get(name) for item in items]
            types = set(map(type, values))
            self._types.setdefault(name, set()).update(types)
            if int in types:
                largest = max(abs(value) for value in values if type(value) is int)
                self._largest[name] = max(largest, self._largest.get(name, 0))

    def found(self) -> tuple[CarriedColumn, ...]:
        """Every column, in the order of first appearance."""
        return tuple(self._column(name) for name in self._types)

    def _column(self, name: str) -> CarriedColumn:
        types = self._types[name] - {type(None)}
        largest = self._largest.get(name, 0)
        if types <= {str}:
            return CarriedColumn(name, pa.string())
        if types == {bool}:
            return CarriedColumn(name, pa.bool_())
        if types == {int} and largest <= _LARGEST_INT64:
            return CarriedColumn(name, pa.int64())
        if types <= {int, float} and largest <= _LARGEST_IN_FLOAT64:
            return CarriedColumn(name, pa.float64())
        return CarriedColumn(name, pa.string(), as_json=True)
