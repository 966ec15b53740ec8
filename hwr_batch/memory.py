"""How much memory this process holds."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path

_ARENAS, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of malloc.h
_STATM = Path("/proc/self/statm")  # Linux: pages, the second number is the resident set


def give_back_freed() -> None:
    """Have glibc return large blocks when they are freed, and keep one heap instead of one per thread.

    By itself it keeps blocks of up to 32 MiB for later (mallopt(3), M_MMAP_THRESHOLD): with images decoded
    in many threads that held another 60 MB per worker. Other C libraries have no such options.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENAS, 1)
        mallopt(_MMAP_THRESHOLD, 1 << 20)


def resident_bytes() -> int:
    """Resident memory now; where the system does not tell, the most there has been."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return peak_bytes()


def peak_bytes() -> int:
    """The most resident memory so far (ru_maxrss is in KiB on Linux, in bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
