"""Which characters are taken for which, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MOST_PAIRS = 200_000  # about 30 MB; two scripts of 500 characters confused every way


@dataclass(frozen=True, slots=True)
class Confusion:
    """`count` times `reference` was read as `read`; "" is nothing (an insertion or a deletion)."""

    reference: str
    read: str
    count: int

    @property
    def kind(self) -> str:
        if not self.reference:
            return "insertion"
        return "substitution" if self.read else "deletion"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "reference": self.reference, "read": self.read, "count": self.count}


class ConfusionCounter:
    """Counts pairs; past `most_pairs` different ones the rarest are forgotten.

    The Misra-Gries idea (1982) in batches: whenever the table is full, the rarer half goes. A pair
    that is frequent is never among them; `forgotten` counts the edits dropped, 0 for nearly every run.
    """

    def __init__(self, *, most_pairs: int = _MOST_PAIRS) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._most_pairs = most_pairs
        self.forgotten = 0

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add the edits of one line: (reference character or "", read character or "")."""
        self._counts.update(pairs)
        if len(self._counts) > self._most_pairs:
            self._forget_rarest()

    def most_common(self, number: int) -> tuple[Confusion, ...]:
        """The `number` most frequent pairs, by count, then in code-point order."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Confusion(*pair, count) for pair, count in ranked[:number])

    def _forget_rarest(self) -> None:
        kept = dict(self._counts.most_common(self._most_pairs // 2))
        self.forgotten += self._counts.total() - sum(kept.values())
        self._counts = Counter(kept)
