"""What a worker process leaves out of its memory, each seen in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PINNED = """
import ctypes, sys
from hwr_batch.memory import give_back_freed, resident_bytes
if getattr(ctypes.CDLL(None), "mallopt", None) is None:
    sys.exit(77)
if sys.argv[1] == "yes":
    give_back_freed()
bytes(8 << 20)  # freed: glibc takes blocks of this size from the heap from now on
kept, before = [], resident_bytes()
for _ in range(16):
    image = b"." * (4 << 20)
    kept += [bytes(700 + n) for n in range(200)]  # above it in the heap, and still in use
    images = [*globals().get("images", []), image]
del images, image
print(resident_bytes() - before)
"""

NO_PANDAS = """
import sys
import pyarrow
from hwr_batch import results
results.leave_pandas_out()
assert pyarrow.table({"text": ["a", None]}).to_pylist() == [{"text": "a"}, {"text": None}]
assert "pandas" not in sys.modules
import pandas
print(pandas.Series([1]).sum())
"""


def answer(program: str, *arguments: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    if ended.returncode == 77:
        pytest.skip("this C library has no mallopt")
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


def test_freed_images_go_back_to_the_system() -> None:
    """By itself glibc keeps the 64 MB below what is still in use."""
    assert answer(PINNED, "yes") < 16 << 20 < 48 << 20 < answer(PINNED, "no")


def test_a_worker_leaves_pandas_out_and_whoever_wants_it_still_has_it() -> None:
    assert answer(NO_PANDAS) == 1
