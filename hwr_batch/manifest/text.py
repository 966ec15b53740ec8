"""Manifests that are text: CSV, TSV, JSON Lines and plain lines, each also compressed.

An uncompressed one is read at byte offsets; a compressed one is streamed, so that ascending shards pass
through it once.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from hwr_batch.errors import ManifestError
from hwr_batch.manifest.blocks import BadRecordError, Records, Start, blocks
from hwr_batch.manifest.columns import (
    CarriedColumn,
    carried_columns,
    carried_schema,
    carried_table,
    check_image,
)
from hwr_batch.manifest.contract import ManifestStore, Scan, ShardRows, open_file
from hwr_batch.manifest.delimited import Delimited, header_names
from hwr_batch.manifest.rows import KEY_COLUMNS, line_ids_from_columns, rows_from_columns
from hwr_batch.manifest.stream import SCAN_CHUNK, Codec, Digest, chunks, drain
from hwr_batch.manifest.survey import KeyBatch, survey
from hwr_batch.records import ShardSpec
from hwr_batch.storage import redact

READ_CHUNK = 1 << 18  # bytes: about a shard of 1,024 rows
SKIP_ROWS = 4096  # passed over at a time in compressed manifests


class ColumnSurvey(Protocol):
    """Learns the columns from the records of a scan."""

    def note(self, items: Sequence[Any], /) -> None: ...

    def found(self) -> tuple[CarriedColumn, ...]: ...


class TextFormat(Protocol):
    """How records look: where they end, and the cells of some columns (absent ones may be left out)."""

    def split(self, data: bytes, final: bool, /) -> Records: ...

    def columns(self, items: list[Any], names: Sequence[str], /) -> dict[str, Sequence[object]]: ...

    def survey(self) -> ColumnSurvey: ...


class TextManifest:
    """See `contract.Manifest`. `carried`: as the plan has it; a scan finds it too.

    Raises ManifestError where the file is missing, or its header has no `image`.
    """

    def __init__(
        self, uri: str, store: ManifestStore, form: TextFormat, codec: Codec, *, carried: pa.Schema | None
    ) -> None:
        self.uri = uri
        self._store = store
        self._codec = codec
        self._form, self._start = self._without_header(form)
        found = self._form.survey().found()
        self._carried = carried_schema(found) if carried is None and found else carried
        self._cursor: _Cursor | None = None

    def scan(self, every: int, limit: int | None, on_rows: Callable[[int], None] | None) -> Scan:
        """See `contract.Manifest`; of JSON Lines, the rows within `limit` decide the columns."""
        columns, digest = self._form.survey(), hashlib.sha256()
        with open_file(self.uri, self._store) as file:
            first = self._batches(file, limit, digest=digest, note=columns.note)
            rows, marks = survey(self.uri, first, lambda: self._again(limit), every=every, on_rows=on_rows)
            drain(file, digest)
        check_image(self.uri, [column.source for column in columns.found()])
        self._carried = carried_schema(columns.found())
        return Scan(rows, digest.hexdigest(), marks, self._carried)

    def read(self, spec: ShardSpec) -> ShardRows:
        """See `contract.Manifest`. Raises ValueError for JSON Lines that were neither scanned nor opened
        with the plan's carried schema: one shard cannot tell a column's type."""
        if self._carried is None:
            raise ValueError(f"{redact(self.uri)}: open it with the plan's carried schema, or scan it first")
        items = self._take(spec)
        sources = [column.source for column in carried_columns(self._carried)]
        columns = self._form.columns(items, [*KEY_COLUMNS, *sources])
        return ShardRows(rows_from_columns(spec.first_row, columns), carried_table(self._carried, columns))

    def close(self) -> None:
        """See `contract.Manifest`."""
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = None

    def _without_header(self, form: TextFormat) -> tuple[TextFormat, Start]:
        """The format with its column names, and where the data begins."""
        with open_file(self.uri, self._store) as file:
            if not isinstance(form, Delimited):
                file.read(1)  # so that a missing file is missed now
                return form, Start()
            stream = chunks(file, self.uri, self._codec, size=READ_CHUNK)
            begun = next(stream, b"")
            form = form.as_begun(begun)
            head = next(blocks(chain([begun], stream), form.split, self.uri, Start()), None)
        if head is None:
            raise ManifestError(f"{redact(self.uri)}: is empty; begin it with a header that names `image`")
        return self._named(form, head)

    def _named(self, form: Delimited, head: Records) -> tuple[TextFormat, Start]:
        try:
            names = header_names(head.items[0])
        except BadRecordError as bad:
            raise ManifestError(f"{redact(self.uri)}: {bad.sentence}") from bad
        check_image(self.uri, names)
        if len(head.items) > 1:
            start = Start(int(head.starts[1]), int(head.lines[1]), skip=int(head.starts[1]))
        else:
            start = Start(head.consumed, int(head.lines[0]) + 1, skip=head.consumed)
        return Delimited(form.delimiter, names), start

    def _batches(
        self,
        file: BinaryIO,
        limit: int | None,
        *,
        digest: Digest | None = None,
        note: Callable[[list[Any]], None] | None = None,
    ) -> Iterator[KeyBatch]:
        """The keys of all rows up to the limit. `note` sees every record."""
        row = 0
        stream = chunks(file, self.uri, self._codec, digest=digest, size=SCAN_CHUNK)
        for block in blocks(stream, self._form.split, self.uri, self._start):
            items = block.items if limit is None else block.items[: limit - row]
            if note is not None:
                note(items)
            images = self._form.columns(items, ["image"])["image"]
            line_ids = line_ids_from_columns(row, partial(self._form.columns, items))
            yield KeyBatch(row, images, line_ids, block.starts if self._codec is Codec.PLAIN else None)
            row += len(items)
            if row == limit:
                return

    def _again(self, limit: int | None) -> Iterator[KeyBatch]:
        with open_file(self.uri, self._store) as file:
            yield from self._batches(file, limit)

    def _take(self, spec: ShardSpec) -> list[Any]:
        cursor, self._cursor = self._cursor, None  # a cursor that fails is not used again
        if cursor is None or not cursor.leads_to(spec):
            if cursor is not None:
                cursor.close()
            cursor = self._cursor_at(spec)
        while cursor.row < spec.first_row and cursor.take(min(SKIP_ROWS, spec.first_row - cursor.row)):
            pass
        items = cursor.take(spec.rows)
        if len(items) < spec.rows:
            raise ManifestError(f"{redact(self.uri)}: has fewer rows than when it was planned; restore it")
        self._cursor = cursor
        return items

    def _cursor_at(self, spec: ShardSpec) -> _Cursor:
        """Reading from the shard's first row where its offset is known, else from the first of all."""
        file = open_file(self.uri, self._store)
        start, row = self._start, 0
        if spec.offset is not None and self._codec is Codec.PLAIN:
            start, row = Start(spec.offset), spec.first_row
            file.seek(spec.offset)
        stream = chunks(file, self.uri, self._codec, size=READ_CHUNK)
        return _Cursor(file, blocks(stream, self._form.split, self.uri, start), row)


class _Cursor:
    """An open manifest, read up to `row` (0-based, the next one to come)."""

    def __init__(self, file: BinaryIO, records: Iterator[Records], row: int) -> None:
        self.row = row
        self._records = records
        self._left: list[Any] = []
        self.close = weakref.finalize(self, file.close)  # a worker keeps its manifest for life

    def leads_to(self, spec: ShardSpec) -> bool:
        """Whether reading on is the way to the shard: it comes next, or its offset is unknown."""
        return self.row == spec.first_row or (self.row < spec.first_row and spec.offset is None)

    def take(self, count: int) -> list[Any]:
        """The next `count` records, fewer at the end."""
        taken: list[Any] = []
        while len(taken) < count:
            if not self._left:
                block = next(self._records, None)
                if block is None:
                    break
                self._left = block.items
            wanted = count - len(taken)
            taken += self._left[:wanted]
            self._left = self._left[wanted:]
        self.row += len(taken)
        return taken
