"""The numbers behind the scheduler's decisions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Counts and seconds behind the decisions.

    `shards_per_actor`: overlapping shards keep a worker's cores busy while one begins or ends.
    `attempts`: tries of a shard whose storage fails. `backoff`: seconds before try n+1 is this times 2^n.
    `stall_seconds`: a worker whose tasks do not move for so long is given up. `start_seconds`: so is one that
    does not get ready. `copies`: workers that may hold the same shard at the end of a run.
    `straggler_factor`: a shard is slow after so many medians. `fruitless_deaths`: workers lost in a row
    without one finished task, for each of the fleet, before the run is given up: as many as it takes to find
    one line of a thousand that kills its worker.
    """

    shards_per_actor: int = 2
    attempts: int = 4
    backoff: float = 5.0
    stall_seconds: float = 300.0
    start_seconds: float = 600.0
    copies: int = 2
    straggler_factor: float = 2.0
    fruitless_deaths: int = 16
