"""The cluster a run uses: connecting to it, and what its nodes have."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from hwr_batch.config import RunOptions
from hwr_batch.cores import usable_cores
from hwr_batch.errors import ConfigError
from hwr_batch.zoo.card import ModelBundle

CORES_PER_ACTOR = 8  # at most, when chosen automatically: one Python process keeps about so many cores busy
CONNECT_SECONDS = 10.0
LOOK_SECONDS = 2.0  # between looks at the nodes: a look asks the head, and a cluster has hundreds
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Node:
    """A living node as Ray counts it: `cores`, and `memory` in bytes for its workers together."""

    id: str
    cores: int
    memory: int

    def memory_share(self, cpus: int) -> int:
        """Bytes for one of the actors that fill the node with `cpus` cores each."""
        return self.memory * cpus // max(cpus, self.cores)


class Nodes:
    """The living nodes, looked at now and then."""

    def __init__(self) -> None:
        self._seen: dict[str, Node] = {}
        self._looked = float("-inf")

    def now(self) -> dict[str, Node]:
        """Living nodes by id, at most LOOK_SECONDS old."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._seen = {node.id: node for node in _living()}
            self._looked = time.monotonic()
        return self._seen

    def room_for(self, cpus: int) -> int:
        """How many actors of `cpus` cores fit."""
        return sum(node.cores // cpus for node in self.now().values())


def _living() -> list[Node]:
    return [
        Node(
            str(node["NodeID"]),
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("memory", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def cpus_per_actor(run: RunOptions, nodes: Sequence[Node]) -> int:
    """`--cpus-per-actor`, or the most that fits: a node's cores shared by its actors, 8 at most."""
    if run.cpus_per_actor is not None:
        return run.cpus_per_actor
    cores = [node.cores for node in nodes if node.cores > 0]
    smallest = min(cores, default=1)
    if run.actors is None:
        return max(1, min(CORES_PER_ACTOR, smallest))
    return max(1, min(CORES_PER_ACTOR, smallest, sum(cores) // run.actors))


@contextmanager
def connected(run: RunOptions, bundle: ModelBundle) -> Iterator[None]:
    """A connection to the cluster, or a cluster of our own for `local`; closed on the way out."""
    _check_address(run)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if run.address == "local":
            size = sum(len(data) for data in bundle.files.values())
            store = max(256 * MEBIBYTE, 4 * size)
            cores = max(usable_cores(), (run.actors or 0) * (run.cpus_per_actor or 1))
            ray.init(
                address="local", num_cpus=cores, object_store_memory=store, include_dashboard=False, **quiet
            )
        else:
            ray.init(address=run.address, runtime_env=_runtime_env(), **quiet)
    except (ConnectionError, RuntimeError, ValueError) as exc:
        raise ConfigError(_no_cluster(run.address, exc)) from exc
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(run: RunOptions) -> None:
    """What Ray itself would wait minutes for, or never mention."""
    if run.address == "local":
        if (run.cpus_per_actor or 1) > usable_cores():
            raise ConfigError(
                f"--cpus-per-actor {run.cpus_per_actor}: this machine has {usable_cores()} cores"
            )
        return
    host, _, port = run.address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as exc:
        raise ConfigError(_no_cluster(run.address, exc)) from exc


def _no_cluster(address: str, exc: Exception) -> str:
    reason = str(exc).strip().splitlines()
    return (
        f"--address {address}: no Ray cluster answers there ({reason[0] if reason else type(exc).__name__}); "
        "start one with `ray start --head`, or leave --address out to run on this machine"
    )


def _runtime_env() -> dict[str, Any] | None:
    """Ship this package with the job, so that workers run the driver's version; a submitted job brings its
    working directory already."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return None
    import hwr_batch

    return {"py_modules": [hwr_batch]}
