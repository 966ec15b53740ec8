"""What a runner tells the driver while shards are being read, and what the driver tells the runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hwr_batch.orders import ShardReport

Facts = Mapping[str, str | int | float | bool]


class Watch(Protocol):
    """The driver's side of a run; called from the runner's one thread."""

    def connected(self) -> None:
        """The runner is set up; Ray has just put its own signal handlers in place."""

    def worker_ready(self, facts: Facts) -> None:
        """A worker compiled its model."""

    def shard_done(self, report: ShardReport) -> None:
        """A shard's part is in place."""

    def rows_moved(self, in_flight: int) -> None:
        """`in_flight` rows of unfinished shards have been read so far."""

    def unfinished(self) -> int:
        """How many shards are not done yet, in flight or not."""

    def retried(self, cause: str) -> None:
        """Something is tried again."""

    def stopping(self) -> bool:
        """Whether the run should drain: hand out nothing more and finish what is in flight."""
