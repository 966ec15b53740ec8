"""Local files: what only a file system can do wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hwr_batch.errors import StorageError
from hwr_batch.storage import Store
from hwr_batch.storage.local import TEMP_PREFIX

FullDisk = Callable[[Path, int], None]


@pytest.fixture(params=["unnamed", "named"])
def temporary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of writing a temporary file: without a name, and as NFS needs it."""
    if request.param == "named":
        real = os.open

        def without_tmpfile(path: str, flags: int, *args: int, **options: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return real(path, flags, *args, **options)

        monkeypatch.setattr(os, "open", without_tmpfile)
    return str(request.param)


@pytest.mark.parametrize("after", [0, 1000])
def test_a_full_disk_leaves_nothing(
    store: Store, tmp_path: Path, full_disk: FullDisk, temporary: str, after: int
) -> None:
    (tmp_path / "part").write_bytes(b"the version before")
    full_disk(tmp_path, after)
    with pytest.raises(StorageError, match=r"No space left on device.*run again to resume"):
        store.put(str(tmp_path / "part"), bytes(100_000))
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    assert (tmp_path / "part").read_bytes() == b"the version before"
    assert store.retries == {"io": 3}


def test_a_put_is_invisible_until_it_is_complete(
    store: Store, tmp_path: Path, temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = os.fsync

    def look(fd: int) -> None:
        seen.append([path.name for path in tmp_path.iterdir() if not path.name.startswith(TEMP_PREFIX)])
        real(fd)

    monkeypatch.setattr(os, "fsync", look)
    store.put(str(tmp_path / "part"), b"x" * 100_000)
    assert seen == [[], ["part"]]  # the file before its rename, then the folder


def test_a_crash_between_write_and_rename_is_cleaned_up(
    store: Store, tmp_path: Path, temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put(str(tmp_path / "part"), b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_put_obeys_the_umask(store: Store, tmp_path: Path, temporary: str) -> None:
    before = os.umask(0o027)
    try:
        store.put(str(tmp_path / "new/part"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "new/part").stat().st_mode & 0o777 == 0o640


def test_a_put_that_can_never_work_is_not_repeated(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder/x").mkdir(parents=True)
    for target in ("file/part", "folder", "x" * 300):
        with pytest.raises(StorageError, match="cannot write"):
            store.put(str(tmp_path / target), b"x")
    assert store.retries == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_unreliable_disk_is_asked_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"data")
    real, failures, causes = os.read, [errno.EIO, errno.ESTALE], list[str]()
    store.on_retry = causes.append

    def read(fd: int, count: int) -> bytes:
        if failures and os.readlink(f"/proc/self/fd/{fd}") == str(tmp_path / "x"):
            raise OSError(failures.pop(), "injected")
        return real(fd, count)

    monkeypatch.setattr(os, "read", read)
    assert store.read(str(tmp_path / "x")) == b"data"
    assert (store.retries, causes) == ({"io": 2}, ["io", "io"])


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "nul\0byte", "file/below a file", "loop"])
def test_names_that_no_file_has_are_missing(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FileNotFoundError):
        store.read(f"{tmp_path}/{name}")
    assert store.retries == {}


def test_what_is_no_regular_file_is_refused_at_once(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # opening one would wait for a writer for ever
    for name in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(IsADirectoryError):
            store.read(str(name), max_bytes=1000)


def test_a_forked_process_makes_its_own_connections(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"data")
    store.read(str(tmp_path / "x"))
    with store._lock:  # held by a thread that does not exist in the child
        child = os.fork()
        if child == 0:
            os._exit(0 if store.read(str(tmp_path / "x")) == b"data" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
