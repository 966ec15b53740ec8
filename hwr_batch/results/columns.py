"""LineResults → Arrow columns, and back.

Floats are stored as float32: reading them back and writing them again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from hwr_batch.errors import Status
from hwr_batch.records import LineResult, Reading
from hwr_batch.results.schema import has_calibrated_columns, result_schema

Array: TypeAlias = pa.Array


def result_arrays(results: Sequence[LineResult]) -> list[Array]:
    """One array per result column, in the schema's order, one value per result.

    Raises ValueError where a result contradicts itself: `ok` without a reading, a failure without a
    sentence, or a text whose characters, scores and spans differ in number; and where only some are judged.
    """
    for result in results:
        _check(result)
    calibrated = is_calibrated(results)
    readings = [result.reading for result in results]
    columns: dict[str, Any] = {
        "line_id": [result.line_id for result in results],
        "image": [result.image for result in results],
        "text": [reading and reading.text for reading in readings],
        "score": [reading and reading.score for reading in readings],
        "min_char_score": [reading and reading.min_char_score for reading in readings],
        "path_log_prob": [reading and reading.path_log_prob for reading in readings],
        "char_scores": _lists([reading.char_scores if reading else None for reading in readings], _floats),
        "char_spans": _lists([reading.char_spans if reading else None for reading in readings], _spans),
        "status": pa.array([str(result.status) for result in results], pa.string()).dictionary_encode(),
        "error": [result.error for result in results],
        "image_width": [result.image_width for result in results],
        "image_height": [result.image_height for result in results],
        "pieces": [result.pieces for result in results],
    }
    if calibrated:
        columns["p_correct"] = [result.p_correct for result in results]
        columns["needs_review"] = [result.needs_review for result in results]
    return [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in zip(
            result_schema(pa.schema([]), calibrated=calibrated), columns.values(), strict=True
        )
    ]


def is_calibrated(results: Sequence[LineResult]) -> bool:
    """Whether a calibration judged the results. Raises ValueError where it judged only some."""
    judged = [result.needs_review is not None for result in results]
    if any(judged) and not all(judged):
        raise ValueError(f"{results[judged.index(False)].line_id} is not judged, but others of its part are")
    return any(judged)


def _check(result: LineResult) -> None:
    reading = result.reading
    if (result.status is Status.OK) != (reading is not None) or (reading is None) != (
        result.error is not None
    ):
        raise ValueError(f"{result.line_id}: a line is ok with a reading, or failed with a sentence")
    if reading is None:
        return
    if not len(reading.text) == len(reading.char_scores) == len(reading.char_spans):
        raise ValueError(f"{result.line_id}: text, char_scores and char_spans differ in length")


def _lists(rows: Sequence[Sequence[Any] | None], values: Callable[[Iterable[Any]], Array]) -> Array:
    """A list column from flat values: ten times faster than handing pyarrow nested Python lists."""
    ends = accumulate((len(row) if row else 0 for row in rows), initial=0)
    offsets = pa.array(np.fromiter(ends, np.int32, len(rows) + 1))
    absent = pa.array([row is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(
        offsets, values(chain.from_iterable(row or () for row in rows)), mask=absent
    )


def _floats(values: Iterable[float]) -> Array:
    return pa.array(np.fromiter(values, np.float32))


def _spans(values: Iterable[tuple[int, int]]) -> Array:
    edges = np.fromiter(chain.from_iterable(values), np.int32).reshape(-1, 2)
    return pa.StructArray.from_arrays([pa.array(edges[:, 0]), pa.array(edges[:, 1])], names=["start", "end"])


def line_results(table: Any) -> tuple[LineResult, ...]:
    """The results that stand in a table which has the result columns. Raises ValueError as above."""
    names = result_schema(pa.schema([]), calibrated=has_calibrated_columns(table.schema)).names
    results = tuple(map(_line_result, table.select(names).to_pylist()))
    for result in results:
        _check(result)
    return results


def _line_result(row: dict[str, Any]) -> LineResult:
    return LineResult(
        line_id=row["line_id"],
        image=row["image"],
        status=Status(row["status"]),
        error=row["error"],
        reading=None if row["text"] is None else _reading(row),
        image_width=row["image_width"],
        image_height=row["image_height"],
        pieces=row["pieces"],
        p_correct=row.get("p_correct"),
        needs_review=row.get("needs_review"),
    )


def _reading(row: dict[str, Any]) -> Reading:
    return Reading(
        text=row["text"],
        score=row["score"],
        min_char_score=row["min_char_score"],
        path_log_prob=row["path_log_prob"],
        char_scores=tuple(row["char_scores"]),
        char_spans=tuple((span["start"], span["end"]) for span in row["char_spans"]),
    )
