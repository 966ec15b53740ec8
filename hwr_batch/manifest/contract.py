"""What a manifest of any format offers, and what it needs from a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyarrow as pa

from hwr_batch.errors import ManifestError
from hwr_batch.plan import Marks
from hwr_batch.records import Row, ShardSpec
from hwr_batch.storage import redact

CELL_LIMIT = 10_000_000  # characters of one cell: no text, path or polygon of a line comes near it
ROW_LIMIT = 4 * CELL_LIMIT  # bytes of one row: a quote that is never closed must not fill the memory


class ManifestStore(Protocol):
    """The part of `hwr_batch.storage.Store` that manifests are read through."""

    def open(self, uri: str) -> BinaryIO:
        """A seekable file. Raises FileNotFoundError, PermissionError, IsADirectoryError."""
        ...


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over a manifest tells.

    `rows`: data rows, at most the limit. `digest`: SHA-256, hexadecimal, of the file's bytes (of a Parquet
    file with embedded images: of its footer and every other column). `marks`: where a shard may begin.
    `carried`: the columns that go on to the results, named as there.
    """

    rows: int
    digest: str
    marks: Marks
    carried: pa.Schema


@dataclass(frozen=True, slots=True)
class ShardRows:
    """The rows of one shard, and as many rows of carried columns."""

    rows: tuple[Row, ...]
    carried: pa.Table


class Manifest(Protocol):
    """A table of lines. Not for two threads at once: `read` keeps its place for the shard that follows."""

    @property
    def uri(self) -> str: ...

    def scan(self, every: int, limit: int | None, on_rows: Callable[[int], None] | None) -> Scan:
        """Read the whole file once, holding 8 bytes per row.

        `every`: least rows between two marks; rows of one image are not parted, unless the image has more
        than 4 × `every` of them. `limit`: rows to plan for; the digest covers the file all the same.
        `on_rows`: told the rows counted so far, now and then.
        Raises ManifestError where the file is broken, has no row, or names a line twice.
        """
        ...

    def read(self, spec: ShardSpec) -> ShardRows:
        """The rows of one shard. Ascending shards read the file once. Raises ManifestError."""
        ...

    def close(self) -> None:
        """Let go of the file; a later `read` opens it again."""
        ...


def open_file(uri: str, store: ManifestStore) -> BinaryIO:
    """Open a manifest, and say what to do where the store has no such file, or keeps it from us."""
    try:
        return store.open(uri)
    except FileNotFoundError as exc:
        raise ManifestError(f"{redact(uri)}: no such file; check the manifest's path") from exc
    except PermissionError as exc:
        raise ManifestError(f"{redact(uri)}: reading it is not permitted; check its access rights") from exc
    except (IsADirectoryError, NotADirectoryError) as exc:
        raise ManifestError(
            f"{redact(uri)}: is a folder, or lies in what is none; name the manifest file"
        ) from exc
