"""One pass over a manifest's keys, whatever its format: count rows, find marks, refuse duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr_batch.errors import ManifestError
from hwr_batch.plan import LONGEST_RUN, Marks
from hwr_batch.storage import redact
from hwr_batch.unique import IdHashes, duplicates

SHOWN_ID = 200  # characters of an id in a message


@dataclass(frozen=True, slots=True)
class KeyBatch:
    """Some consecutive rows. `offsets`: byte offset of each row, int64 (rows,); None without any."""

    first_row: int
    images: Sequence[object]
    line_ids: Sequence[str]
    offsets: NDArray[np.int64] | None


def survey(
    uri: str,
    batches: Iterator[KeyBatch],
    again: Callable[[], Iterator[KeyBatch]],
    *,
    every: int,
    on_rows: Callable[[int], None] | None,
) -> tuple[int, Marks]:
    """Rows and marks of a manifest, of all its `batches` in order.

    `again` makes the same batches once more; it is called only where two ids may be equal.

    Raises ManifestError where the manifest has no row, or two of the same id.
    """
    rows = 0
    finder = _MarkFinder(every)
    with IdHashes() as hashes:
        for batch in batches:
            hashes.add(batch.line_ids)
            finder.add(batch)
            rows = batch.first_row + len(batch.line_ids)
            if on_rows is not None:
                on_rows(rows)
        if rows == 0:
            raise ManifestError(f"{redact(uri)}: has no row; a manifest names at least one image")
        for suspects in hashes.suspects():
            _refuse_duplicate(uri, again(), suspects)
    return rows, finder.marks


def _refuse_duplicate(uri: str, batches: Iterator[KeyBatch], suspects: frozenset[int]) -> None:
    places = (
        (line_id, row) for batch in batches for row, line_id in enumerate(batch.line_ids, batch.first_row)
    )
    found = next(duplicates(places, suspects), None)
    if found is None:  # two ids of one hash: rare, and no fault of the manifest
        return
    line_id, first, second = found
    name = line_id if len(line_id) <= SHOWN_ID else line_id[:SHOWN_ID] + "…"
    raise ManifestError(
        f"{redact(uri)}: rows {first + 1} and {second + 1} are both line {name!r}; "
        "remove one, or give each a `line_id` of its own"
    )


class _MarkFinder:
    """Marks a row where at least `every` rows passed since the mark before and a new image begins.

    Within one image it marks only from its row 4 × `every` on (counted from 0).
    """

    def __init__(self, every: int) -> None:
        self.marks = Marks()
        self._every = every
        self._last = -every
        self._run_start = 0
        self._image: object = None

    def add(self, batch: KeyBatch) -> None:
        every, longest, last = self._every, LONGEST_RUN * self._every, self._last
        start, before = self._run_start, self._image
        for row, image in enumerate(batch.images, batch.first_row):
            if image != before or not image:  # rows without an image have none in common
                start, before = row, image
            if row - last >= every and (row == start or row - start >= longest):
                last = row
                offset = None if batch.offsets is None else int(batch.offsets[row - batch.first_row])
                self.marks.add(row, offset, row - start)
        self._last, self._run_start, self._image = last, start, before
