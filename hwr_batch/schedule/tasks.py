"""What one worker is asked to do with one shard."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum

from hwr_batch.records import ShardSpec


class Kind(Enum):
    """READ writes the shard's part; PROBE only reads rows, to see whether the worker survives."""

    READ = "read"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for one worker to do.

    `number`: unique in a run; the same work handed out again has another. `rows`: [start, stop) inside the
    shard for a PROBE. `crashed`: row positions inside the shard that are known to kill a worker and are not
    touched. `alone`: nothing else may run on that worker meanwhile.
    """

    number: int
    kind: Kind
    spec: ShardSpec
    rows: tuple[int, int] | None = None
    crashed: frozenset[int] = frozenset()
    alone: bool = False


class NewTasks:
    """Makes tasks, each with a number of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def read(self, spec: ShardSpec, *, crashed: frozenset[int] = frozenset(), alone: bool = False) -> Task:
        return Task(next(self._numbers), Kind.READ, spec, None, crashed, alone)

    def probe(self, suspect: Task, rows: tuple[int, int]) -> Task:
        return Task(next(self._numbers), Kind.PROBE, suspect.spec, rows, suspect.crashed, alone=True)

    def again(self, task: Task) -> Task:
        """The same work under a new number."""
        return Task(next(self._numbers), task.kind, task.spec, task.rows, task.crashed, task.alone)
