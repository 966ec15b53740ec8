"""Which line of a shard kills its worker: bisection, as pure decisions.

    read beside others ──dies twice──▶ read alone ──dies──▶ halves probed alone ──▶ one row, dies twice
                                          └─ lives: done      └─ lives: cleared       └─▶ `crashed`
    and at the end the shard is read without its crashed rows.

A worker that left with notice, or whose whole node vanished, says nothing about the line it was reading:
that is excused, a few times per shard, since a line may also take a whole node with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwr_batch.schedule.tasks import Kind, NewTasks, Task

CRASHES_BEFORE_ALONE = 2
CRASHES_BEFORE_CONDEMNED = 2
ROUNDS_OF_PROBES = 3
EXCUSES = 3


@dataclass(slots=True)
class _Record:
    """What is known of a shard that failed at least once."""

    failures: int = 0
    crashes: int = 0
    excuses: int = 0
    rounds: int = 0
    open_probes: int = 0
    crashed: set[int] = field(default_factory=set)
    deaths_of_row: dict[int, int] = field(default_factory=dict)


class Suspects:
    """Remembers failures by shard until the shard is done. Each answer is the tasks to do next."""

    def __init__(self, new: NewTasks) -> None:
        self._new = new
        self._records: dict[int, _Record] = {}
        self.open_probes = 0

    def __len__(self) -> int:
        return len(self._records)

    def failed(self, task: Task) -> int:
        """The task ended with an error: how often this shard has by now."""
        record = self._record(task)
        record.failures += 1
        return record.failures

    def done(self, task: Task) -> None:
        """The shard is finished: nothing about it matters any more."""
        self._records.pop(task.spec.index, None)

    def excused(self, task: Task) -> list[Task]:
        """The worker went away for a reason of its own."""
        record = self._record(task)
        record.excuses += 1
        return [self._new.again(task)] if record.excuses <= EXCUSES else self.crashed(task)

    def crashed(self, task: Task) -> list[Task]:
        """The worker died, or stopped moving, with this task."""
        record = self._record(task)
        if task.kind is Kind.PROBE:
            return self._probe_died(task, record) + self.probed(task)
        if not task.alone:
            record.crashes += 1
            alone = record.crashes >= CRASHES_BEFORE_ALONE
            return [self._new.read(task.spec, crashed=task.crashed, alone=alone)]
        if record.rounds < ROUNDS_OF_PROBES:
            record.rounds += 1
            return self._probes(task, record, _halves(0, task.spec.rows))
        # Every row lives by itself, never together: give up the shard, keep its rows.
        return [self._new.read(task.spec, crashed=frozenset(range(task.spec.rows)), alone=True)]

    def probed(self, probe: Task) -> list[Task]:
        """A probe is over. After the last one the shard is read without the rows found."""
        record = self._records[probe.spec.index]
        record.open_probes -= 1
        self.open_probes -= 1
        if record.open_probes:
            return []
        return [self._new.read(probe.spec, crashed=probe.crashed | record.crashed, alone=True)]

    def _probe_died(self, probe: Task, record: _Record) -> list[Task]:
        assert probe.rows is not None  # noqa: S101 - every probe has rows
        start, stop = probe.rows
        if stop - start > 1:
            return self._probes(probe, record, _halves(start, stop))
        deaths = record.deaths_of_row[start] = record.deaths_of_row.get(start, 0) + 1
        if deaths < CRASHES_BEFORE_CONDEMNED:
            return self._probes(probe, record, [(start, stop)])
        record.crashed.add(start)
        return []

    def _probes(self, suspect: Task, record: _Record, ranges: list[tuple[int, int]]) -> list[Task]:
        record.open_probes += len(ranges)
        self.open_probes += len(ranges)
        return [self._new.probe(suspect, rows) for rows in ranges]

    def _record(self, task: Task) -> _Record:
        return self._records.setdefault(task.spec.index, _Record())


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    middle = (start + stop) // 2
    return [(a, b) for a, b in ((start, middle), (middle, stop)) if a < b]
