"""The accounting identity, proved from the files alone: every manifest row once, and nothing else.

`OUTPUT/_plan.json` says which parts there must be and how many rows each holds; the parts are read whole,
against their checksums. Nothing that a run said of itself (`_run.json`, `_progress.json`) is believed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice, zip_longest
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from hwr_batch.errors import DamagedPartError, PlanMismatchError, Status
from hwr_batch.plan import Plan
from hwr_batch.records import ShardSpec
from hwr_batch.results.parts import (
    FINGERPRINT,
    SHARD,
    Table,
    part_index,
    part_name,
    read_counts,
    read_table,
)
from hwr_batch.storage import join
from hwr_batch.unique import IdHashes, duplicates

PLAN = "_plan.json"
PARTS_AT_ONCE = 8  # object stores answer in tens of milliseconds, so several reads are under way
ROWS_AHEAD = 65_536  # whose line_ids may wait in memory
PROBLEMS_NAMED = 100  # the rest is counted
DUPLICATES_NAMED = 20

ManifestIds = Callable[[ShardSpec], Iterable[str]]
"""The manifest's line_ids of one shard, in order. Asked for shard after shard, ascending."""


class OutputStore(Protocol):
    """What verifying needs of `hwr_batch.storage.Store`."""

    def list(self, folder: str) -> Iterable[tuple[str, int]]: ...

    def read(self, uri: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict. `ok`: result rows are exactly the manifest rows, and every part belongs and is whole.

    `manifest_rows`: what the plan promises. `result_rows`, `by_status`: what the whole parts hold; `parts`:
    how many those are. `missing_parts`: file names. `problems`: a sentence each, with file and row.
    """

    ok: bool
    manifest_rows: int
    result_rows: int
    parts: int
    missing_parts: tuple[str, ...]
    by_status: Mapping[str, int]
    problems: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def verify(output: str, store: OutputStore, *, manifest: ManifestIds | None = None) -> Verification:
    """Prove the identity for OUTPUT, or say what breaks it. Whatever is wrong with the files is a problem
    in the answer and never an exception.

    `manifest`: compares every line_id with the manifest's, in order, where the manifest can still be read.
    Raises StorageError when the store fails for good.
    """
    tally = _Tally()
    plan = _read_plan(output, store, tally)
    if plan is None:
        return tally.verdict(0, ())
    missing = _check_names(output, store, plan, tally)
    with IdHashes() as hashes:
        for part in _examined(output, store, plan, missing):
            tally.add(part)
            hashes.add(part.ids)
            if manifest is not None and part.whole:
                tally.report(check_ids(part.spec, manifest(part.spec), part.ids))
        suspects = next(hashes.suspects(), None)
    if suspects is not None:
        _name_duplicates(_examined(output, store, plan, missing), suspects, tally)
    if tally.rows != plan.rows:
        tally.report(f"{tally.rows} result rows for {plan.rows} manifest rows")
    return tally.verdict(plan.rows, tuple(map(part_name, sorted(missing))))


def check_ids(spec: ShardSpec, expected: Iterable[str], found: Sequence[str]) -> str | None:
    """The first row of a part whose line_id is not the manifest's, in a sentence; None where all agree."""
    for i, (wanted, there) in enumerate(zip_longest(expected, found)):
        if wanted != there:
            return (
                f"{part_name(spec.index)} row {i + 1} is {_quoted(there)}, "
                f"but manifest row {spec.first_row + i + 1} is {_quoted(wanted)}"
            )
    return None


@dataclass(frozen=True, slots=True)
class _Examined:
    """One part: its counts and line_ids, and what is wrong with it. Not `whole`: it could not be read."""

    spec: ShardSpec
    whole: bool
    ids: list[str]
    by_status: Mapping[str, int]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """What adds up over the parts."""

    rows: int = 0
    parts: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    unnamed: int = 0

    def add(self, part: _Examined) -> None:
        self.rows += len(part.ids)
        self.parts += part.whole
        self.by_status.update(part.by_status)
        for problem in part.problems:
            self.report(problem)

    def report(self, problem: str | None) -> None:
        if problem is not None and len(self.problems) < PROBLEMS_NAMED:
            self.problems.append(problem)
        elif problem is not None:
            self.unnamed += 1

    def verdict(self, manifest_rows: int, missing: tuple[str, ...]) -> Verification:
        more = [f"and {self.unnamed} more problems"] if self.unnamed else []
        return Verification(
            ok=not self.problems,
            manifest_rows=manifest_rows,
            result_rows=self.rows,
            parts=self.parts,
            missing_parts=missing,
            by_status=dict(sorted(self.by_status.items())),
            problems=(*self.problems, *more),
        )


def _read_plan(output: str, store: OutputStore, tally: _Tally) -> Plan | None:
    try:
        return Plan.from_json(store.read(join(output, PLAN)).decode())
    except FileNotFoundError:
        tally.report(f"{output} has no {PLAN}, so nothing says which rows belong there")
    except (PlanMismatchError, UnicodeDecodeError) as exc:
        tally.report(f"{PLAN} cannot be read as a plan ({exc})")
    return None


def _check_names(output: str, store: OutputStore, plan: Plan, tally: _Tally) -> frozenset[int]:
    """Report Parquet files that do not belong, and shards without a part; return those."""
    absent = set(range(len(plan.shards)))
    for name, _ in store.list(output):
        index = part_index(name)
        if index in absent:
            absent.remove(index)
        elif name.endswith(".parquet") and not name.startswith(("_", ".")):
            tally.report(f"{name} is not in the plan, and readers of OUTPUT take it for a part")
    if absent:
        first = ", ".join(map(part_name, sorted(absent)[:5]))
        tally.report(
            f"{len(absent)} of {len(plan.shards)} parts are missing: {first}{', …' * (len(absent) > 5)}"
        )
    return frozenset(absent)


def _examined(output: str, store: OutputStore, plan: Plan, missing: frozenset[int]) -> Iterator[_Examined]:
    """Every part that is there, in order. Read ahead a window at a time, as the results wait in memory."""
    specs = plan.remaining(missing)
    window = max(1, min(4 * PARTS_AT_ONCE, ROWS_AHEAD * len(plan.shards) // max(1, plan.rows)))
    examine = partial(_examine, output, store, plan.fingerprint)
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        while ahead := list(islice(specs, window)):
            yield from threads.map(examine, ahead)


def _examine(output: str, store: OutputStore, fingerprint: str, spec: ShardSpec) -> _Examined:
    name = part_name(spec.index)
    try:
        data = store.read(join(output, name))
        table, claimed = read_table(data, name=name), read_counts(data, name=name)
    except DamagedPartError as exc:
        return _Examined(spec, False, [], {}, (str(exc),))
    except OSError as exc:
        return _Examined(spec, False, [], {}, (f"{name} cannot be read ({exc})",))
    by_status = Counter(map(str, table.column("status").to_pylist()))
    problems = [f"{name} {problem}" for problem in _problems(table, spec, fingerprint)]
    if claimed.by_status != by_status:
        problems.append(f"{name} has other counts by status in its footer than in its rows")
    return _Examined(spec, True, table.column("line_id").to_pylist(), by_status, tuple(problems))


def _problems(table: Table, spec: ShardSpec, fingerprint: str) -> Iterator[str]:
    """What is wrong with a part that can be read, each to follow the part's name."""
    footer = table.schema.metadata or {}
    if footer.get(FINGERPRINT.encode()) != fingerprint.encode():
        yield "was written under another plan (its fingerprint differs)"
    if footer.get(SHARD.encode()) != str(spec.index).encode():
        yield "holds another shard than its name says"
    if table.num_rows != spec.rows:
        yield f"has {table.num_rows} rows instead of {spec.rows}"
    status = table.column("status").cast(pa.string())
    if unknown := set(status.unique().to_pylist()).difference(Status):
        yield f"has a status that does not exist: {', '.join(sorted(map(str, unknown)))}"
    if table.column("line_id").null_count:
        yield "has a row without line_id"
    if not pc.all(pc.equal(pc.equal(status, str(Status.OK)), table.column("text").is_valid())).as_py():
        yield "has rows whose text and status contradict each other"


def _name_duplicates(parts: Iterator[_Examined], suspects: frozenset[int], tally: _Tally) -> None:
    places = (
        (line_id, f"{part_name(part.spec.index)} row {i}")
        for part in parts
        for i, line_id in enumerate(part.ids, 1)
    )
    for found, (line_id, first, again) in enumerate(duplicates(places, suspects), 1):
        tally.report(f"line_id {_quoted(line_id)} stands twice: {first} and {again}")
        if found == DUPLICATES_NAMED:
            return tally.report("more line_ids stand twice; only the first are named")
    return None


def _quoted(line_id: str | None) -> str:
    """A line_id fit for a message: it may be as long as a manifest's cell."""
    if line_id is None:
        return "absent"
    return repr(line_id if len(line_id) <= 120 else line_id[:117] + "…")
