"""Is every line_id there once? In memory that is bounded however many there are.

A first pass keeps eight bytes per id, its hash, and spills to temporary files beyond twenty million. Hashes
that occur twice are suspects; a second pass over the ids themselves, by the caller, tells a duplicate
from a collision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

HASHES_IN_MEMORY = 20_000_000  # 160 MB, and as much again while they are sorted
SUSPECTS_AT_ONCE = 1000  # followed up by one more pass, so that a doubled output cannot fill the memory
Place = TypeVar("Place")

_FILES = 64  # a billion ids make files of 125 MB, sorted one after another


class IdHashes:
    """Collects the hashes of line_ids; a context manager, because of its temporary files.

    Hashes are Python's own (64 bits, keyed anew in every process), so no manifest can be made to collide.
    """

    def __init__(self, *, in_memory: int = HASHES_IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._held: list[NDArray[np.int64]] = []
        self._held_count = 0
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> IdHashes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, ids: Iterable[str]) -> None:
        hashes = np.fromiter(map(hash, ids), np.int64)
        self._held.append(hashes)
        self._held_count += hashes.size
        if self._held_count >= self._in_memory:
            self._spill()

    def suspects(self) -> Iterator[frozenset[int]]:
        """Hashes that occur more than once, some at a time; one set is nearly always all. Asked for once."""
        for hashes in self._groups():
            hashes.sort()
            twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
            for start in range(0, len(twice), SUSPECTS_AT_ONCE):
                yield frozenset(twice[start : start + SUSPECTS_AT_ONCE].tolist())

    def _groups(self) -> Iterator[NDArray[np.int64]]:
        """All hashes, equal ones always in the same group."""
        if self._folder is None:
            yield self._take()
            return
        self._spill()
        for path in sorted(Path(self._folder.name).iterdir()):
            yield np.fromfile(path, np.int64)

    def _take(self) -> NDArray[np.int64]:
        hashes = np.concatenate([*self._held, np.empty(0, np.int64)])
        self._held, self._held_count = [], 0
        return hashes

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="hwr-batch-ids-")
        hashes = self._take()
        group = hashes % _FILES
        order = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[order], np.arange(_FILES + 1))
        for number in range(_FILES):
            with Path(self._folder.name, f"{number:02d}").open("ab") as file:
                file.write(hashes[order[bounds[number] : bounds[number + 1]]].tobytes())


def duplicates(
    ids: Iterable[tuple[str, Place]], suspects: frozenset[int]
) -> Iterator[tuple[str, Place, Place]]:
    """Second pass: (id, where it stood first, where it stands again) for (id, where) pairs in order."""
    first: dict[str, Place] = {}
    for line_id, where in ids:
        if hash(line_id) in suspects:
            if line_id in first:
                yield line_id, first[line_id], where
            else:
                first[line_id] = where
