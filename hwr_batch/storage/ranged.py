"""A remote object as a seekable file: every read is a ranged request of its own, retried on its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwr_batch.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_ALL = 1 << 26  # bytes per request when a caller wants the rest of the object


class RangedFile(io.RawIOBase):
    """`fetch(start, stop)` gives the bytes [start, stop) of an object of `size` bytes called `name`.

    Meant to be wrapped in `io.BufferedReader`. Raises StorageError where the object became shorter
    while it was read: its reader would take that for the end.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], *, size: int, name: str) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._position = 0
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._take(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        parts: list[bytes] = []
        while part := self._take(_READ_ALL):
            parts.append(part)
        return b"".join(parts)

    def _take(self, count: int) -> bytes:
        stop = min(self._position + count, self._size)
        if stop <= self._position:
            return b""
        data = self._fetch(self._position, stop)
        if len(data) != stop - self._position:
            raise StorageError(f"{self.name} changed while it was read; run again when it is complete")
        self._position = stop
        return data
