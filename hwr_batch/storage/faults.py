"""What a store can answer instead of bytes, and which of it may pass.

Backends raise Python's own FileNotFoundError, PermissionError, IsADirectoryError and OSError, the
errors below, or `TransientError` where their driver says more than an errno could.
"""

from __future__ import annotations

import errno

from hwr_batch.storage.uri import redact_text

# Trying again cannot help against these. Every other errno (EIO, ESTALE, EMFILE, ENOSPC, …) may pass.
PERMANENT_ERRNOS = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EINVAL,
        errno.EROFS,
        errno.ENXIO,
        errno.EFBIG,
        errno.EEXIST,
        errno.ENOTEMPTY,
    }
)
THROTTLED = frozenset({429, 503})
RETRIED_STATUSES = frozenset({408, 425})  # besides 429 and 5xx


class TooLargeError(Exception):
    """More bytes than the caller allowed. `size` as far as it is known, `limit` as asked for."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.size} bytes, over the limit of {self.limit}"


class RefusedError(PermissionError):
    """Refused by rule, ours or the server's; the message is a whole sentence fit for a result row."""


class TransientError(Exception):
    """A failure that may pass. `cause` is counted; `wait_s`: how long the server asks to be left alone."""

    def __init__(self, cause: str, sentence: str, wait_s: float | None = None) -> None:
        super().__init__(cause, sentence, wait_s)
        self.cause = cause
        self.sentence = sentence
        self.wait_s = wait_s

    def __str__(self) -> str:
        return self.sentence


def http_cause(status: int) -> str | None:
    """The retry cause of an HTTP status, None where the answer stands."""
    if status in THROTTLED:
        return "throttled"
    if status >= 500:
        return "server_error"
    return "timeout" if status in RETRIED_STATUSES else None


def cause(exc: BaseException) -> str | None:
    """Why an attempt failed, in a word, if it may succeed next time; None if it cannot."""
    if isinstance(exc, TransientError):
        return exc.cause
    if isinstance(exc, TimeoutError):  # includes socket, asyncio, aiohttp and fsspec timeouts
        return "timeout"
    if isinstance(exc, ConnectionError):
        return "connection"
    if isinstance(exc, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)):
        return None
    if isinstance(exc, OSError):
        return None if exc.errno in PERMANENT_ERRNOS else "io"
    return None


def reason(exc: BaseException) -> str:
    """What went wrong as part of a sentence, free of credentials."""
    if isinstance(exc, OSError) and exc.strerror:
        return redact_text(exc.strerror)
    if isinstance(exc, TimeoutError) and not str(exc):
        return "no answer in time"
    return redact_text(str(exc)).rstrip(".") or type(exc).__name__
