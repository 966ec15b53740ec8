"""Amazon S3 and what speaks its protocol, through s3fs' session and client.

s3fs supplies the credentials, the event loop and the user's own settings (`FSSPEC_S3_*`, fsspec's
configuration files). Requests are made one by one: its higher operations ask for the size before each
read, list before a missing key is admitted, upload in parts from 100 MB on, and stop names at
`?versionId=`. botocore's retries (4 by default) and s3fs' (5) are off, so that the policy counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import fsspec
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
    TokenRetrievalError,
)
from fsspec.asyn import sync
from fsspec.config import conf

from hwr_batch.storage.backend import Page
from hwr_batch.storage.faults import TooLargeError, TransientError, http_cause, reason
from hwr_batch.storage.retry import StoreTimeouts
from hwr_batch.storage.uri import split

LARGEST_PUT = 5 * 2**30  # bytes in one PUT, S3's limit
_PART = 2**30  # bytes; ten thousand parts reach S3's largest object
_IN_MEMORY = 2**26  # bytes of a file that are sent in one PUT
_CONNECTIONS = 64  # botocore's default of 10 would queue the reading threads of an actor

# Answers about who asks, not about the object: a row must not become `access_denied` for them. They
# pass when credentials are refreshed or the clock is set, and otherwise end the job after the retries.
_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "TokenRefreshRequired",
        "InvalidToken",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "AuthorizationHeaderMalformed",
    }
)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError)
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})
_TRANSIENT_CODES = {
    "SlowDown": "throttled",
    "ServiceUnavailable": "throttled",
    "RequestLimitExceeded": "throttled",
    "InternalError": "server_error",
    "RequestTimeout": "timeout",
    "IncompleteBody": "connection",
    "BadDigest": "connection",
    "XAmzContentSHA256Mismatch": "connection",
    "OperationAborted": "server_error",
}


class S3Backend:
    """One s3fs session for all buckets, shared with nobody."""

    def __init__(self, timeouts: StoreTimeouts, *, largest_put: int = LARGEST_PUT, part: int = _PART) -> None:
        self._timeouts = timeouts
        self._largest_put = largest_put
        self._part = part
        own = conf.get("s3", {}).get("config_kwargs", {})
        self._fs = fsspec.filesystem(
            "s3",
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={
                **own,
                "connect_timeout": timeouts.connect_s,
                "read_timeout": timeouts.read_s,
                "max_pool_connections": _CONNECTIONS,
                "retries": {"mode": "standard", "total_max_attempts": 1},
            },
        )
        self._fs.retries = 1

    def read(self, uri: str, max_bytes: int | None) -> bytes:
        return self._get(_object(uri), max_bytes)

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        try:
            return self._get({**_object(uri), "Range": f"bytes={start}-{stop - 1}"}, None)
        except _EmptyRangeError:
            return b""

    def size(self, uri: str) -> int:
        return int(self._call("head_object", _object(uri))["ContentLength"])

    def native(self, uri: str) -> BinaryIO | None:  # noqa: ARG002
        return None

    def page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:
        _, bucket, key = split(folder)
        prefix = key.rstrip("/") + "/" if key else ""
        request = {"Bucket": bucket, "Prefix": prefix} | ({} if deep else {"Delimiter": "/"})
        answer = self._call("list_objects_v2", request | ({"ContinuationToken": token} if token else {}))
        files = [(entry["Key"][len(prefix) :], int(entry["Size"])) for entry in answer.get("Contents", ())]
        following = answer["NextContinuationToken"] if answer.get("IsTruncated") else None
        return [(name, size) for name, size in files if name and not name.endswith("/")], following

    def put(self, uri: str, data: bytes) -> None:
        limit = self._timeouts.for_put(len(data))
        if len(data) <= self._largest_put:
            self._call("put_object", {**_object(uri), "Body": data}, timeout=limit)
            return
        with _translated():  # s3fs aborts the upload when a part fails
            request = _object(uri)
            sync(
                self._fs.loop,
                self._fs._pipe_file,
                f"{request['Bucket']}/{request['Key']}",
                data,
                chunksize=self._part,
            )

    def put_file(self, uri: str, path: Path) -> None:
        size = path.stat().st_size
        limit = self._timeouts.for_put(size)
        if size <= _IN_MEMORY:
            self.put(uri, path.read_bytes())
            return
        with _translated():  # in parts; s3fs aborts the upload when one fails
            request = _object(uri)
            target = f"{request['Bucket']}/{request['Key']}"
            sync(self._fs.loop, self._fs._put_file, str(path), target, timeout=limit)

    def remove(self, uri: str) -> None:
        self._call("delete_object", _object(uri))

    def _call(self, name: str, request: Mapping[str, Any], *, timeout: float | None = None) -> dict[str, Any]:
        """One request without a body to read back."""
        with _translated():
            limit = timeout or self._timeouts.request_s
            answer: dict[str, Any] = self._fs.call_s3(name, timeout=limit, **request)
            return answer

    def _get(self, request: dict[str, str], max_bytes: int | None) -> bytes:
        with _translated():
            data: bytes = sync(
                self._fs.loop, _get, self._fs, request, max_bytes, timeout=self._timeouts.request_s
            )
            return data


async def _get(fs: Any, request: dict[str, str], max_bytes: int | None) -> bytes:
    """GET; the size is known from the answer's head, so an object over the cap is never read."""
    answer = await fs._call_s3("get_object", **request)  # what the public call_s3 wraps
    body, size = answer["Body"], answer["ContentLength"]
    try:
        if max_bytes is not None and size > max_bytes:
            raise TooLargeError(size, max_bytes)
        data: bytes = await body.read()
    finally:
        body.close()
    if len(data) != size:
        raise TransientError("connection", f"{len(data)} of {size} bytes came")
    return data


