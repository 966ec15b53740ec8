"""A text manifest's bytes in order: hashed as they lie in the file, decompressed on the way."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import BinaryIO, Protocol

import zstandard

from hwr_batch.errors import ManifestError
from hwr_batch.storage import redact

SCAN_CHUNK = 1 << 16  # bytes, 600 rows or so: what is parsed of them fits into the processor's cache
_INFLATED_AT_ONCE = 4096  # compressed bytes: zstd may blow up 32,000 times, and a bomb must stay small


class Codec(Enum):
    """How the file is compressed, by the end of its name."""

    PLAIN = ""
    GZIP = ".gz"
    ZSTD = ".zst"


class Digest(Protocol):
    """hashlib's objects."""

    def update(self, data: bytes, /) -> None: ...


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def chunks(
    file: BinaryIO, uri: str, codec: Codec, *, digest: Digest | None = None, size: int = SCAN_CHUNK
) -> Iterator[bytes]:
    """The text of `file` from where it stands, in pieces of no particular length, none empty.

    Raises ManifestError where compressed bytes are damaged or end too early.
    """
    raw = _raw(file, digest, size)
    if codec is Codec.PLAIN:
        return raw
    return filter(None, _inflated(raw, uri, codec))


def drain(file: BinaryIO, digest: Digest) -> None:
    """Hash what nobody read."""
    for _ in _raw(file, digest, SCAN_CHUNK):
        pass


def _raw(file: BinaryIO, digest: Digest | None, size: int) -> Iterator[bytes]:
    while data := file.read(size):
        if digest is not None:
            digest.update(data)
        yield data


def _inflated(raw: Iterator[bytes], uri: str, codec: Codec) -> Iterator[bytes]:
    """Members or frames one after another; zero bytes between them are padding, as gzip(1) has it."""
    new: Callable[[], _Inflater] = _NEW[codec]
    inflater: _Inflater | None = None
    try:
        for data in _slices(raw):
            while data := data if inflater else data.lstrip(b"\0"):
                inflater = inflater or new()
                yield inflater.decompress(data)
                data = inflater.unused_data
                if not inflater.eof:
                    break
                inflater = None
    except (zlib.error, zstandard.ZstdError) as exc:
        raise ManifestError(f"{redact(uri)}: its {codec.value} compression is damaged; make it anew") from exc
    if inflater is not None:
        raise ManifestError(f"{redact(uri)}: ends in the middle of its {codec.value} data; copy it again")


def _slices(raw: Iterator[bytes]) -> Iterator[bytes]:
    for data in raw:
        for start in range(0, len(data), _INFLATED_AT_ONCE):
            yield data[start : start + _INFLATED_AT_ONCE]


def _new_gzip() -> _Inflater:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # | 16: with gzip's header and checksum


def _new_zstd() -> _Inflater:
    return zstandard.ZstdDecompressor().decompressobj()


_NEW: dict[Codec, Callable[[], _Inflater]] = {Codec.GZIP: _new_gzip, Codec.ZSTD: _new_zstd}
