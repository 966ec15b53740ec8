"""Which parts a report looks into: all of a small run, an even spread over a large one.

A run of ten million lines has ten thousand parts; 128 of them, 131,072 lines, say as much about its
scores and take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from hwr_batch.results.reading import PartStore


@dataclass(frozen=True, slots=True)
class SomeParts:
    """The reading half of a store that shows these parts of OUTPUT and nothing else."""

    store: PartStore
    names: tuple[str, ...]

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """The names, whatever the folder; sizes are not known here and 0."""
        del folder
        return ((name, 0) for name in self.names)

    def open(self, uri: str) -> BinaryIO:
        return self.store.open(uri)


def spread(names: Sequence[str], most: int | None) -> tuple[str, ...]:
    """At most `most` of `names`, evenly spaced from the first on; all of them for None."""
    if most is None or len(names) <= most:
        return tuple(names)
    return tuple(names[index * len(names) // most] for index in range(most))
