from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwr_batch.errors import StorageError
from hwr_batch.storage import RetryPolicy, Store
from hwr_batch.zoo import catalog, omz
from hwr_batch.zoo.cache import Cache, Transport
from hwr_batch.zoo.entry import FP16_INT8, FP32, Entry, ModelFile, Published, Shipped

from .file_server import FileHost, serve


class WatchedStore(Store):
    """The real store. `puts`: what was written, in order; `denied`: URIs that may not be written."""

    def __init__(self) -> None:
        super().__init__(RetryPolicy(attempts=2, first_wait_s=0, longest_wait_s=0))
        self.puts: list[str] = []
        self.denied: set[str] = set()

    def put(self, uri: str, data: bytes) -> None:
        if uri in self.denied:
            raise StorageError(f"cannot write {uri}: permission denied")
        self.puts.append(uri)
        super().put(uri, data)


IR = b'<?xml version="1.0"?><net name="tiny" version="11"></net>'
BIN = bytes(range(256)) * 800  # 204,800 bytes: a dozen chunks of the downloader


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback must not be asked for through a proxy of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,nowhere.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1,nowhere.invalid")


@pytest.fixture
def host() -> Iterator[FileHost]:
    with serve() as running:
        yield running


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, host: FileHost) -> Entry:
    """A model named `tiny` in the catalog, its files on `host`: an empty IR and BIN."""

    def variant(folder: str) -> tuple[ModelFile, ...]:
        host.files |= {f"{folder}/tiny.xml": IR, f"{folder}/tiny.bin": BIN}
        charset = ModelFile(
            "gnhk.txt", 189, "sha256", omz.ENGLISH_CHARSET_SHA256, Shipped(omz.ENGLISH_CHARSET)
        )
        return (_published("tiny.xml", IR, folder), _published("tiny.bin", BIN, folder), charset)

    card = dataclasses.replace(omz.ENGLISH.card, name="tiny", weights="tiny.xml")
    entry = Entry(card, "a test model", "none", {FP32: variant("a/FP32"), FP16_INT8: variant("b/INT8")})
    monkeypatch.setattr(catalog, "_ENTRIES", {**catalog._ENTRIES, "tiny": entry})
    return entry


def _published(name: str, data: bytes, folder: str) -> ModelFile:
    return ModelFile(
        name, len(data), "sha384", hashlib.sha384(data).hexdigest(), Published(f"{folder}/{name}")
    )


@pytest.fixture
def transport(host: FileHost) -> Transport:
    """Real transfers with no patience, from the host on loopback."""
    return Transport(
        origin=host.origin,
        attempts=3,
        first_wait_s=0.001,
        longest_wait_s=0.002,
        connect_timeout_s=5,
        read_timeout_s=5,
    )


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def memory(tmp_path: Path) -> str:
    """A folder of this test's own in memory, which all stores of this process share."""
    return f"memory:/{tmp_path}"


@pytest.fixture
def cache(tmp_path: Path, store: WatchedStore, transport: Transport, told: list[str]) -> Cache:
    """An empty cache on disk that fills itself from `host`."""
    return Cache(str(tmp_path / "cache"), store, transport, told.append)
