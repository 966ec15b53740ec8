"""Local and mounted files, with the guarantees that a results folder needs."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from hwr_batch.storage.backend import Page
from hwr_batch.storage.faults import TooLargeError
from hwr_batch.storage.uri import local_path

TEMP_PREFIX = "_tmp-"  # readers of a results folder skip names that begin with `_`

_LARGEST_READ = 1 << 28  # bytes; os.read allocates what it is asked for
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
        with _regular(uri) as (fd, _):
            os.lseek(fd, start, os.SEEK_SET)
            return _read_up_to(fd, stop - start, chunk=stop - start)

    def size(self, uri: str) -> int:
        with _regular(uri) as (_, size):
            return size

    def native(self, uri: str) -> BinaryIO | None:
        with _regular(uri) as (fd, _):
            return os.fdopen(os.dup(fd), "rb")

    def page(self, folder: str, token: str | None) -> Page:  # noqa: ARG002 - one page
        try:
            with os.scandir(local_path(folder)) as entries:
                return [
                    (entry.name, size) for entry in entries if (size := _file_size(entry)) is not None
                ], None
        except (FileNotFoundError, NotADirectoryError):
            return [], None

    def put(self, uri: str, data: bytes) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _replace(folder, path.name, data)
            with _unless_unsupported():
                os.fsync(folder)
        finally:
            os.close(folder)

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


def _file_size(entry: os.DirEntry[str]) -> int | None:
    """Bytes of a file in a listing, None for folders and for what vanished meanwhile."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except FileNotFoundError:
        return None


def _replace(folder: int, name: str, data: bytes) -> None:
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


def _write_unnamed(folder: int, temp: str, data: bytes) -> None:
    """Write a file that has no name until it is complete, so that even SIGKILL leaves none behind."""
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        _write_all(fd, data)
        # dst_dir_fd makes Python call linkat with AT_SYMLINK_FOLLOW, which open(2) asks for here.
        os.link(f"/proc/self/fd/{fd}", temp, dst_dir_fd=folder)
    finally:
        os.close(fd)


def _write_named(folder: int, temp: str, data: bytes) -> None:
    """The same where the file system (NFS, some FUSE mounts) knows no unnamed files."""
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        _write_all(fd, data)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.fsync(fd)


@contextmanager
def _unless_unsupported() -> Iterator[None]:
    """Some mounts refuse fsync on a folder; there is nothing more to be had from them."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise
