"""What a run will do, decided before it begins: shards, fingerprint, and what remains. Pure.

The plan is written first (`OUTPUT/_plan.json`) and never again; whoever resumes compares fingerprints.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Any, TypeAlias, overload

from hwr_batch.errors import PlanMismatchError
from hwr_batch.records import ShardSpec

PLAN_VERSION = 1  # of the file's layout; raise it when an older reader would misread it
SMALLEST_AUTO_SHARD = 64  # rows, two batches of a recurrent network; also the step of automatic sizes
LARGEST_AUTO_SHARD = 1024  # rows; a part of this size is made in seconds to minutes
AUTO_SHARDS = 64  # aimed at where rows are few, so that every worker has some
LONGEST_RUN = 4  # shard sizes: one image's lines are cut apart only beyond this
SHOWN_DIGITS = 12  # of a digest, in sentences for people

Json: TypeAlias = Any  # what json.loads returns


class Marks(Sequence[tuple[int, int | None]]):
    """Where a shard may begin, ascending: (row 0-based, byte offset or None), 24 bytes each.

    `runs[i]`: how many rows before mark i belong to the same image as the mark's own row; 0 where a new
    image begins. None for `offset` everywhere, or nowhere.
    """

    def __init__(self) -> None:
        self.rows = array("q")
        self.offsets = array("q")
        self.runs = array("q")

    def add(self, row: int, offset: int | None, run: int = 0) -> None:
        """Append a mark behind all others."""
        self.rows.append(row)
        self.runs.append(run)
        if offset is not None:
            self.offsets.append(offset)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> tuple[int, int | None]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[int, int | None]]: ...
    def __getitem__(self, index: int | slice) -> tuple[int, int | None] | list[tuple[int, int | None]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.rows[index], self.offsets[index] if self.offsets else None


@dataclass(frozen=True, eq=True)
class Shards(Sequence[ShardSpec]):
    """Every shard of a plan in manifest order: disjoint, complete, and 16 bytes each.

    `first_rows`: 0-based, ascending; `offsets`: of each first row, empty where rows have none;
    `rows`: of all shards together.
    """

    first_rows: array[int]
    offsets: array[int]
    rows: int

    def __len__(self) -> int:
        return len(self.first_rows)

    @overload
    def __getitem__(self, index: int) -> ShardSpec: ...
    @overload
    def __getitem__(self, index: slice) -> list[ShardSpec]: ...
    def __getitem__(self, index: int | slice) -> ShardSpec | list[ShardSpec]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # negative ones counted from the end, IndexError beyond it
        first = self.first_rows[index]
        end = self.first_rows[index + 1] if index + 1 < len(self) else self.rows
        return ShardSpec(index, first, end - first, self.offsets[index] if self.offsets else None)


def mark_spacing(shard_lines: int | None) -> int:
    """How close the marks of a scan must lie for `cut_shards`, rows: `every` of `Manifest.scan`."""
    return SMALLEST_AUTO_SHARD if shard_lines is None else shard_lines


def auto_shard_lines(rows: int) -> int:
    """Rows per shard where nobody says: a 64th of the manifest, in steps of 64, within 64 … 1024."""
    step = SMALLEST_AUTO_SHARD
    return min(LARGEST_AUTO_SHARD, max(step, -(-rows // (AUTO_SHARDS * step)) * step))


def cut_shards(marks: Marks, rows: int, shard_lines: int | None) -> Shards:
    """Cut `rows` manifest rows at marks, into shards of at least `shard_lines` rows (but the last).

    Lines of one image stay in one shard, unless the image has more than 4 × `shard_lines` lines.
    """
    size = auto_shard_lines(rows) if shard_lines is None else shard_lines
    chosen = [0]
    for index in range(1, len(marks)):
        whole = marks.runs[index] == 0 or marks.runs[index] >= LONGEST_RUN * size
        if whole and marks.rows[index] - marks.rows[chosen[-1]] >= size:
            chosen.append(index)
    offsets = array("q", (marks.offsets[i] for i in chosen) if marks.offsets else ())
    return Shards(array("q", (marks.rows[i] for i in chosen)), offsets, rows)


def fingerprint(components: Mapping[str, str]) -> str:
    """SHA-256, hexadecimal, over everything that decides the results: canonical JSON of `components`."""
    canonical = json.dumps(dict(components), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """One sentence for each component that differs, in the order of their names. Empty where none does."""
    return [
        _difference(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _difference(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} is {_shown(new)} now and was not set."
    if new is None:
        return f"{name} was {_shown(old)} and is not set now."
    return f"{name} was {_shown(old)} and is {_shown(new)} now."


def _shown(value: str | None) -> str:
    """A value as people compare it: digests by their first digits."""
    text = value or '""'
    is_digest = len(text) >= 64 and all(digit in "0123456789abcdef" for digit in text)
    return f"{text[:SHOWN_DIGITS]}…" if is_digest else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`_plan.json`. `components` is what `fingerprint` covers; nothing else here decides a result.

    `rows`: to be read, `limit` applied; `carried`: the manifest's own columns, as
    `hwr_batch.manifest.schema_to_text` writes them; `model`: the card; `digests`: of the model's files,
    SHA-256; `versions`: of the software that planned; `options`: as the user gave them, no credential.
    """

    fingerprint: str
    components: Mapping[str, str]
    manifest: str
    rows: int
    limit: int | None
    shards: Shards
    carried: str
    model: Mapping[str, Json]
    digests: Mapping[str, str]
    versions: Mapping[str, str]
    options: Mapping[str, Json]
    schema_version: int = PLAN_VERSION

    def remaining(self, done: Set[int]) -> Iterator[ShardSpec]:
        """The shards whose index is not in `done`, in order, made one at a time."""
        return (self.shards[index] for index in range(len(self.shards)) if index not in done)

    def to_json(self) -> str:
        """Shards as columns: rows of each, and bytes from each to the next; 10^6 of them are 13 MB."""
        content = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "shards"}
        shards = {"rows": [shard.rows for shard in self.shards], "offsets": _steps(self.shards.offsets)}
        return json.dumps({**content, "shards": shards}, ensure_ascii=False, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Plan:
        """Raises PlanMismatchError where `text` is no plan, a damaged one, or another version's."""
        try:
            content = json.loads(text)
            version = content["schema_version"]
            if version == PLAN_VERSION:
                return _checked(Plan(**{**content, "shards": _shards(content["shards"])}))
        except (ValueError, LookupError, TypeError, OverflowError) as exc:
            raise PlanMismatchError(
                "the plan in OUTPUT is damaged: choose another OUTPUT, or empty this one and run again"
            ) from exc
        raise PlanMismatchError(
            f"the plan in OUTPUT has layout {version}, this version reads {PLAN_VERSION}: "
            "use the version that began it, or choose another OUTPUT"
        )


def remaining(plan: Plan, done: Set[int]) -> Iterator[ShardSpec]:
    """The shards of `plan` whose index is not in `done`, in order."""
    return plan.remaining(done)


def _steps(offsets: Iterable[int]) -> list[int]:
    before = [0, *offsets]
    return [after - start for start, after in pairwise(before)]


def _shards(columns: Mapping[str, list[int]]) -> Shards:
    ends = list(accumulate(columns["rows"]))
    first_rows = array("q", [0, *ends[:-1]])
    return Shards(first_rows, array("q", accumulate(columns["offsets"])), ends[-1])


def _checked(plan: Plan) -> Plan:
    """Raises ValueError where the parts of a plan contradict each other."""
    lengths = {len(plan.shards), len(plan.shards.offsets) or len(plan.shards)}
    if len(lengths) > 1 or plan.rows != plan.shards.rows or plan.fingerprint != fingerprint(plan.components):
        raise ValueError("the plan contradicts itself")
    return plan
