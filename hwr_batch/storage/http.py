"""Read-only http(s), through the session of fsspec's HTTPFileSystem, which follows anything by itself:
here no redirect is followed, no forbidden address is reached, and no more is read than was allowed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from fsspec.asyn import sync
from fsspec.implementations.http import HTTPFileSystem

from hwr_batch.errors import ConfigError
from hwr_batch.storage.address import refusal
from hwr_batch.storage.backend import Page
from hwr_batch.storage.faults import RefusedError, TooLargeError, TransientError, http_cause, reason
from hwr_batch.storage.retry import StoreTimeouts
from hwr_batch.storage.uri import quote_illegal, redact

_CHUNK = 1 << 18  # bytes read at a time, so that a cap is noticed soon
_CONNECTIONS = 64
_LEGAL = "/:?#[]@!$&'()*+,;=-._~%"  # what a URL may hold besides letters and digits
Sink = Callable[[bytes], object]


class HttpBackend:
    """http and https."""

    def __init__(self, timeouts: StoreTimeouts) -> None:
        self._timeouts = timeouts
        self._fs = HTTPFileSystem(skip_instance_cache=True, get_client=self._client)

    def read(self, uri: str, max_bytes: int | None) -> bytes:
        parts: list[bytes] = []
        self._get(uri, parts.append, max_bytes=max_bytes)
        return b"".join(parts)

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        parts: list[bytes] = []
        partial, _ = self._get(uri, parts.append, span=(start, stop))
        data = b"".join(parts)
        # A server may ignore ranges and send everything, or more than was asked for.
        return data[: stop - start] if partial else data[start:stop]

    def size(self, uri: str) -> int:
        _, size = self._get(uri, len, span=(0, 1), head_only=True)
        return len(self.read(uri, None)) if size is None else size

    def native(self, uri: str) -> BinaryIO | None:
        """A temporary copy where the server ignores ranges: seeking would fetch everything each time."""
        partial, size = self._get(uri, len, span=(0, 1), head_only=True)
        if partial and size is not None:
            return None
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller, who closes it
        try:
            self._get(uri, copy.write)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:  # noqa: ARG002
        raise ConfigError(f"{redact(folder)}: folders of web servers cannot be listed; name the files")

    def put(self, uri: str, data: bytes) -> None:  # noqa: ARG002
        _read_only(uri)

    def put_file(self, uri: str, path: Path) -> None:  # noqa: ARG002
        _read_only(uri)

    def remove(self, uri: str) -> None:
        _read_only(uri)

    def _get(
        self,
        uri: str,
        sink: Sink,
        *,
        max_bytes: int | None = None,
        span: tuple[int, int] | None = None,
        head_only: bool = False,
    ) -> tuple[bool, int | None]:
        """GET into `sink`; returns whether the range was honoured, and the whole size if it was told."""

        async def run() -> tuple[bool, int | None]:
            session = await self._fs.set_session()
            headers = {"Accept-Encoding": "identity"}
            if span is not None:
                headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
            async with session.get(_url(uri), headers=headers, allow_redirects=False) as answer:
                if answer.status == 416:
                    return True, _total(answer)
                _check(answer, uri)
                if not head_only:
                    await _pour(answer, sink, max_bytes, enough=_enough(answer, span))
                return answer.status == 206, _total(answer)

        with _translated():
            result: tuple[bool, int | None] = sync(self._fs.loop, run, timeout=self._timeouts.request_s)
            return result

    async def _client(self, **_: Any) -> aiohttp.ClientSession:
        """The session for HTTPFileSystem; called on its event loop."""
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.read_s
        )
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(), limit=_CONNECTIONS)
        return aiohttp.ClientSession(connector=connector, timeout=limits, cookie_jar=aiohttp.DummyCookieJar())


class GuardedResolver(AbstractResolver):
    """Looks names up and refuses forbidden addresses: the address that is checked is the one used."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        for result in results:
            if why := refusal(host, result["host"]):
                raise RefusedError(f"{host} {why}")
        return results

    async def close(self) -> None:
        await self._inner.close()


def _enough(answer: aiohttp.ClientResponse, span: tuple[int, int] | None) -> int | None:
    """Bytes after which a range is complete, where the server sends more than was asked for."""
    if span is None:
        return None
    return span[1] - span[0] if answer.status == 206 else span[1]


async def _pour(
    answer: aiohttp.ClientResponse, sink: Sink, max_bytes: int | None, *, enough: int | None
) -> None:
    declared = answer.content_length
    if max_bytes is not None and declared is not None and declared > max_bytes:
        raise TooLargeError(declared, max_bytes)
    count = 0
    async for part in answer.content.iter_chunked(_CHUNK):
        count += len(part)
        if max_bytes is not None and count > max_bytes:
            raise TooLargeError(count, max_bytes)
        sink(part)
        if enough is not None and count >= enough:
            return


def _url(uri: str) -> yarl.URL:
    """The URL as it goes out, encoded once; RefusedError for what is none, or names a forbidden host."""
    try:
        url = yarl.URL(quote_illegal(uri, safe=_LEGAL), encoded=True)
        host, _ = url.host, url.port
    except ValueError as exc:
        raise RefusedError(f"{redact(uri)} is not a URL") from exc
    if not host:
        raise RefusedError(f"{redact(uri)} names no host")
    if why := refusal(host):
        raise RefusedError(f"{redact(uri)} {why}")
    return url


def _check(answer: aiohttp.ClientResponse, uri: str) -> None:
    """Raise what a status other than 200 and 206 means."""
    status = answer.status
    if status in {200, 206}:
        return
    if 300 <= status < 400:
        raise RefusedError(
            f"{redact(uri)} redirects elsewhere (HTTP {status}), and redirects are not followed"
        )
    if again := http_cause(status):
        raise TransientError(again, f"HTTP {status}", _retry_after(answer))
    if status in {401, 403, 407, 451}:
        raise PermissionError(f"HTTP {status}")
    raise FileNotFoundError(f"HTTP {status}")


def _total(answer: aiohttp.ClientResponse) -> int | None:
    """Bytes in the whole resource, from Content-Range or Content-Length."""
    if answer.status == 200:
        return answer.content_length
    _, _, total = answer.headers.get("Content-Range", "").rpartition("/")
    return int(total) if total.isdecimal() else None


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Seconds; the rarer form with a date is left to the back-off."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, RefusedError):  # ours, from the resolver
            raise exc.os_error from exc
        raise TransientError("connection", reason(exc)) from exc
    except TimeoutError as exc:
        raise TransientError("timeout", reason(exc)) from exc
    except aiohttp.InvalidURL as exc:
        raise RefusedError("not a URL that can be asked for") from exc
    except aiohttp.ClientError as exc:
        raise TransientError("connection", reason(exc)) from exc


def _read_only(uri: str) -> NoReturn:
    raise ConfigError(f"{redact(uri)} can only be read; results go to a folder, s3://, gs:// or abfs://")
