"""Local and mounted files, with the guarantees that a results folder needs."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hwr_batch.storage.backend import Page
from hwr_batch.storage.faults import TooLargeError
from hwr_batch.storage.uri import local_path

TEMP_PREFIX = "_tmp-"  # readers of a results folder skip names that begin with `_`

_LARGEST_READ = 1 << 28  # bytes; os.read allocates what it is asked for
_LARGEST_WRITE = 1 << 28  # bytes at a time
_NO_UNNAMED_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})


class LocalBackend:
    """`file://` and plain paths."""

    def read(self, uri: str, max_bytes: int | None) -> bytes:
        with _regular(uri) as (fd, size):
            if max_bytes is not None and size > max_bytes:
                raise TooLargeError(size, max_bytes)
            data = _read_up_to(fd, sys.maxsize if max_bytes is None else max_bytes + 1, chunk=size + 1)
            if max_bytes is not None and len(data) > max_bytes:  # it grew under our eyes
                raise TooLargeError(len(data), max_bytes)
            return data

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        with _regular(uri) as (fd, size):
            if start >= size:  # lseek refuses what lies beyond any file
                return b""
            os.lseek(fd, start, os.SEEK_SET)
            return _read_up_to(fd, stop - start, chunk=stop - start)

    def size(self, uri: str) -> int:
        with _regular(uri) as (_, size):
            return size

    def native(self, uri: str) -> BinaryIO | None:
        with _regular(uri) as (fd, _):
            return os.fdopen(os.dup(fd), "rb")

    def page(self, folder: str, token: str | None, *, deep: bool = False) -> Page:
        """One page per folder. `token`: the folders still to come, so that only their names are held."""
        waiting = token.split("\0") if token else [""]
        below = waiting.pop(0)
        files, folders = _children(local_path(folder) / below, f"{below}/" if below else "")
        waiting = [*folders, *waiting] if deep else []
        return files, "\0".join(waiting) or None

    def put(self, uri: str, data: bytes | mmap.mmap) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _replace(folder, path.name, data)
            with _unless_unsupported():
                os.fsync(folder)
        finally:
            os.close(folder)

    def put_file(self, uri: str, path: Path) -> None:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                self.put(uri, b"")
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                self.put(uri, content)

    def remove(self, uri: str) -> None:
        local_path(uri).unlink()


@contextmanager
def _regular(uri: str) -> Iterator[tuple[int, int]]:
    """An open descriptor and the size of a regular file.

    O_NONBLOCK: opening a FIFO must not wait for a writer that never comes. A name that no file can
    have (too long, a NUL, a loop of links) is a missing file.
    """
    path = local_path(uri)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as exc:
        raise FileNotFoundError(errno.ENOENT, "the name holds a NUL character") from exc
    except OSError as exc:
        if exc.errno in {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}:
            raise FileNotFoundError(errno.ENOENT, exc.strerror) from exc
        if exc.errno == errno.ENXIO:  # a socket
            raise IsADirectoryError(errno.EISDIR, "not a regular file") from exc
        raise
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, "not a regular file")
        yield fd, facts.st_size
    finally:
        os.close(fd)


def _read_up_to(fd: int, count: int, *, chunk: int) -> bytes:
    """At most `count` bytes from the descriptor's position; fewer only at the end of the file."""
    parts: list[bytes] = []
    while count > 0 and (part := os.read(fd, min(count, chunk, _LARGEST_READ))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _children(path: Path, prefix: str) -> tuple[list[tuple[str, int]], list[str]]:
    """Files (name, bytes) and folders of a folder, each with `prefix`, sorted; none where it is missing.

    Links to files count as files; links to folders are not followed, as they may lead in a circle.
    """
    try:
        with os.scandir(path) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    files = [(prefix + e.name, size) for e in children if (size := _file_size(e)) is not None]
    return files, [prefix + e.name for e in children if e.is_dir(follow_symlinks=False)]


def _file_size(entry: os.DirEntry[str]) -> int | None:
    """Bytes of a file in a listing, None for folders and for what vanished meanwhile."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except FileNotFoundError:
        return None


def _replace(folder: int, name: str, data: bytes | mmap.mmap) -> None:
    """Write a temporary file in `folder`, to the disk, then rename it; nothing is left on failure."""
    temp = TEMP_PREFIX + secrets.token_hex(8)
    try:
        try:
            _write_unnamed(folder, temp, data)
        except OSError as exc:
            if exc.errno not in _NO_UNNAMED_FILES:
                raise
            _write_named(folder, temp, data)
        os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temp, dir_fd=folder)
        raise


def _write_unnamed(folder: int, temp: str, data: bytes | mmap.mmap) -> None:
    """Write a file that has no name until it is complete, so that even SIGKILL leaves none behind."""
    if not hasattr(os, "O_TMPFILE"):  # macOS
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        _write_all(fd, data)
        # dst_dir_fd makes Python call linkat with AT_SYMLINK_FOLLOW, which open(2) asks for here.
        os.link(f"/proc/self/fd/{fd}", temp, dst_dir_fd=folder)
    finally:
        os.close(fd)


def _write_named(folder: int, temp: str, data: bytes | mmap.mmap) -> None:
    """The same where the file system (NFS, some FUSE mounts) knows no unnamed files."""
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        _write_all(fd, data)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes | mmap.mmap) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            with view[written : written + _LARGEST_WRITE] as rest:
                written += os.write(fd, rest)
    os.fsync(fd)


@contextmanager
def _unless_unsupported() -> Iterator[None]:
    """Some mounts refuse fsync on a folder; there is nothing more to be had from them."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise
