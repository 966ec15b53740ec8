"""S3 behind a proxy that refuses, stalls and cuts: what is retried, what is left behind."""

from __future__ import annotations

import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from faults import Fault, FaultyProxy
from s3_server import S3Server

from hwr_batch.errors import StorageError
from hwr_batch.storage import Store, StoreTimeouts, TooLargeError
from hwr_batch.storage.s3 import S3Backend

from .conftest import QUICK

DATA = bytes(range(256)) * 400
"""100 kB, so that half a body is more than the buffers on the way"""


@pytest.fixture(scope="module")
def uri(s3: S3Server) -> str:
    """An object that holds DATA, put there past the proxy."""
    name = f"{s3.bucket}/{uuid.uuid4().hex}/x"
    Store(QUICK).put(name, DATA)
    return name


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault("status", 2), "throttled"),
        (Fault("status", 1, status=429, code="TooManyRequests"), "throttled"),
        (Fault("status", 1, status=500, code="InternalError"), "server_error"),
        (Fault("status", 1, status=502, code="not a code of S3"), "server_error"),
        (Fault("status", 1, status=400, code="RequestTimeout"), "timeout"),
        (Fault("status", 1, status=403, code="ExpiredToken"), "credentials"),
        (Fault("stall", 1), "timeout"),
        (Fault("drop", 2), "connection"),
        (Fault("cut_answer", 2), "connection"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else value,
)
def test_a_passing_fault_costs_only_time(
    s3_proxy: FaultyProxy, impatient: Store, uri: str, fault: Fault, cause: str
) -> None:
    s3_proxy.inject(fault)
    assert impatient.read(uri) == DATA
    assert set(impatient.retries) == {cause}
    assert 1 <= impatient.retries[cause] <= fault.times
    assert [seen.fault for seen in s3_proxy.requests] == [fault.kind] * fault.times + [None]


@pytest.mark.parametrize("fault", [Fault("status", 99), Fault("drop", 99), Fault("stall", 99)])
def test_a_lasting_fault_is_a_storage_error(
    s3_proxy: FaultyProxy, impatient: Store, uri: str, fault: Fault
) -> None:
    s3_proxy.inject(fault)
    with pytest.raises(StorageError, match=f"reading {uri} failed 4 times.*run again to resume"):
        impatient.read(uri)
    assert sum(impatient.retries.values()) == 3


def test_every_operation_is_retried(s3_proxy: FaultyProxy, store: Store, uri: str) -> None:
    folder = uri.removesuffix("/x")
    s3_proxy.inject(Fault("status", 1))
    assert store.size(uri) == len(DATA)
    s3_proxy.inject(Fault("status", 1))
    assert store.read_range(uri, 10, 20) == DATA[10:20]
    s3_proxy.inject(Fault("status", 1))
    assert list(store.list(folder)) == [("x", len(DATA))]
    s3_proxy.inject(Fault("status", 1, method="GET"))
    with store.open(uri, block=1000) as file:
        assert file.read(2500) == DATA[:2500]
    s3_proxy.inject(Fault("status", 1))
    store.put(f"{folder}/y", b"y")
    s3_proxy.inject(Fault("status", 1))
    store.remove(f"{folder}/y")
    assert store.retries["throttled"] == 6


def test_one_request_for_each_read_and_put(s3_proxy: FaultyProxy, store: Store, uri: str) -> None:
    big = bytes(12 << 20)  # more than the part size of common upload managers
    for call in (
        lambda: store.read(uri),
        lambda: store.read(uri, max_bytes=len(DATA)),
        lambda: store.read_range(uri, 5, 10),
        lambda: store.put(f"{uri}-big", big),
    ):
        s3_proxy.requests.clear()
        call()
        assert len(s3_proxy.requests) == 1
    store.remove(f"{uri}-big")


def test_an_object_over_the_limit_is_not_transferred(s3_proxy: FaultyProxy, store: Store, uri: str) -> None:
    with pytest.raises(TooLargeError) as caught:
        store.read(uri, max_bytes=1000)
    assert caught.value.size == len(DATA)
    assert store.retries == {}


def test_half_a_put_leaves_nothing(s3: S3Server, s3_proxy: FaultyProxy, store: Store, tmp_path: Path) -> None:
    folder = f"{s3.bucket}/{tmp_path.name}"
    s3_proxy.inject(Fault("cut_request", 99, method="PUT"))
    with pytest.raises(StorageError):
        store.put(f"{folder}/part", DATA)
    assert list(store.list(folder)) == []
    s3_proxy.clear()
    store.put(f"{folder}/part", DATA)
    s3_proxy.inject(Fault("cut_request", 99, method="PUT"))
    with pytest.raises(StorageError):
        store.put(f"{folder}/part", DATA[::-1])
    assert store.read(f"{folder}/part") == DATA


