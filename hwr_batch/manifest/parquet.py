"""Parquet manifests: read by row number, key columns alone while scanning, embedded images never there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hwr_batch.errors import ManifestError
from hwr_batch.manifest.columns import carried_columns, carried_schema, check_image
from hwr_batch.manifest.contract import ManifestStore, Scan, ShardRows, open_file
from hwr_batch.manifest.parquet_cells import (
    ImageColumn,
    check_sizes,
    embedded_bytes,
    image_column,
    key_cells,
    manifest_columns,
)
from hwr_batch.manifest.parquet_digest import parquet_digest
from hwr_batch.manifest.parquet_span import AT_ONCE, group_span, read_span
from hwr_batch.manifest.rows import KEY_COLUMNS, line_ids_from_columns, rows_from_columns
from hwr_batch.manifest.survey import KeyBatch, survey
from hwr_batch.plan import LARGEST_AUTO_SHARD
from hwr_batch.records import ShardSpec
from hwr_batch.storage import redact

SCAN_ROWS = 1 << 13  # decoded at a time while scanning
READ_ROWS = 1024  # of plain columns: a shard's worth
READ_EMBEDDED_ROWS = 64  # with an image in each
_BUFFER = 1 << 20  # bytes read ahead per column; without it pyarrow loads whole column chunks


class ParquetManifest:
    """See `contract.Manifest`. Raises ManifestError where the file is missing, is no Parquet file, or has no
    `image` column of a known type."""

    def __init__(self, uri: str, store: ManifestStore) -> None:
        self.uri = uri
        self._store = store
        with self._opened() as (_, parquet):
            schema = parquet.schema_arrow
            self._metadata = parquet.metadata
        self._image = self._image_column(schema)
        self._carried = carried_schema(manifest_columns(schema))
        self._keys = [name for name in KEY_COLUMNS if name in schema.names]
        groups = range(self._metadata.num_row_groups)
        rows = [self._metadata.row_group(group).num_rows for group in groups]
        self._ends = np.cumsum(rows, dtype=np.int64)  # (row groups,), the row after each
        self._largest_group = max(rows, default=0)
        self._cursor: _Cursor | None = None

    def scan(self, every: int, limit: int | None, on_rows: Callable[[int], None] | None) -> Scan:
        """See `contract.Manifest`."""
        with self._opened() as (file, parquet):
            first = self._batches(parquet, limit)
            rows, marks = survey(self.uri, first, lambda: self._again(limit), every=every, on_rows=on_rows)
            digest = parquet_digest(file, self._metadata, self._image.data)
        return Scan(rows, digest, marks, self._carried)

    def read(self, spec: ShardSpec) -> ShardRows:
        """See `contract.Manifest`. Decoding begins at the shard's row group."""
        with self._damage_named():
            batch = self._take(spec)
            check_sizes(batch, self._image)
            columns = self._cells(batch, self._keys)
            rows = rows_from_columns(spec.first_row, columns, embedded_bytes(batch, self._image))
            sources = [column.source for column in carried_columns(self._carried)]
            carried = pa.Table.from_arrays([batch.column(name) for name in sources], schema=self._carried)
        return ShardRows(rows, carried)

    def close(self) -> None:
        """See `contract.Manifest`."""
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = None

    def _image_column(self, schema: pa.Schema) -> ImageColumn:
        check_image(self.uri, schema.names)
        twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
        try:
            if twice:
                raise ValueError(f"two columns are named {twice[0]!r}; give each a name of its own")
            return image_column(schema)
        except ValueError as exc:
            raise ManifestError(f"{redact(self.uri)}: {exc}") from exc

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        """Around pyarrow only: it raises ValueErrors and OSErrors for what is no Parquet, or damaged."""
        try:
            yield
        except (pa.ArrowException, ValueError, OSError) as exc:
            raise ManifestError(
                f"{redact(self.uri)}: cannot be read as Parquet ({_first_line(exc)}); write it anew"
            ) from exc

    @contextmanager
    def _opened(self) -> Iterator[tuple[BinaryIO, Any]]:
        with open_file(self.uri, self._store) as file:
            with self._damage_named():
                parquet = pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
            yield file, parquet

    def _batches(self, parquet: Any, limit: int | None) -> Iterator[KeyBatch]:
        """The keys of all rows up to the limit; only their columns are read."""
        leaves = [name for name in self._keys if name != "image"]
        leaves += [self._image.path] if self._image.path is not None else []
        row, end = 0, self._end(limit)
        batches = self._decoded(parquet, leaves, end)
        while row < end:
            with self._damage_named():
                batch = next(batches).slice(0, end - row)
                check_sizes(batch, self._image)
                cells_of = partial(self._cells, batch)
                images = self._together(row, batch.num_rows) or cells_of(["image"])["image"]
                line_ids = line_ids_from_columns(row, cells_of)
            yield KeyBatch(row, images, line_ids, None)
            row += batch.num_rows

    def _together(self, row: int, count: int) -> list[object]:
        """What rows `row` on have in common with their neighbours where images are embedded: the row group,
        so that a shard is whole ones. Nothing where groups are too large for that, or images are outside."""
        if self._image.data is None or self._largest_group > LARGEST_AUTO_SHARD:
            return []
        groups = np.searchsorted(self._ends, np.arange(row, row + count), side="right")
        return list((groups + 1).tolist())  # from 1 on: 0 would be no image

    def _cells(self, batch: Any, names: Sequence[str]) -> dict[str, list[object]]:
        return key_cells(batch, self._image, [name for name in names if name in self._keys])

    @staticmethod
    def _decoded(parquet: Any, leaves: list[str], end: int) -> Iterator[Any]:
        if leaves:
            yield from parquet.iter_batches(SCAN_ROWS, columns=leaves)
        else:  # nothing but embedded images: as many rows without a column
            yield from (_rows_only(min(SCAN_ROWS, end - row)) for row in range(0, end, SCAN_ROWS))

    def _end(self, limit: int | None) -> int:
        rows = int(self._metadata.num_rows)
        return rows if limit is None else min(limit, rows)

    def _again(self, limit: int | None) -> Iterator[KeyBatch]:
        with self._opened() as (_, parquet):
            yield from self._batches(parquet, limit)

    def _take(self, spec: ShardSpec) -> Any:
        """The shard's rows as one record batch of all columns."""
        cursor, self._cursor = self._cursor, None  # a cursor that fails is not used again
        if self._image.data is not None and (found := self._take_at_once(spec)):
            return _all_of(found, spec)
        group = int(np.searchsorted(self._ends, spec.first_row, side="right"))
        if cursor is None or not self._group_start(group) <= cursor.row <= spec.first_row:
            if cursor is not None:
                cursor.close()
            cursor = self._cursor_at(group)
        batches = cursor.take(spec)
        shard = _all_of(batches, spec)
        self._cursor = cursor
        return shard

    def _take_at_once(self, spec: ShardSpec) -> list[Any]:
        """The shard's rows by one read of its row groups; nothing where they are too large for that."""
        first, last = np.searchsorted(
            self._ends, [spec.first_row, spec.first_row + spec.rows - 1], side="right"
        )
        groups = [group for group in range(first, last + 1) if group < len(self._ends)]
        start, stop = group_span(self._metadata, groups)
        if not groups or stop - start > AT_ONCE:
            return []
        with open_file(self.uri, self._store) as file:
            span = read_span(file, start, stop)
        parquet = pq.ParquetFile(span, metadata=self._metadata, pre_buffer=False)
        batches = parquet.iter_batches(READ_EMBEDDED_ROWS, row_groups=groups)
        return _Cursor(span, batches, self._group_start(groups[0])).take(spec)

    def _group_start(self, group: int) -> int:
        return int(self._ends[group - 1]) if group else 0

    def _cursor_at(self, group: int) -> _Cursor:
        file = open_file(self.uri, self._store)
        parquet = pq.ParquetFile(file, metadata=self._metadata, buffer_size=_BUFFER, pre_buffer=False)
        rows = READ_ROWS if self._image.data is None else READ_EMBEDDED_ROWS
        groups = list(range(group, self._metadata.num_row_groups))
        return _Cursor(file, parquet.iter_batches(rows, row_groups=groups), self._group_start(group))


