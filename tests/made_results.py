"""Results made by hand, for the tests of the rooms that read results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from hwr_batch.results.schema import result_schema

FOOTER = {"hwr_batch.fingerprint": "f0", "hwr_batch.model": "toy"}


class FolderStore:
    """The reading half of a store, over local folders."""

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        return ((entry.name, entry.stat().st_size) for entry in Path(folder).iterdir())

    def open(self, uri: str) -> BinaryIO:
        return Path(uri).open("rb")


def line(line_id: str, text: str | None, reference: str | None = None, **columns: Any) -> dict[str, Any]:
    """One result row; read where `text` is a str, else failed. `columns` replace or add any."""
    read = text is not None
    row: dict[str, Any] = {
        "line_id": line_id,
        "image": f"{line_id}.png",
        "text": text,
        "score": 0.9 if read else None,
        "min_char_score": 0.8 if read else None,
        "path_log_prob": -1.0 if read else None,
        "char_scores": [0.9] * len(text) if text is not None else None,
        "char_spans": [{"start": 0, "end": 9}] * len(text) if text is not None else None,
        "status": "ok" if read else "image_missing",
        "error": None if read else "the file is not there",
        "image_width": 400 if read else None,
        "image_height": 50 if read else None,
        "pieces": 1,
        "reference_text": reference,
    }
    return row | columns


def write_part(folder: Path, index: int, rows: Sequence[Mapping[str, Any]]) -> Path:
    """`rows` as part number `index` of `folder`; extra columns are carried ones, their types inferred."""
    extra = [name for name in rows[0] if name not in result_schema(pa.schema([])).names]
    carried = pa.schema([(name, _type_of([row[name] for row in rows])) for name in extra])
    schema = result_schema(carried).with_metadata(
        {**FOOTER, "hwr_batch.shard": str(index), "hwr_batch.counts": "{}"}
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"part-{index:05d}.parquet"
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), path)
    return path


def write_output(folder: Path, rows: Sequence[Mapping[str, Any]], *, per_part: int = 1000) -> str:
    """All `rows` as parts of `per_part` rows; returns the OUTPUT."""
    for index, first in enumerate(range(0, len(rows), per_part)):
        write_part(folder, index, rows[first : first + per_part])
    (folder / "_plan.json").write_text("{}")
    return str(folder)


def _type_of(values: Sequence[Any]) -> pa.DataType:
    known = pa.array([value for value in values if value is not None]).type
    return pa.string() if pa.types.is_null(known) else known
