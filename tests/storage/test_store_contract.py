"""One suite for every kind of storage: what a `Store` promises whatever the scheme."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwr_batch.errors import ConfigError
from hwr_batch.storage import Store, TooLargeError, join, parent

from .conftest import QUICK


@pytest.fixture(scope="module")
def store() -> Store:
    """One for all tests here: a connection to S3 takes half a second of loading descriptions."""
    return Store(QUICK)


NAMES = [
    "plain.png",
    "a#1 ?.png",  # seen in archives
    "per%20cent%2F.png",
    "?versionId=3",  # s3fs would cut the name here
    "Zürich–日本語.jpg",
    "quote'\"&+=;,[x].tif",
    "_plan.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_taken_literally(store: Store, place: str, name: str) -> None:
    uri = join(place, name)
    store.put(uri, name.encode())
    assert store.read(uri) == name.encode()
    assert list(store.list(place)) == [(name, len(name.encode()))]
    assert parent(uri) == place


def test_put_replaces_the_whole_object(store: Store, place: str) -> None:
    uri = join(place, "part")
    store.put(uri, b"a long first version")
    store.put(uri, b"short")
    assert store.read(uri) == b"short"
    assert store.size(uri) == 5


def test_an_empty_object_is_read_as_such(store: Store, place: str) -> None:
    uri = join(place, "empty")
    store.put(uri, b"")
    assert (store.read(uri), store.read(uri, 10), store.read_range(uri, 0, 5)) == (b"", b"", b"")
    assert (store.size(uri), store.exists(uri)) == (0, True)
    with store.open(uri) as file:
        assert file.read() == b""


def test_the_limit_is_the_last_size_that_is_read(store: Store, place: str) -> None:
    uri = join(place, "x")
    store.put(uri, b"12345")
    assert store.read(uri, max_bytes=5) == b"12345"
    with pytest.raises(TooLargeError) as caught:
        store.read(uri, max_bytes=4)
    assert (caught.value.size, caught.value.limit) == (5, 4)


def test_missing_things(store: Store, place: str) -> None:
    uri = join(place, "never written")
    for ask in (store.read, store.size, store.open):
        with pytest.raises(FileNotFoundError):
            ask(uri)
    with pytest.raises(FileNotFoundError):
        store.read_range(uri, 0, 1)
    assert not store.exists(uri)
    assert list(store.list(place)) == []
    store.remove(uri)
    assert store.retries == {}


def test_remove(store: Store, place: str) -> None:
    uri = join(place, "x")
    store.put(uri, b"x")
    store.remove(uri)
    assert not store.exists(uri)


def test_a_list_has_direct_children_and_no_folders(store: Store, place: str) -> None:
    for name in ("b", "a", "deep/c", "deep/deeper/d"):
        store.put(join(place, name), name.encode())
    assert sorted(store.list(place)) == [("a", 1), ("b", 1)]
    assert list(store.list(join(place, "deep"))) == [("c", 6)]
    assert list(store.list(join(place, "dee"))) == []  # a prefix is no folder


def test_a_list_is_never_stale(store: Store, place: str) -> None:
    for count in range(3):
        store.put(join(place, str(count)), b"")
        assert len(list(store.list(place))) == count + 1
    Store().remove(join(place, "0"))
    assert len(list(store.list(place))) == 2


def test_a_folder_is_no_object(store: Store, place: str) -> None:
    store.put(join(place, "folder/x"), b"x")
    assert not store.exists(join(place, "folder"))
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        store.read(join(place, "folder"))


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (3, 4), (4, 4), (8, 99), (10, 20), (500, 600)])
def test_ranges_are_slices(store: Store, place: str, start: int, stop: int) -> None:
    store.put(join(place, "x"), b"0123456789")
    assert store.read_range(join(place, "x"), start, stop) == b"0123456789"[start:stop]


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (5, 4)])
def test_ranges_that_are_none(store: Store, place: str, start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="not a range"):
        store.read_range(join(place, "x"), start, stop)


MOVES = st.lists(
    st.tuples(st.sampled_from(["seek", "read", "line", "end"]), st.integers(0, 260)), min_size=1, max_size=12
)


@pytest.mark.parametrize("place", ["file", "memory"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_an_open_object_is_a_file(store: Store, place: str, moves: list[tuple[str, int]]) -> None:
    data = bytes(range(256))
    uri = join(place, "x")
    if not store.exists(uri):
        store.put(uri, data)
    expected = io.BytesIO(data)
    with store.open(uri, block=16) as file:
        for move, value in moves:
            for reader in (file, expected):
                reader.seek(value) if move == "seek" else None
            if move == "read":
                assert file.read(value) == expected.read(value)
            elif move == "line":
                assert file.readline() == expected.readline()
            elif move == "end":
                assert file.seek(-(value % 256), io.SEEK_END) == expected.seek(-(value % 256), io.SEEK_END)
            assert file.tell() == expected.tell()
        assert file.read() == expected.read()


def test_an_open_object_fetches_blocks(store: Store, place: str) -> None:
    data = bytes(range(256)) * 4
    store.put(join(place, "x"), data)
    with store.open(join(place, "x"), block=512) as file:
        assert (file.read(3), file.tell()) == (data[:3], 3)
        assert (file.seek(-600, io.SEEK_END), file.read(10)) == (424, data[424:434])
        assert file.readline() == data[434:523]  # up to the byte 10, the newline, across two blocks
        assert (file.read(), file.read(1)) == (data[523:], b"")


def test_a_pickled_store_works_elsewhere(store: Store, place: str) -> None:
    store.put(join(place, "x"), b"x")
    other = pickle.loads(pickle.dumps(Store(store.retry, print)))
    assert other.read(join(place, "x")) == b"x"
    assert (other.retry, other.timeouts, other.on_retry) == (store.retry, store.timeouts, None)


def test_many_threads_share_a_store(store: Store, place: str) -> None:
    names = [f"{i:03}" for i in range(64)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda name: store.put(join(place, name), name.encode() * 1000), names))
        texts = list(pool.map(lambda name: store.read(join(place, name)), names))
    assert texts == [name.encode() * 1000 for name in names]
    assert sorted(name for name, _ in store.list(place)) == names


def test_concurrent_puts_leave_one_whole_version(store: Store, place: str) -> None:
    uri = join(place, "part")
    versions = [bytes([i]) * (50_000 + i) for i in range(16)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda data: store.put(uri, data), versions))
        assert store.read(uri) in versions
    assert [name for name, _ in store.list(place)] == ["part"]


@pytest.mark.parametrize("uri", ["zip://x/y", "ftp://host/x", "simplecache://s3://bucket/x", "gopher://h/"])
def test_unknown_schemes_are_a_wrong_configuration(store: Store, uri: str) -> None:
    with pytest.raises(ConfigError, match="is not one of"):
        store.read(uri)


@pytest.mark.parametrize("scheme", ["gs", "abfs"])
def test_a_missing_driver_names_the_extra(store: Store, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("gcsfs", "adlfs"):
        monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install hwr-batch\[{scheme}\]"):
        store.read(f"{scheme}://bucket/x")


def test_two_names_for_a_local_file(store: Store, tmp_path: Path) -> None:
    store.put(str(tmp_path / "a#1 ?.png"), b"x")
    assert store.read(f"file://{tmp_path}/a%231%20%3F.png") == b"x"
    assert store.read(f"file://{tmp_path}/a#1 ?.png") == b"x"
