"""Reference texts from another manifest, by line id, in bounded memory.

The texts go into SQLite's temporary database: its pages stay in a cache of fixed size and spill to a
file that SQLite deletes, so ten million references cost disk, not memory. Looking one up takes
microseconds, less than the edit distance it is for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType

from hwr_batch.errors import ManifestError
from hwr_batch.manifest import ManifestStore, open_manifest
from hwr_batch.plan import cut_shards
from hwr_batch.storage.uri import redact

_CACHE_KIB = 64 * 1024
_ROWS_AT_ONCE = 8192


class TruthTable:
    """Line id → reference text (None: the manifest has no text for that line). A context manager."""

    def __init__(self, rows: Iterable[tuple[str, str | None]], *, name: str) -> None:
        """Take in `rows`; `name` is the manifest they come from, for messages.

        Raises `ManifestError` where a line id stands twice.
        """
        self.name = name
        self.found = 0
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("CREATE TABLE truth (line_id TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        self.lines = self._fill(rows)

    def __enter__(self) -> TruthTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def texts(self, line_ids: Sequence[str]) -> list[str | None]:
        """The reference of each line, None where there is none; `found` counts the lines it knew."""
        texts: list[str | None] = []
        for line_id in line_ids:
            row = self._database.execute("SELECT text FROM truth WHERE line_id = ?", (line_id,)).fetchone()
            self.found += row is not None
            texts.append(row[0] if row else None)
        return texts

    def example(self) -> str | None:
        """Some line id of the table, for a message about ids that do not match."""
        row = self._database.execute("SELECT line_id FROM truth LIMIT 1").fetchone()
        return str(row[0]) if row else None

    def _fill(self, rows: Iterable[tuple[str, str | None]]) -> int:
        # Without a rollback journal a transaction costs nothing, and a failed insert ends the table.
        with closing(self._database.cursor()) as cursor:
            cursor.execute("BEGIN")
            lines = 0
            for row in rows:
                lines += 1
                try:
                    cursor.execute("INSERT INTO truth VALUES (?, ?)", row)
                except sqlite3.IntegrityError as exc:
                    raise ManifestError(
                        f"{self.name} names line {row[0]!r} twice; give each line one reference"
                    ) from exc
            cursor.execute("COMMIT")
        return lines


def read_truth(uri: str, store: ManifestStore) -> TruthTable:
    """The `text` column of the manifest at `uri`, by line id (as `recognize` would name the lines).

    Raises `ManifestError` where the manifest cannot be read, has no `text` or names a line twice.
    """
    return TruthTable(_manifest_texts(uri, store), name=redact(uri))


def _manifest_texts(uri: str, store: ManifestStore) -> Iterator[tuple[str, str | None]]:
    with closing(open_manifest(uri, store)) as manifest:
        scan = manifest.scan(every=_ROWS_AT_ONCE, limit=None, on_rows=None)
        if "reference_text" not in scan.carried.names:
            raise ManifestError(f"{redact(uri)} has no column `text`; the references are read from there")
        for spec in cut_shards(scan.marks, scan.rows, _ROWS_AT_ONCE):
            shard = manifest.read(spec)
            texts = shard.carried.column("reference_text").to_pylist()
            yield from zip((row.line_id for row in shard.rows), map(_as_text, texts), strict=True)


def _as_text(value: object) -> str | None:
    """JSON and Parquet may hold a reference such as 1905 as a number."""
    return None if value is None else str(value)
