"""The process a measurement runs in: fresh, limited to its cores, and its peak memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from hwr_batch.bench.setting import Measured, Setting

Answer = TypeVar("Answer")
Way = Callable[[Setting], Measured]


def in_own_process(work: Callable[[Setting], Answer], setting: Setting) -> Answer:
    """`work(setting)` in a new process that may use `setting.cores` CPUs; its exceptions arrive here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_limited, work, setting).result()


def _limited(work: Callable[[Setting], Answer], setting: Setting) -> Answer:
    if hasattr(os, "sched_setaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, usable[: setting.cores])  # children, Ray's too, inherit it
    return work(setting)


def peak_bytes() -> int:
    """Peak resident memory of this process.

    VmHWM, not getrusage: the latter remembers the parent's memory through fork and exec.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
