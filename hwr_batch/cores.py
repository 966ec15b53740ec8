"""How many cores this process may really use: affinity and the cgroup's CPU quota.

OpenVINO, OpenCV and Arrow look at the machine; a container's quota is invisible to them.
Source: Linux kernel documentation, cgroup v2 `cpu.max`, cgroup v1 `cpu.cfs_quota_us`.
"""

from __future__ import annotations

import os
from pathlib import Path

_UNLIMITED = float("inf")


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
