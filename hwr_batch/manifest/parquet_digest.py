"""What a Parquet manifest's digest covers: its bytes, or, where images are embedded, all but those.

Hashing terabytes of images before a job begins would take longer than the job. The footer holds the size of
every column chunk, so a manifest whose images changed is seen unless each is compressed to its old length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from hwr_batch.manifest.stream import SCAN_CHUNK

_TAIL = 8  # bytes: the footer's length, little endian in 4, and the magic


def parquet_digest(file: BinaryIO, metadata: Any, embedded: str | None) -> str:
    """SHA-256, hexadecimal. `metadata`: pq.FileMetaData; `embedded`: the column of image files, or None."""
    digest = hashlib.sha256()
    size = file.seek(0, 2)
    spans = [(0, size)] if embedded is None else [*_chunk_spans(metadata, embedded), _footer_span(file, size)]
    for start, stop in spans:
        file.seek(start)
        for position in range(start, stop, SCAN_CHUNK):
            digest.update(file.read(min(SCAN_CHUNK, stop - position)))
    return digest.hexdigest()


def _footer_span(file: BinaryIO, size: int) -> tuple[int, int]:
    file.seek(size - _TAIL)
    length = int.from_bytes(file.read(4), "little")
    return size - _TAIL - length, size


def _chunk_spans(metadata: Any, embedded: str) -> Iterator[tuple[int, int]]:
    """Where the other columns lie: [start, stop) of each column chunk, in file order of row groups."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema != embedded:
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                yield start, start + chunk.total_compressed_size
