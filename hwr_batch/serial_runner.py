"""Runs shards one after another in this process: the same worker without Ray, for debugging."""

from __future__ import annotations

from collections.abc import Iterable

from hwr_batch.cores import usable_cores
from hwr_batch.orders import WorkOrder
from hwr_batch.records import ShardSpec
from hwr_batch.schedule import Kind, Task
from hwr_batch.watch import Watch
from hwr_batch.worker import Worker
from hwr_batch.zoo.card import ModelBundle


def run_shards(shards: Iterable[ShardSpec], bundle: ModelBundle, order: WorkOrder, watch: Watch) -> None:
    """Read every shard in order. Errors end the run: whoever debugs wants to see them."""
    run = order.config.run
    cpus = run.cpus_per_actor or usable_cores()
    watch.connected()
    worker = Worker(bundle, order.with_cpus(cpus, several_on_host=False))
    watch.worker_ready(worker.facts)
    for number, spec in enumerate(shards):
        if watch.stopping():
            return
        watch.shard_done(worker.process(Task(number, Kind.READ, spec)))