def test_a_put_whose_answer_is_lost_is_repeated(
    s3: S3Server, s3_proxy: FaultyProxy, impatient: Store
) -> None:
    s3_proxy.inject(Fault("stall", 1, method="PUT"))
    impatient.put(f"{s3.bucket}/repeated", DATA)
    assert impatient.read(f"{s3.bucket}/repeated") == DATA
    assert impatient.retries == {"timeout": 1}


def test_a_large_put_is_in_parts(s3: S3Server, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    backend = S3Backend(StoreTimeouts(), largest_put=6 << 20, part=5 << 20)
    data = bytes(range(256)) * (11 << 12)  # 11 MiB: three parts
    backend.put(f"{s3.bucket}/{tmp_path.name}", data)
    assert backend.read(f"{s3.bucket}/{tmp_path.name}", None) == data
    assert [seen.method for seen in s3_proxy.requests[:5]] == ["POST", "PUT", "PUT", "PUT", "POST"]


def test_a_failed_upload_in_parts_is_aborted(s3: S3Server, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    backend = S3Backend(StoreTimeouts(), largest_put=6 << 20, part=5 << 20)
    s3_proxy.inject(Fault("status", 1, path="partNumber=2"))
    with pytest.raises(Exception, match="reduce your request rate"):
        backend.put(f"{s3.bucket}/{tmp_path.name}", bytes(11 << 20))
    assert s3_proxy.requests[-1].method == "DELETE"
    uploads: dict[str, Any] = backend._call("list_multipart_uploads", {"Bucket": "bucket"})
    assert uploads.get("Uploads", []) == []


def test_a_long_list_comes_in_pages(s3: S3Server, s3_proxy: FaultyProxy, store: Store) -> None:
    names = [f"part-{i:05}.parquet" for i in range(2500)]
    (s3.folder / "long").mkdir()
    for name in names:
        (s3.folder / "long" / name).write_bytes(b"x")
    time.sleep(0.2)  # the server keeps what it knows of a folder for 100 ms
    entries = store.list(f"{s3.bucket}/long")
    next(entries)
    assert len(s3_proxy.requests) == 1  # lazy
    s3_proxy.inject(Fault("status", 1))  # the second page is asked for twice, the first is not
    assert 1 + len(list(entries)) == len(set(names))
    assert [seen.fault for seen in s3_proxy.requests] == [None, "status", None, None]
    assert all(a != b for a, b in pairwise(seen.path for seen in s3_proxy.requests[2:]))


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("AccessDenied", 403, PermissionError), ("NoSuchKey", 404, FileNotFoundError)],
)
def test_an_answer_is_not_retried(
    s3_proxy: FaultyProxy, store: Store, uri: str, code: str, status: int, error: type[Exception]
) -> None:
    s3_proxy.inject(Fault("status", 9, status=status, code=code))
    with pytest.raises(error):
        store.read(uri)
    assert (len(s3_proxy.requests), store.retries) == (1, {})


def test_a_refused_put_is_a_storage_error_at_once(s3_proxy: FaultyProxy, store: Store, uri: str) -> None:
    s3_proxy.inject(Fault("status", 9, status=403, code="AccessDenied"))
    with pytest.raises(StorageError, match="cannot write"):
        store.put(uri, b"x")
    assert len(s3_proxy.requests) == 1


def test_wrong_credentials_are_not_a_wrong_object(
    s3_proxy: FaultyProxy, store: Store, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wr0ng-secret")
    with pytest.raises(StorageError, match="refuses the credentials") as caught:
        store.read(uri)
    assert "wr0ng-secret" not in str(caught.value)
    assert store.retries == {"credentials": 3}


def test_no_credentials_at_all(s3: S3Server, store: Store, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageError, match="no usable credentials for s3"):
        store.read(uri)


def test_a_missing_bucket(s3: S3Server, store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("s3://no-such-bucket/x")
    with pytest.raises(FileNotFoundError):
        store.read("s3://not a bucket!/x")
    with pytest.raises(StorageError, match="create the bucket first"):
        list(store.list("s3://no-such-bucket/x"))
    with pytest.raises(StorageError, match="bucket does not exist"):
        store.put("s3://no-such-bucket/x", b"")
    with pytest.raises(IsADirectoryError):
        store.read("s3://bucket")


def test_a_store_that_is_gone(store: Store, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyProxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    with pytest.raises(StorageError, match="failed 4 times"):  # the port is closed now
        store.read(f"{s3.bucket}/x")
    assert store.retries == {"connection": 3}
