"""How many cores this process may use, and the properties that make OpenVINO keep to them.

OpenVINO's CPU plugin runs on TBB: it does not read OMP_NUM_THREADS, it ignores the cgroup's CPU quota, and
several instances on one host would all pin their threads from core 0. So every count is set here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hwr_batch.config import Precision
from hwr_batch.engine.options import EngineOptions

_UNLIMITED = float("inf")
_ISAS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "sse4_2")  # best first, /proc names

# Kernels that OpenVINO keeps for shapes it has met, per stream. Its default of 5000 let a network with
# hundreds of distinct widths grow from 240 to 840 MB and on; 0 costs it a fifth of its speed. The published
# networks need fewer than this for all their widths.
_CACHED_PRIMITIVES = 1500


def usable_cores(root: Path = Path("/")) -> int:
    """Cores by affinity, cut to the cgroup's CPU quota (v1 or v2) rounded down, at least 1.

    `root` is where /proc and /sys are found.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, int(min(affinity, cpu_quota(root))))


def cpu_quota(root: Path = Path("/")) -> float:
    """The smallest CPU quota from this process's cgroup up to the top, in cores; infinity for none."""
    quotas = [_UNLIMITED]
    for controllers, path in _memberships(root):
        v2 = controllers == ""
        if not v2 and "cpu" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("" if v2 else "cpu")
        folder = base / path.lstrip("/")
        # Inside a container the path of /proc may not exist under the mount: then the mount is ours.
        for level in (folder, *folder.parents):
            quotas.append(_quota_v2(level) if v2 else _quota_v1(level))
            if level == base:
                break
    return min(quotas)


def properties(options: EngineOptions, streams: int) -> dict[str, Any]:
    """Compile properties: one thread per stream, so that an answer does not depend on their number.

    bf16 is OpenVINO's default where the CPU has it, so the precision is always said. INT8 files carry
    their own quantisation; what is left of them runs in f32. No model cache: its folder has races.
    """
    return {
        "INFERENCE_NUM_THREADS": streams,
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": "bf16" if options.precision is Precision.BF16 else "f32",
        "ENABLE_CPU_PINNING": not options.several_on_host,
        "CACHE_DIR": "",
        "CPU_RUNTIME_CACHE_CAPACITY": _CACHED_PRIMITIVES,
    }


def _memberships(root: Path) -> list[tuple[str, str]]:
    """(controllers, path) of each line of /proc/self/cgroup; controllers is "" for v2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    fields = (line.split(":", 2) for line in lines)
    return [(f[1], f[2]) for f in fields if len(f) == 3]


def _quota_v2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return _UNLIMITED
    return _UNLIMITED if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return _UNLIMITED
    return quota / period if quota > 0 and period > 0 else _UNLIMITED


def instruction_set(root: Path = Path("/")) -> str:
    """The widest vector instructions that OpenVINO's CPU kernels choose by, such as "avx512_bf16"."""
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        return "unknown"
    flags = next((set(line.split()) for line in text.splitlines() if line.startswith("flags")), set())
    return next((isa for isa in _ISAS if isa in flags), "unknown")
