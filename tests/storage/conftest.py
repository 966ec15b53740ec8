"""Stores that lose patience quickly, one folder per kind of storage, and a small web server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwr_batch.storage import RetryPolicy, Store, StoreTimeouts

from .web import Web

QUICK = RetryPolicy(attempts=4, first_wait_s=0.001, longest_wait_s=0.01)


@pytest.fixture
def store() -> Store:
    """Four attempts, hardly a wait between them, timeouts that only a stall can reach."""
    return Store(QUICK, timeouts=StoreTimeouts(connect_s=30, read_s=30, request_s=60))


@pytest.fixture
def impatient() -> Store:
    """The same, giving up on a silent store after a second."""
    return Store(QUICK, timeouts=StoreTimeouts(connect_s=1, read_s=1, request_s=20))


@pytest.fixture(params=["file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URI of an empty folder."""
    name = uuid.uuid4().hex
    if request.param == "file":
        return str(tmp_path / name)
    if request.param == "memory":
        return f"memory://{name}/folder"
    return f"{request.getfixturevalue('s3').bucket}/{name}"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server
