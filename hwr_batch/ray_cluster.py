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
import ray.util.client

from hwr_batch.config import RunOptions
from hwr_batch.cores import usable_cores
from hwr_batch.errors import ConfigError
from hwr_batch.zoo.card import ModelBundle

CORES_PER_ACTOR = 8  # at most, when chosen automatically: one Python process keeps about so many cores busy
CONNECT_SECONDS = 10.0
LOOK_SECONDS = 2.0  # between looks at the nodes: a look asks the head, and a cluster has hundreds
HEAD_SECONDS = (
    20.0  # a cluster whose head is silent for so long is gone; Ray itself ends the process after 60
)
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
    """The living nodes, looked at now and then.

    Without its head (the GCS) nothing is asked: Ray's own calls would wait a minute and then end this process
    without a word to Python.
    """

    def __init__(self) -> None:
        self._head = _head_address()
        self._seen: dict[str, Node] = {}
        self._looked = float("-inf")
        self._answered = time.monotonic()

    def now(self) -> dict[str, Node]:
        """Living nodes by id, a few seconds old at most. ConfigError when the head is gone."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            if self._head is None or _answers(self._head):
                self._answered = now
                self._seen = {node.id: node for node in _living()}
            elif now - self._answered > HEAD_SECONDS:
                raise ConfigError(
                    f"the head of the Ray cluster ({self._head}) has not answered for {HEAD_SECONDS:.0f} "
                    "seconds: start the cluster again, then run the same command again to resume"
                )
        return self._seen

    def room_for(self, cpus: int) -> int:
        """How many actors of `cpus` cores fit."""
        return sum(node.cores // cpus for node in self.now().values())


def _head_address() -> str | None:
    """host:port of the GCS; None over ray://, from where it is out of sight."""
    return None if ray.util.client.ray.is_connected() else str(ray.get_runtime_context().gcs_address)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_SECONDS).close()
    except OSError:
        return False
    return True


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
