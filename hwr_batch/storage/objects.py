"""Object stores through fsspec's common interface: `memory`, Google Cloud Storage, Azure Blob Storage.

gcsfs and adlfs are optional. Their puts are atomic (an object appears when its upload is finalised).
Both repeat a request by themselves and offer no switch, so our retries come on top; each of our
attempts still ends at `StoreTimeouts`. Neither shares an exception tree with the other: an error is
read from the HTTP status it carries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from fsspec.asyn import sync

from hwr_batch.errors import ConfigError
from hwr_batch.storage.backend import Page
from hwr_batch.storage.faults import TooLargeError, TransientError, http_cause, reason
from hwr_batch.storage.retry import StoreTimeouts
from hwr_batch.storage.uri import AZURE, redact, scheme

_EXTRAS = {"gs": "gs", "abfs": "abfs", "abfss": "abfs"}  # scheme → extra of this package
_DRIVERS = ("gcsfs.", "azure.", "aiohttp.", "google.", "requests.")


class ObjectBackend:
    """One fsspec file system that nobody else shares, without listing caches.

    Raises ConfigError where the scheme's driver is not installed.
    """

    def __init__(self, uri: str, timeouts: StoreTimeouts) -> None:
        self._timeouts = timeouts
        kind = scheme(uri)
        try:
            driver = fsspec.get_filesystem_class(kind)
        except ImportError as exc:
            raise ConfigError(
                f"{redact(uri)} needs a driver that is not installed: pip install hwr-batch[{_EXTRAS[kind]}]"
            ) from exc
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if kind in AZURE:
            options |= driver._get_kwargs_from_urls(uri)  # the account, as fsspec.open would find it
            options |= {"connection_timeout": timeouts.connect_s, "read_timeout": timeouts.read_s}
        self._fs = driver(**options)

    def read(self, uri: str, max_bytes: int | None) -> bytes:
        if max_bytes is None:
            whole: bytes = self._call("cat_file", uri)
            return whole
        data = self._range(uri, 0, max_bytes + 1)  # one request; asking for the size first makes two
        if len(data) > max_bytes:
            raise TooLargeError(self.size(uri), max_bytes)
        return data

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        return self._range(uri, start, stop)

    def size(self, uri: str) -> int:
        info = self._call("info", uri)
        if info["type"] == "directory":
            raise IsADirectoryError(f"{redact(uri)} is a folder")
        return int(info["size"])

    def native(self, uri: str) -> BinaryIO | None:  # noqa: ARG002
        return None

    def page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:  # noqa: ARG002 - one page
        try:
            entries = self._call("ls", folder, detail=True) if not deep else self._below(folder)
        except FileNotFoundError:
            return [], None
        own = self._path(folder).strip("/")
        files = [(e["name"].strip("/"), int(e["size"] or 0)) for e in entries if e["type"] == "file"]
        return [(name[len(own) + 1 :], size) for name, size in files if name != own], None

    def put(self, uri: str, data: bytes) -> None:
        self._call("pipe_file", uri, data, timeout=self._timeouts.for_put(len(data)))

    def put_file(self, uri: str, path: Path) -> None:
        if not self._fs.async_impl:  # memory
            self.put(uri, path.read_bytes())
            return
        limit = self._timeouts.for_put(path.stat().st_size)
        with _Translated():
            sync(self._fs.loop, self._fs._put_file, str(path), self._path(uri), timeout=limit)

    def remove(self, uri: str) -> None:
        self._call("rm_file", uri)

    def _below(self, folder: str) -> list[dict[str, Any]]:
        """Every file under `folder`, sorted by name."""
        found: dict[str, dict[str, Any]] = self._call("find", folder, detail=True)
        return [found[name] for name in sorted(found)]

    def _path(self, uri: str) -> str:
        return str(self._fs._strip_protocol(uri))

    def _range(self, uri: str, start: int, stop: int) -> bytes:
        try:
            data: bytes = self._call("cat_file", uri, start=start, end=stop)
            return data
        except _EmptyRangeError:
            return b""

    def _call(self, name: str, uri: str, *args: Any, timeout: float | None = None, **options: Any) -> Any:
        """`fs.<name>(path, …)`, on fsspec's event loop and within the time limit where it has one."""
        with _Translated():
            path = self._path(uri)
            if not self._fs.async_impl:
                return getattr(self._fs, name)(path, *args, **options)
            limit = timeout or self._timeouts.request_s
            return sync(self._fs.loop, getattr(self._fs, f"_{name}"), path, *args, timeout=limit, **options)


class _EmptyRangeError(Exception):
    """HTTP 416: the range begins at or after the end of the object."""


class _Translated:
    """Gives the drivers' own exceptions the meaning that their HTTP status has."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        meant = _meaning(exc) if exc is not None else None
        if meant is not None:
            raise meant from exc


def _meaning(exc: BaseException) -> Exception | None:
    """What a driver's exception says in our words; None where it is plain Python already."""
    if isinstance(exc, TransientError):
        return None
    text = reason(exc)
    if isinstance(exc, OSError):
        # gcsfs reports 403 as an OSError without an errno
        return PermissionError(text) if exc.errno is None and text.startswith("Forbidden") else None
    if not f"{type(exc).__module__}.".startswith(_DRIVERS):
        return None
    status = next(
        (v for n in ("status_code", "code", "status") if isinstance(v := getattr(exc, n, None), int)), None
    )
    if status is None:
        return TransientError("connection", text)
    if status == 416:
        return _EmptyRangeError(text)
    if again := http_cause(status):
        return TransientError(again, text)
    if status == 404:
        return FileNotFoundError(text)
    return (
        PermissionError(text)
        if status == 403
        else TransientError("credentials" if status == 401 else "io", text)
    )
