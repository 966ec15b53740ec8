"""The one door to storage: whatever the scheme, the same operations, errors, retries and promises."""

from __future__ import annotations

import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from hwr_batch.errors import ConfigError, StorageError
from hwr_batch.storage.backend import Backend, Page
from hwr_batch.storage.faults import reason
from hwr_batch.storage.local import LocalBackend
from hwr_batch.storage.ranged import RangedFile
from hwr_batch.storage.retry import RetryPolicy, StoreTimeouts, persist
from hwr_batch.storage.uri import AZURE, HTTP, SCHEMES, redact, refuse_credentials, scheme, split

T = TypeVar("T")

BLOCK = 4 << 20  # bytes fetched at a time by `open`: at 100 MB/s as long as a request takes to start


class Store:
    """Reads, lists and atomic puts on local paths, memory, s3, gs, abfs and (reading only) http(s).

    FileNotFoundError, PermissionError, IsADirectoryError and TooLargeError are answers and raised at
    once. What may pass (429, 5xx, timeouts, dropped connections, EIO and the like) is tried again as
    `retry` says, counted in `retries` by cause, and in the end a StorageError. ConfigError for an
    unknown scheme, a missing driver, or a URI that carries credentials.

    Thread-safe; survives a fork. A pickled store arrives unconnected, with no counts and without
    `on_retry` (called with the cause before each repetition, from the thread that waits).
    """

    def __init__(
        self,
        retry: RetryPolicy | None = None,
        on_retry: Callable[[str], None] | None = None,
        *,
        timeouts: StoreTimeouts | None = None,
    ) -> None:
        self.retry = retry or RetryPolicy()
        self.timeouts = timeouts or StoreTimeouts()
        self.on_retry = on_retry
        self._counts: Counter[str] = Counter()
        self._disconnect()

    @property
    def retries(self) -> dict[str, int]:
        """How often an attempt was repeated, by cause: throttled, server_error, timeout, connection,
        credentials, io."""
        with self._lock:
            return dict(self._counts)

    def read(self, uri: str, max_bytes: int | None = None) -> bytes:
        """All bytes of `uri`. TooLargeError over `max_bytes`, without reading much more than that."""
        return self._try("reading", uri, lambda backend: backend.read(uri, max_bytes))

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of `uri`, fewer where the object ends earlier."""
        if not 0 <= start <= stop:
            raise ValueError(f"not a range: {start} to {stop}")
        if start == stop:
            return b""
        return self._try("reading", uri, lambda backend: backend.read_range(uri, start, stop))

    def open(self, uri: str, *, block: int = BLOCK) -> BinaryIO:
        """A seekable reader that fetches `block` bytes at a time where the store is remote."""
        own = self._try("opening", uri, lambda backend: backend.native(uri))
        if own is not None:
            return own
        raw = RangedFile(
            lambda start, stop: self.read_range(uri, start, stop), size=self.size(uri), name=redact(uri)
        )
        return io.BufferedReader(raw, block)

    def size(self, uri: str) -> int:
        """Bytes in `uri`."""
        return self._try("asking the size of", uri, lambda backend: backend.size(uri))

    def exists(self, uri: str) -> bool:
        """Whether there is a file or object `uri`; a folder is none."""
        try:
            self.size(uri)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return False
        return True

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """Name and bytes of each file directly in `folder`, in no order; nothing where it is missing.

        Page by page on S3, each page retried on its own. StorageError where the bucket is missing.
        A server in front of a file system names a file twice that is put by several at once; here it is once.
        """
        token: str | None = None
        before = ""
        while True:
            entries, token = self._page(folder, token)
            for name, size in entries:
                if name != before:
                    yield name, size
                before = name
            if token is None:
                return

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Like `list`, of the folders below `folder` as well; names relative to it, with `/`.

        In a fixed order: by name on object stores, folder by folder on local disks.
        """
        token: str | None = None
        while True:
            entries, token = self._page(folder, token, deep=True)
            yield from entries
            if token is None:
                return

    def put(self, uri: str, data: bytes) -> None:
        """Create or replace `uri` at once: a reader sees all of `data` or what was there before.

        One request on object stores; locally a temporary file, fsync, rename, missing folders made.
        StorageError whatever the reason, so that a refused put is never taken for a missing input.
        """
        try:
            self._try("writing", uri, lambda backend: backend.put(uri, data))
        except OSError as exc:
            raise StorageError(f"cannot write {redact(uri)}: {reason(exc)}") from exc

    def put_file(self, uri: str, path: Path) -> None:
        """`put` of a local file's content, however large. StorageError whatever the reason."""
        try:
            self._try("writing", uri, lambda backend: backend.put_file(uri, path))
        except OSError as exc:
            raise StorageError(f"cannot write {redact(uri)}: {reason(exc)}") from exc

    def remove(self, uri: str) -> None:
        """Delete the file `uri`; nothing where it is missing (a repeated request finds it gone)."""
        try:
            self._try("deleting", uri, lambda backend: backend.remove(uri))
        except FileNotFoundError:
            return

    def _page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:
        try:
            return self._try("listing", folder, lambda backend: backend.page(folder, token, deep=deep))
        except FileNotFoundError as exc:
            raise StorageError(
                f"cannot list {redact(folder)}: {reason(exc)}; create the bucket first"
            ) from exc

    def _try(self, what: str, uri: str, call: Callable[[Backend], T]) -> T:
        backend = self._backend(uri)
        return persist(
            lambda: call(backend), what=f"{what} {redact(uri)}", policy=self.retry, on_retry=self._count
        )

    def _count(self, cause: str) -> None:
        with self._lock:
            self._counts[cause] += 1
        if self.on_retry is not None:
            self.on_retry(cause)

    def _backend(self, uri: str) -> Backend:
        """The connection for `uri`, made on first use. Azure accounts each have their own."""
        if self._pid != os.getpid():  # event loops and sockets do not survive a fork
            self._disconnect()
        kind = scheme(uri)
        key = f"{kind}://{split(uri)[1]}" if kind in AZURE else kind
        with self._lock:
            if key not in self._backends:
                self._backends[key] = _connect(uri, self.timeouts)
            backend = self._backends[key]
        if kind != "file":
            refuse_credentials(uri)
        return backend

    def _disconnect(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._backends: dict[str, Backend] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"retry": self.retry, "timeouts": self.timeouts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["retry"], timeouts=state["timeouts"])  # type: ignore[misc]


def _connect(uri: str, timeouts: StoreTimeouts) -> Backend:
    """A new connection. Drivers are imported here, so that local runs need none of them."""
    kind = scheme(uri)
    if kind not in SCHEMES:
        known = ", ".join(sorted(SCHEMES))
        raise ConfigError(f"{redact(uri)}: the scheme {kind!r} is not one of {known}")
    if kind == "file":
        return LocalBackend()
    if kind == "s3":
        from hwr_batch.storage.s3 import S3Backend

        return S3Backend(timeouts)
    if kind in HTTP:
        from hwr_batch.storage.http import HttpBackend

        return HttpBackend(timeouts)
    from hwr_batch.storage.objects import ObjectBackend

    return ObjectBackend(uri, timeouts)