class _Cursor:
    """An open manifest, decoded up to `row` (0-based, the next one to come)."""

    def __init__(self, file: BinaryIO, batches: Iterator[Any], row: int) -> None:
        self.row = row
        self._batches = batches
        self._left: Any = None
        self.close = weakref.finalize(self, file.close)  # a worker keeps its manifest for life

    def take(self, spec: ShardSpec) -> list[Any]:
        """The rows of the shard, those before it passed over; fewer at the end of the file."""
        taken = []
        end = spec.first_row + spec.rows
        while self.row < end:
            if self._left is None or not self._left.num_rows:
                self._left = next(self._batches, None)
            if self._left is None:
                break
            step = min(self._left.num_rows, (spec.first_row if self.row < spec.first_row else end) - self.row)
            if self.row >= spec.first_row:
                taken.append(self._left.slice(0, step))
            self._left = self._left.slice(step)
            self.row += step
        return taken


def _all_of(batches: list[Any], spec: ShardSpec) -> Any:
    """One record batch of them all. Raises ValueError where they are fewer rows than the shard has."""
    if sum(batch.num_rows for batch in batches) < spec.rows:
        raise ValueError("it has fewer rows than when it was planned")
    return pa.concat_batches(batches)


def _rows_only(count: int) -> Any:
    return pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
