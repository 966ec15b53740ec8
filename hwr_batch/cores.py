"""How many cores this process may really use: affinity and the cgroup's CPU quota.

OpenVINO, OpenCV and Arrow look at the machine; a container's quota is invisible to them.
Source: Linux kernel documentation, cgroup v2 `cpu.max`, cgroup v1 `cpu.cfs_quota_us`.
"""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Whole cores, at least 1: the affinity mask, cut to the quota rounded down."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroup)
    return max(1, available if quota is None else min(available, int(quota)))


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """Cores that the cgroup's quota allows, None without a quota."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        return _quota_v1(cgroup)
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(cgroup: Path) -> float | None:
    try:
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if quota <= 0 else quota / period
