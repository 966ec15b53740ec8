"""No line twice, without holding every id: 64-bit hashes now, exact comparison of the few that agree.

Python's own string hash serves: SipHash with a key drawn per process, so nobody can craft ids that collide,
and at 50 ns it is the cheapest hash at hand. It differs between processes, and need not agree: only whether
two ids of this pass are equal counts, and ids of equal hash are compared letter by letter before anything is
said of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 20_000_000  # hashes, 8 bytes each, and as much again to sort them; beyond, to files
PARTITIONS = 256  # files by hash: at 10^9 rows, 62 MB each
SUSPECTS_AT_ONCE = 8  # groups of rows of equal hash compared in one more pass; one is nearly always right
_CHUNK = 1 << 20  # hashes looked at together

_RECORD = np.dtype([("hash", np.int64), ("row", np.int64)])

Hashes = NDArray[np.int64]


class IdHashes:
    """The hashes of ids added in row order. Spilled to a temporary folder when there are many."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._hashes = array("q")
        self._first_row = 0  # of those in memory
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> IdHashes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, line_ids: Sequence[str]) -> None:
        """The ids of the next rows."""
        self._hashes.frombytes(np.fromiter(map(hash, line_ids), np.int64, len(line_ids)).tobytes())
        if len(self._hashes) > self._in_memory:
            self._spill()

    def suspects(self) -> Iterator[Hashes]:
        """Row numbers, ascending, in which every id that occurs twice has two rows or more.

        The earliest repetitions come first (of each file of hashes, where they were spilled).
        """
        groups = self._groups()
        while some := list(islice(groups, SUSPECTS_AT_ONCE)):
            yield np.sort(np.concatenate(some))

    def _groups(self) -> Iterator[Hashes]:
        if self._folder is None:
            yield from _equal(np.frombuffer(self._hashes, np.int64), None)
            return
        self._spill()
        for path in Path(self._folder.name).iterdir():
            records = np.fromfile(path, _RECORD)
            yield from _equal(np.ascontiguousarray(records["hash"]), records["row"])

    def _spill(self) -> None:
        """Append what is in memory to the files of its hashes."""
        self._folder = self._folder or TemporaryDirectory(prefix="hwr-batch-ids-")
        hashes = np.frombuffer(self._hashes, np.int64)
        for start in range(0, len(hashes), _CHUNK):
            self._append(hashes[start : start + _CHUNK], self._first_row + start, Path(self._folder.name))
        self._first_row += len(hashes)
        self._hashes = array("q")

    @staticmethod
    def _append(hashes: Hashes, first_row: int, folder: Path) -> None:
        records = np.empty(len(hashes), _RECORD)
        records["hash"] = hashes
        records["row"] = np.arange(first_row, first_row + len(hashes))
        partition = hashes.view(np.uint64) % np.uint64(PARTITIONS)
        records = records[np.argsort(partition, kind="stable")]
        ends = np.cumsum(np.bincount(partition.astype(np.intp), minlength=PARTITIONS))
        for number, some in enumerate(np.split(records, ends[:-1])):
            with (folder / f"{number:03d}").open("ab") as file:
                file.write(some.tobytes())


def first_duplicate(
    batches: Iterable[tuple[int, Sequence[str]]], rows: Hashes
) -> tuple[str, int, int] | None:
    """The first id to occur twice among `rows` (ascending), and its two rows; None where all differ.

    `batches`: (first row, ids) of the whole manifest, in order.
    """
    seen: dict[str, int] = {}
    for first, line_ids in batches:
        start, stop = np.searchsorted(rows, [first, first + len(line_ids)])
        for row in rows[start:stop].tolist():
            line_id = line_ids[row - first]
            if line_id in seen:
                return line_id, seen[line_id], row
            seen[line_id] = row
        if stop == len(rows):
            return None
    return None


def _equal(hashes: Hashes, rows: Hashes | None) -> Iterator[Hashes]:
    """The rows of each hash that occurs more than once, in the order of their second occurrence.

    `rows`: the row of each hash, ascending; None where they are 0, 1, 2 …
    """
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    while len(twice):
        value = _first_repeated(hashes, twice)
        where = np.flatnonzero(hashes == value)
        yield where if rows is None else rows[where]
        twice = twice[twice != value]


def _first_repeated(hashes: Hashes, twice: Hashes) -> np.int64:
    """Which of the values in `twice` (ascending, each at least twice in `hashes`) is repeated first."""
    seen = np.zeros(len(twice), np.bool_)
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK]
        place = np.minimum(np.searchsorted(twice, chunk), len(twice) - 1)
        place = place[twice[place] == chunk]
        again = seen[place]
        again[np.setdiff1d(np.arange(len(place)), np.unique(place, return_index=True)[1])] = True
        if again.any():
            return np.int64(twice[place[np.argmax(again)]])
        seen[place] = True
    raise ValueError("no value occurs twice")
