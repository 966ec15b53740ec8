"""One published file over HTTP: retried, resumed from what has already come, checked before it counts.

`requests` does the transfer: it follows the proxy, certificate and netrc settings of the user's
environment, which `urllib` does only in part, and comes with ray[default] anyway.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import requests
import tenacity
from urllib3.exceptions import HTTPError as Urllib3Error

from hwr_batch.errors import ModelError
from hwr_batch.storage import redact
from hwr_batch.zoo.cache import CACHE_VARIABLE, Transport, matches
from hwr_batch.zoo.entry import ModelFile

_CHUNK = 16 * 1024  # bytes; a dropped connection loses at most this much
_SLOWEST = 10_000  # bytes/s; below it an attempt is cut off and the next one resumes
_GRACE_S = 60.0
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TransferError(Exception):
    """This attempt ended early; what came is kept. The message says how, free of credentials."""


def download(file: ModelFile, url: str, partial: Path, transport: Transport) -> bytes:
    """The verified bytes of `file` from `url`. `partial` keeps what has come, also between processes.

    The caller holds the lock on `partial` and removes it once the bytes are stored. Raises ModelError
    where the host cannot be reached, has no such file, or sends another one than was published.
    """
    resumed = partial.exists()
    _transfer_with_retries(file, url, partial, transport)
    data = partial.read_bytes()
    if not matches(file, data) and resumed:
        # What an earlier run left may be damaged by a crash or a full disk: once more from nothing.
        partial.unlink()
        _transfer_with_retries(file, url, partial, transport)
        data = partial.read_bytes()
    if not matches(file, data):
        partial.unlink()
        raise ModelError(
            f"{redact(url)} is not the published {file.name}: its {file.algorithm.upper()} does not match; "
            "nothing was kept. Pull again, or use another origin or cache"
        )
    return data


def _transfer_with_retries(file: ModelFile, url: str, partial: Path, transport: Transport) -> None:
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TransferError),
        stop=tenacity.stop_after_attempt(transport.attempts),
        wait=tenacity.wait_random_exponential(transport.first_wait_s, transport.longest_wait_s),
        reraise=True,
    )
    try:
        retrying(_transfer, file, url, partial, transport)
    except _TransferError as exc:
        raise ModelError(
            f"{file.name} could not be fetched from {redact(url)} in {transport.attempts} attempts ({exc}); "
            f"two ways out: point {CACHE_VARIABLE} at a cache that has the model (made by `hwr-batch models "
            "bundle` where the host can be reached), or give --model a folder with the files and a card.toml"
        ) from exc


def _transfer(file: ModelFile, url: str, partial: Path, transport: Transport) -> None:
    """One attempt: ask for what is missing and append it."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > file.size:
        partial.unlink()
        have = 0
    if have == file.size:
        return
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    timeout = (transport.connect_timeout_s, transport.read_timeout_s)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            _refuse_status(response, url, partial)
            _append(response, file, partial, have)
    except (requests.RequestException, Urllib3Error) as exc:
        raise _failure(exc, url) from exc


def _refuse_status(response: requests.Response, url: str, partial: Path) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416:
        partial.unlink(missing_ok=True)
        raise _TransferError("the kept part does not fit the file")
    if status in _TRANSIENT_STATUS:
        raise _TransferError(f"the host answered {status}")
    raise ModelError(f"{redact(url)} answered {status} {response.reason}: the file is not to be had there")


def _append(response: requests.Response, file: ModelFile, partial: Path, have: int) -> None:
    """Writes the body behind the `have` bytes, or over them where the host sent the whole file."""
    continues = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if response.status_code == 206 and not continues:
        raise _TransferError("the host sent another range than was asked for")
    whole = response.status_code == 200
    have = 0 if whole else have
    ends = time.monotonic() + _GRACE_S + file.size / _SLOWEST
    with partial.open("wb" if whole else "ab") as sink:
        for chunk in response.iter_content(_CHUNK):
            have += len(chunk)
            if have > file.size:
                break
            sink.write(chunk)
            if time.monotonic() > ends:
                raise _TransferError("the host sends too slowly")
    if have > file.size:
        partial.unlink()
        raise ModelError(
            f"{redact(response.url)} is not the published {file.name}: it is longer than {file.size} bytes"
        )
    if have < file.size:
        raise _TransferError(f"the connection ended after {have} of {file.size} bytes")


def _failure(exc: BaseException, url: str) -> _TransferError | ModelError:
    """What lies at the bottom of a chain of wrapped network errors, in a few words."""
    chain = [exc]
    while inner := _inner(chain[-1]):
        chain.append(inner)
    if any(isinstance(error, ssl.SSLCertVerificationError) for error in chain):
        return ModelError(
            f"{redact(url)}: the host's TLS certificate cannot be verified; "
            "set REQUESTS_CA_BUNDLE if your network has an authority of its own"
        )
    known = (_WORDS[name] for error in reversed(chain) if (name := type(error).__name__) in _WORDS)
    return _TransferError(next(known, f"{type(chain[-1]).__name__} while transferring"))


def _inner(exc: BaseException) -> BaseException | None:
    candidates = (getattr(exc, "reason", None), *exc.args, exc.__cause__)
    return next((item for item in candidates if isinstance(item, BaseException)), None)


_WORDS = {
    "NameResolutionError": "its host name is unknown here",
    "NewConnectionError": "the host cannot be reached",
    "ConnectionRefusedError": "the host refused the connection",
    "ConnectTimeoutError": "the host does not answer",
    "ReadTimeoutError": "the host stopped sending",
    "ProxyError": "the proxy cannot be reached",
    "SSLError": "the encrypted connection broke",
    "IncompleteRead": "the connection dropped",
    "ProtocolError": "the connection dropped",
    "ConnectionResetError": "the connection dropped",
    "RemoteDisconnected": "the connection dropped",
}
