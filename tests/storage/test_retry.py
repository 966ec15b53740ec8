"""When to ask again, how long to wait, and what to say in the end."""

from __future__ import annotations

import errno
import pickle
import subprocess
import sys

import pytest

from hwr_batch.errors import ConfigError, StorageError
from hwr_batch.storage import RetryPolicy, StoreTimeouts, TooLargeError
from hwr_batch.storage.faults import TransientError, cause, reason
from hwr_batch.storage.ranged import RangedFile
from hwr_batch.storage.retry import persist

NO_WAIT = RetryPolicy(attempts=3, first_wait_s=0, longest_wait_s=0)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (TransientError("throttled", "slow down"), "throttled"),
        (TimeoutError(), "timeout"),
        (ConnectionResetError(), "connection"),
        (BrokenPipeError(), "connection"),
        (OSError(errno.EIO, "input/output error"), "io"),
        (OSError(errno.ESTALE, "stale handle"), "io"),
        (OSError(errno.ENOSPC, "disk full"), "io"),
        (OSError("no errno"), "io"),
        (FileNotFoundError(), None),
        (PermissionError(), None),
        (IsADirectoryError(), None),
        (OSError(errno.ENAMETOOLONG, "name too long"), None),
        (OSError(errno.EROFS, "read-only"), None),
        (TooLargeError(2, 1), None),
        (ValueError(), None),
    ],
    ids=repr,
)
def test_what_may_pass(exc: Exception, expected: str | None) -> None:
    assert cause(exc) == expected


class Flaky:
    """Raises each of `failures` once, then returns 7."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return 7


def test_success_after_failures() -> None:
    call, causes = Flaky(TimeoutError(), OSError(errno.EIO, "bad")), list[str]()
    assert persist(call, what="reading x", policy=NO_WAIT, on_retry=causes.append) == 7
    assert (call.calls, causes) == (3, ["timeout", "io"])


def test_giving_up() -> None:
    call, causes = Flaky(*[OSError(errno.EIO, "see https://u:pw@h/x?sig=pw")] * 9), list[str]()
    with pytest.raises(StorageError) as caught:
        persist(call, what="reading x", policy=NO_WAIT, on_retry=causes.append)
    assert str(caught.value) == (
        "reading x failed 3 times, last with: see https://***@h/x?…. "
        "Check the store and the network, then run again to resume"
    )
    assert isinstance(caught.value.__cause__, OSError)
    assert (call.calls, causes) == (3, ["io", "io"])


def test_answers_pass_through() -> None:
    call = Flaky(FileNotFoundError("x"))
    with pytest.raises(FileNotFoundError):
        persist(call, what="", policy=NO_WAIT, on_retry=print)
    assert call.calls == 1


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 0, 4), (3.0, 3, 4), (3600.0, 4, 4)])
def test_waits(monkeypatch: pytest.MonkeyPatch, asked: float | None, least: float, most: float) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    call = Flaky(*[TransientError("throttled", "", asked)] * 5)
    policy = RetryPolicy(attempts=6, first_wait_s=1, longest_wait_s=4)
    assert persist(call, what="", policy=policy, on_retry=lambda _: None) == 7
    assert len(waits) == 5
    assert all(least <= wait <= most for wait in waits)
    assert asked is not None or waits[0] <= 1


def test_options_are_checked() -> None:
    for wrong in (
        lambda: RetryPolicy(attempts=0),
        lambda: RetryPolicy(first_wait_s=9, longest_wait_s=1),
        lambda: StoreTimeouts(read_s=0),
    ):
        with pytest.raises(ConfigError):
            wrong()
    assert StoreTimeouts(request_s=300, put_bytes_per_s=1e6).for_put(10**9) == 1300


def test_errors_travel_between_processes() -> None:
    for exc in (TooLargeError(2, 1), TransientError("io", "bad", 1.0)):
        copy = pickle.loads(pickle.dumps(exc))
        assert (type(copy), str(copy), vars(copy)) == (type(exc), str(exc), vars(exc))


def test_a_reason_is_one_line() -> None:
    assert reason(OSError("several\n  lines.")) == "several lines"
    assert reason(TimeoutError()) == "no answer in time"
    assert reason(ConnectionResetError()) == "ConnectionResetError"


def test_an_object_that_shrinks_is_not_taken_for_complete() -> None:
    file = RangedFile(lambda start, stop: b"abc"[start:stop], size=5, name="x")
    assert file.read(3) == b"abc"
    with pytest.raises(StorageError, match="x changed while it was read"):
        file.read(2)


def test_local_storage_needs_no_driver() -> None:
    code = (
        "import sys\n"
        "for name in ('fsspec', 's3fs', 'aiohttp', 'botocore'): sys.modules[name] = None\n"
        "from hwr_batch.storage import Store\n"
        "assert Store().read(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, __file__], check=True)
