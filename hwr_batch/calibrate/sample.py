"""The lines a calibration is fitted and tested on: a bounded, repeatable sample of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from hwr_batch.calibrate.features import Floats, LineFeatures

_SHARES = 10_000  # the held-out share is honoured to this precision


@dataclass(frozen=True, slots=True)
class JudgedLines:
    """Lines of known worth. `keys` uint64 (N,), from the line ids; `edits`, `characters` float64 (N,),
    against the reference."""

    keys: NDArray[np.uint64]
    features: LineFeatures
    edits: Floats
    characters: Floats

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def cer(self) -> Floats:
        """float64 (N,): edits per reference character, at most 1."""
        return np.minimum(self.edits / np.maximum(self.characters, 1), 1)

    def right(self, right_cer: float) -> Floats:
        """float64 (N,): 1 where the CER is at most `right_cer`, else 0."""
        return (self.edits <= right_cer * np.maximum(self.characters, 1)).astype(np.float64)

    def taken(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> JudgedLines:
        return JudgedLines(
            self.keys[index], self.features.taken(index), self.edits[index], self.characters[index]
        )

    def split(self, held_out: float) -> tuple[JudgedLines, JudgedLines]:
        """(to fit on, to test on): each line's side follows from its id alone, so that it is the same
        in every run over the same lines; about a share `held_out` is tested on."""
        # The low digits: the sample below is cut by the high ones.
        test = self.keys % np.uint64(_SHARES) < round(held_out * _SHARES)
        return self.taken(~test), self.taken(test)


class LineSample:
    """Keeps the `limit` lines with the smallest keys of all that are added: a uniform sample that
    does not depend on the order they come in, in memory for twice `limit` lines."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: list[JudgedLines] = []
        self._held = 0
        self.seen = 0

    def add(self, lines: JudgedLines) -> None:
        self._batches.append(lines)
        self._held += len(lines)
        self.seen += len(lines)
        if self._held > 2 * self._limit:
            self._batches = [self.lines()]
            self._held = len(self._batches[0])

    def lines(self) -> JudgedLines:
        """The sample so far, ordered by key."""
        every = _joined(self._batches)
        return every.taken(np.argsort(every.keys, kind="stable")[: self._limit])


def line_keys(line_ids: Sequence[str]) -> NDArray[np.uint64]:
    """uint64 (N,): 64 uniform bits of each line id, the same on every machine."""
    digests = b"".join(
        blake2b(line.encode("utf-8", "surrogatepass"), digest_size=8).digest() for line in line_ids
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _joined(batches: Sequence[JudgedLines]) -> JudgedLines:
    if not batches:
        none = np.empty(0)
        return JudgedLines(np.empty(0, np.uint64), LineFeatures(none, none, none, none), none, none)
    names = LineFeatures.__slots__
    return JudgedLines(
        np.concatenate([batch.keys for batch in batches]),
        LineFeatures(*(np.concatenate([getattr(b.features, name) for b in batches]) for name in names)),
        np.concatenate([batch.edits for batch in batches]),
        np.concatenate([batch.characters for batch in batches]),
    )
