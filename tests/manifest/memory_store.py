"""A store in memory that counts what is asked of it."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from hwr_batch.manifest import Manifest, Scan, ShardRows
from hwr_batch.plan import cut_shards, mark_spacing


class MemoryStore:
    """`files`: content by URI. `opened`: how often a file was opened; `bytes_read`: through all of them."""

    def __init__(self, **files: bytes) -> None:
        self.files = {name.replace("__", "."): data for name, data in files.items()}
        self.opened = 0
        self.bytes_read = 0

    def open(self, uri: str) -> BinaryIO:
        if uri not in self.files:
            raise FileNotFoundError(uri)
        self.opened += 1
        return _Counted(self, self.files[uri])


class _Counted(BytesIO):
    def __init__(self, store: MemoryStore, data: bytes) -> None:
        super().__init__(data)
        self._store = store

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._store.bytes_read += len(data)
        return data


def scanned(manifest: Manifest, shard_lines: int | None = 1, limit: int | None = None) -> Scan:
    return manifest.scan(mark_spacing(shard_lines), limit, None)


def all_shards(manifest: Manifest, shard_lines: int | None = 1, limit: int | None = None) -> list[ShardRows]:
    """Scan, cut and read every shard."""
    scan = scanned(manifest, shard_lines, limit)
    return [manifest.read(spec) for spec in cut_shards(scan.marks, scan.rows, shard_lines)]
