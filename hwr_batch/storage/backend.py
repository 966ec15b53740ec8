"""What one kind of storage must offer; the `Store` adds retries, counts and sentences."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

Page = tuple[list[tuple[str, int]], str | None]
"""Direct children (name, bytes) and the token of the next page, None after the last."""


class Backend(Protocol):
    """One attempt at each operation. Errors as in `hwr_batch.storage.faults`."""

    def read(self, uri: str, max_bytes: int | None) -> bytes:
        """Everything in `uri`; TooLargeError over `max_bytes`, without reading much more than that."""
        ...

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop), cut at the end of the object."""
        ...

    def size(self, uri: str) -> int:
        """Bytes in `uri`."""
        ...

    def native(self, uri: str) -> BinaryIO | None:
        """A seekable file of the backend's own, None where ranged reads serve as well."""
        ...

    def page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:
        """The page of files in `folder` that `token` names, the first for None; empty if missing.

        `deep`: of the folders below it as well, names relative to `folder`.
        """
        ...

    def put(self, uri: str, data: bytes) -> None:
        """Create or replace `uri` so that a reader sees the old bytes or the new, never a part."""
        ...

    def put_file(self, uri: str, path: Path) -> None:
        """`put` of a local file's content, not held in memory."""
        ...

    def remove(self, uri: str) -> None:
        """Delete the file `uri`; FileNotFoundError where the store can tell that it is missing."""
        ...
