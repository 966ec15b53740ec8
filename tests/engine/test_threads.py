"""Cores by affinity and cgroup quota, on made-up /proc and /sys trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwr_batch.config import Precision
from hwr_batch.engine import EngineOptions, threads
from hwr_batch.errors import ConfigError


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
    assert threads.cpu_quota(tree(tmp_path, files)) == cores


def test_cores_are_whole_and_at_least_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads.usable_cores(tmp_path) == 8
    cgroup = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "350000 100000"}
    assert threads.usable_cores(tree(tmp_path, cgroup)) == 3
    assert threads.usable_cores(tree(tmp_path, {"sys/fs/cgroup/cpu.max": "50000 100000"})) == 1


def test_properties_say_everything() -> None:
    said = threads.properties(EngineOptions(several_on_host=True), 3)
    assert said["INFERENCE_NUM_THREADS"] == said["NUM_STREAMS"] == 3
    assert said["INFERENCE_PRECISION_HINT"] == "f32"  # never OpenVINO's own default
    assert said["ENABLE_CPU_PINNING"] is False
    assert said["CACHE_DIR"] == ""
    assert (
        threads.properties(EngineOptions(precision=Precision.BF16), 1)["INFERENCE_PRECISION_HINT"] == "bf16"
    )
    assert threads.properties(EngineOptions(precision=Precision.INT8), 1)["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.parametrize(
    ("flags", "isa"),
    [
        ("fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16", "amx_bf16"),
        ("fpu avx2", "avx2"),
        ("fpu", "unknown"),
    ],
)
def test_instruction_set(flags: str, isa: str, tmp_path: Path) -> None:
    text = f"processor\t: 0\nflags\t\t: {flags}\n"
    assert threads.instruction_set(tree(tmp_path, {"proc/cpuinfo": text})) == isa


def test_instruction_set_of_an_unknown_machine(tmp_path: Path) -> None:
    assert threads.instruction_set(tmp_path) == "unknown"


@pytest.mark.parametrize("field", ["threads", "top_k", "batch", "window", "ahead"])
def test_options_out_of_range(field: str) -> None:
    with pytest.raises(ConfigError, match=f"engine option {field} must be at least"):
        EngineOptions(**{field: -1})  # type: ignore[arg-type]
