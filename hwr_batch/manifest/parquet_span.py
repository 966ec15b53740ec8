"""Neighbouring row groups of a Parquet file as one read, instead of one for each column and group."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, BinaryIO, cast

AT_ONCE = 1 << 28  # bytes held for one shard at most; beyond it columns are read as they are decoded


def group_span(metadata: Any, groups: Sequence[int]) -> tuple[int, int]:
    """The bytes [start, stop) of all column chunks of `groups`. `metadata`: pq.FileMetaData."""
    chunks = [
        metadata.row_group(group).column(column) for group in groups for column in range(metadata.num_columns)
    ]
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    stops = [start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)]
    return min(starts, default=0), max(stops, default=0)


def read_span(file: BinaryIO, start: int, stop: int) -> BinaryIO:
    """The bytes [start, stop) of `file`, as a file in which they stand where they stood.

    Past the buffer of a remote file, which would round the read up to its own blocks.
    """
    raw = getattr(file, "raw", file)
    raw.seek(start)
    parts = []
    left = stop - start
    while left and (part := raw.read(left)):
        parts.append(part)
        left -= len(part)
    if left:
        raise OSError("it ends within a row group")
    return cast(BinaryIO, io.BufferedReader(_Span(b"".join(parts), start)))


class _Span(io.RawIOBase):
    """`data` at `start` of a file of which nothing else is there."""

    def __init__(self, data: bytes, start: int) -> None:
        super().__init__()
        self._data = memoryview(data)
        self._start = start
        self._position = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = self._start + len(self._data)
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: end}[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position < self._start:
            raise OSError("a read before the row groups that were fetched")
        view = memoryview(buffer).cast("B")
        at = self._position - self._start
        part = self._data[at : at + len(view)]
        view[: len(part)] = part
        self._position += len(part)
        return len(part)
