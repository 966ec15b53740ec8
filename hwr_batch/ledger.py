"""What is known of the finished shards: the parts are the truth, `_progress.json` saves reading them.

A shard is finished if and only if its part exists. Counts by status come from the last saved progress
where that is no older than the parts it speaks of, and from the part's footer otherwise, so a run over
100,000 finished shards starts with one listing and a handful of small reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

from hwr_batch import results
from hwr_batch.errors import Status
from hwr_batch.storage import Store, join

PROGRESS = "_progress.json"
FOOTER_READS_AT_ONCE = 16


@dataclass(slots=True)
class Ledger:
    """Finished shards, their lines by status, and which of them hold failed lines (shard → how many)."""

    finished: set[int] = field(default_factory=set)
    by_status: dict[str, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return sum(self.by_status.values())

    @property
    def failures(self) -> int:
        return self.lines - self.by_status.get(Status.OK, 0)

    def add(self, shard: int, by_status: Mapping[str, int]) -> None:
        """Count a finished shard, once."""
        if shard in self.finished:
            return
        self.finished.add(shard)
        failures = 0
        for status, count in by_status.items():
            self.by_status[status] = self.by_status.get(status, 0) + count
            failures += count if status != Status.OK else 0
        if failures:
            self.failed[shard] = failures

    def to_json(self, fingerprint: str) -> bytes:
        """`finished` as inclusive ranges, so that the file stays small."""
        content = {
            "fingerprint": fingerprint,
            "finished": [list(run) for run in _runs(sorted(self.finished))],
            "by_status": self.by_status,
            "failed": {str(shard): count for shard, count in self.failed.items()},
        }
        return json.dumps(content, sort_keys=True).encode()


def recover(output: str, store: Store, fingerprint: str) -> Ledger:
    """The ledger of OUTPUT as it stands: its parts, and no others."""
    present = {index for name, _ in store.list(output) if (index := results.part_index(name)) is not None}
    ledger = _saved(output, store, fingerprint)
    if not ledger.finished <= present:
        ledger = Ledger()  # parts were removed since: count again from what is there
    for shard, counts in _footers(output, store, sorted(present - ledger.finished)):
        if counts is not None:
            ledger.add(shard, counts)
    return ledger


def save(ledger: Ledger, output: str, store: Store, fingerprint: str) -> None:
    store.put(join(output, PROGRESS), ledger.to_json(fingerprint))


def without(ledger: Ledger, shards: Iterable[int], output: str, store: Store) -> Ledger:
    """The ledger with these shards unfinished again, before their failed lines are read once more."""
    kept = Ledger()
    dropped = set(shards)
    by_status = dict(ledger.by_status)
    for _, counts in _footers(output, store, sorted(dropped)):
        for status, count in (counts or {}).items():
            by_status[status] = by_status.get(status, 0) - count
    kept.finished = ledger.finished - dropped
    kept.by_status = {status: count for status, count in by_status.items() if count}
    kept.failed = {shard: count for shard, count in ledger.failed.items() if shard not in dropped}
    return kept


def _footers(output: str, store: Store, shards: list[int]) -> Iterator[tuple[int, Mapping[str, int] | None]]:
    """`_footer` of each, several at once."""
    with ThreadPoolExecutor(FOOTER_READS_AT_ONCE) as threads:
        yield from threads.map(lambda shard: _footer(output, store, shard), shards)


def _footer(output: str, store: Store, shard: int) -> tuple[int, Mapping[str, int] | None]:
    """A part's lines by status; None where the file is not a readable part, which is then made again."""
    try:
        with store.open(join(output, results.part_name(shard))) as file:
            return shard, results.read_counts(file).by_status
    except results.DamagedPartError:
        return shard, None


def _saved(output: str, store: Store, fingerprint: str) -> Ledger:
    """What was saved last; nothing where that is missing, damaged or of another plan: parts are the truth."""
    try:
        content = json.loads(store.read(join(output, PROGRESS)))
        if content["fingerprint"] != fingerprint:
            return Ledger()
        return Ledger(
            finished={shard for first, last in content["finished"] for shard in range(first, last + 1)},
            by_status={str(status): int(count) for status, count in content["by_status"].items()},
            failed={int(shard): int(count) for shard, count in content["failed"].items()},
        )
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return Ledger()


def _runs(ordered: list[int]) -> Iterator[tuple[int, int]]:
    """Inclusive runs of consecutive numbers."""
    if not ordered:
        return
    first = ordered[0]
    for before, after in pairwise(ordered):
        if after != before + 1:
            yield first, before
            first = after
    yield first, ordered[-1]