def _object(uri: str) -> dict[str, str]:
    _, bucket, key = split(uri)
    if not key or key.endswith("/"):
        raise IsADirectoryError(f"s3://{bucket}/{key} is a folder")
    return {"Bucket": bucket, "Key": key}


class _EmptyRangeError(Exception):
    """The range begins at or after the end of the object."""


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the drivers' exceptions into Python's, or into TransientError.

    s3fs has replaced a ClientError by its own guess and keeps the original as the cause.
    """
    try:
        yield
    except ClientError as exc:
        raise _answer(exc) from exc
    except BotoCoreError as exc:
        raise _unanswered(exc) from exc
    except aiohttp.ClientError as exc:
        kind = "timeout" if isinstance(exc, TimeoutError) else "connection"
        raise TransientError(kind, reason(exc)) from exc
    except OSError as exc:
        if isinstance(exc.__cause__, ClientError):
            raise _answer(exc.__cause__) from exc
        raise


def _answer(exc: ClientError) -> Exception:
    """What an error answer means."""
    error = exc.response.get("Error", {})
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, text = error.get("Code", ""), error.get("Message") or error.get("Code") or f"HTTP {status}"
    if code in _CREDENTIAL_CODES:
        return TransientError("credentials", f"the store refuses the credentials ({code})")
    if code in _MISSING:
        return FileNotFoundError(text)
    if status == 416 or code == "InvalidRange":
        return _EmptyRangeError(text)
    if again := _TRANSIENT_CODES.get(code) or http_cause(status):
        return TransientError(again, f"{text} (HTTP {status})")
    if status in {401, 403}:
        return PermissionError(text)
    return FileNotFoundError(text) if status == 404 else PermissionError(f"{text} ({code}, HTTP {status})")


def _unanswered(exc: BotoCoreError) -> Exception:
    """What it means that no usable answer came."""
    if isinstance(exc, ParamValidationError):  # a bucket name that no bucket can have
        return FileNotFoundError("no bucket or object can have this name")
    if isinstance(exc, _NO_CREDENTIALS):
        return TransientError("credentials", f"no usable credentials for s3 ({reason(exc)})")
    if isinstance(exc, (ConnectTimeoutError, ReadTimeoutError)):
        return TransientError("timeout", reason(exc))
    return TransientError("connection", reason(exc))
