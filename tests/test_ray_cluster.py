"""What a run asks of its nodes: cores and memory of an actor, and a head that has gone silent."""

from __future__ import annotations

import pytest
import typer

from hwr_batch import ray_cluster
from hwr_batch.cli.options import bytes_or_auto
from hwr_batch.config import RunOptions
from hwr_batch.errors import ConfigError
from hwr_batch.ray_cluster import Node, Nodes, cpus_per_actor


@pytest.mark.parametrize(
    ("cores", "asked", "expected"),
    [
        ([4], RunOptions(), 4),
        ([32], RunOptions(), 8),  # never more than one process keeps busy
        ([0, 2, 16], RunOptions(), 2),  # a head without cores does not count
        ([8], RunOptions(actors=4), 2),
        ([2], RunOptions(actors=4), 1),
        ([], RunOptions(), 1),  # an autoscaler's nodes are still to come
        ([2], RunOptions(cpus_per_actor=4), 4),
    ],
)
def test_cores_of_an_actor(cores: list[int], asked: RunOptions, expected: int) -> None:
    assert cpus_per_actor(asked, [Node(str(i), count, 0) for i, count in enumerate(cores)]) == expected


def test_memory_is_shared_by_the_actors_that_fill_a_node() -> None:
    node = Node("n", cores=8, memory=32_000)
    assert node.memory_share(2) == 8_000
    assert node.memory_share(8) == 32_000
    assert node.memory_share(16) == 32_000


class Head:
    """A cluster of one node whose head answers, or does not; and a clock."""

    def __init__(self) -> None:
        self.answering, self.seconds, self.asked = True, 0.0, 0

    def living(self) -> list[Node]:
        self.asked += 1
        return [Node("n", 2, 0)]

    def answers(self, address: str) -> bool:
        return self.answering

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Head:
    head = Head()
    monkeypatch.setattr(ray_cluster, "_head_address", lambda: "10.0.0.1:6379")
    monkeypatch.setattr(ray_cluster, "_answers", head.answers)
    monkeypatch.setattr(ray_cluster, "_living", head.living)
    monkeypatch.setattr(ray_cluster.time, "monotonic", head.monotonic)
    return head


def test_nodes_are_looked_at_now_and_then(head: Head) -> None:
    nodes = Nodes()
    for second in (0.0, 1.0, 1.9, 3.0):
        head.seconds = second
        assert nodes.room_for(1) == 2
    assert head.asked == 2


def test_a_silent_head_is_waited_for_and_then_given_up(head: Head) -> None:
    nodes = Nodes()
    assert nodes.room_for(2) == 1
    head.answering, head.seconds = False, 10.0
    assert nodes.room_for(2) == 1  # as last seen
    head.seconds = 19.0
    assert nodes.room_for(2) == 1
    head.answering, head.seconds = True, 30.0
    assert nodes.room_for(2) == 1
    head.answering, head.seconds = False, 51.0
    with pytest.raises(ConfigError, match=r"10\.0\.0\.1:6379.*run the same command again to resume"):
        nodes.now()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", None),
        ("1000", 1000),
        ("2KiB", 2048),
        ("800MiB", 800 << 20),
        ("6GiB", 6 << 30),
        ("6g", 6 << 30),
    ],
)
def test_sizes(text: str, expected: int | None) -> None:
    assert bytes_or_auto("--max-actor-memory", text) == expected


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "1.5GiB", "6 XB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--max-actor-memory"):
        bytes_or_auto("--max-actor-memory", text)


@pytest.mark.parametrize("name", ["stall_seconds", "start_timeout", "max_actor_memory"])
def test_limits_are_at_least_one(name: str) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        RunOptions(**{name: 0})  # type: ignore[arg-type]
