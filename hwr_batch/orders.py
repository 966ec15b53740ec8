"""What driver and worker say to each other.

Apart from `worker`, so that the driver of a cluster does without the libraries of the network: 40 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwr_batch.config import JobConfig


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """All that a worker needs besides the model: sent once to every worker.

    `carried`: the carried columns, as the plan has them. `footer`: key-values that every part has.
    `run_id`: of the run, for logs and metrics.
    `cpus`: cores this worker may use. `several_on_host`: others share its host: threads must not be pinned.
    """

    config: JobConfig
    carried: str
    footer: Mapping[str, str]
    cpus: int = 1
    several_on_host: bool = False
    run_id: str = ""

    def with_cpus(self, cpus: int, *, several_on_host: bool) -> WorkOrder:
        return replace(self, cpus=cpus, several_on_host=several_on_host)


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a finished task tells the driver. Counters add; `seconds` are by stage (StageClock).

    `skipped`: the part was there already, written by an earlier run or another worker. `rss_bytes`: the
    most memory the worker ever held; `resident_bytes`: what it holds now.
    """

    shard: int
    by_status: Mapping[str, int]
    seconds: Mapping[str, float]
    reread: int = 0
    differing: int = 0
    store_retries: Mapping[str, int] | None = None
    skipped: bool = False
    rss_bytes: int = 0
    resident_bytes: int = 0
