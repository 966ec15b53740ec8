"""Cores by affinity and cgroup quota, on made-up /proc and /sys trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwr_batch import cores as counted


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, float("inf")),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, float("inf")),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (  # v2: the strictest of the levels above counts
            {
                "proc/self/cgroup": "0::/slice/job\n",
                "sys/fs/cgroup/slice/job/cpu.max": "800000 100000\n",
                "sys/fs/cgroup/slice/cpu.max": "300000 100000\n",
            },
            3.0,
        ),
        (  # v2 in a container: the path of /proc is the host's, the mount is ours
            {"proc/self/cgroup": "0::/kubepods/pod1\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"},
            2.0,
        ),
        (  # v1
            {
                "proc/self/cgroup": "5:memory:/m\n4:cpu,cpuacct:/docker/abc\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (  # v1 without a limit
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            float("inf"),
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "garbage\n"}, float("inf")),
    ],
)
def test_quota(files: dict[str, str], cores: float, tmp_path: Path) -> None:
    assert counted.cpu_quota(tree(tmp_path, files)) == cores


def test_cores_are_whole_and_at_least_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert counted.usable_cores(tmp_path) == 8
    cgroup = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "350000 100000"}
    assert counted.usable_cores(tree(tmp_path, cgroup)) == 3
    assert counted.usable_cores(tree(tmp_path, {"sys/fs/cgroup/cpu.max": "50000 100000"})) == 1
