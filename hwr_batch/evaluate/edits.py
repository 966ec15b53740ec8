"""One line against its reference: how many edits, of which kind, between which characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True, slots=True)
class LineEdits:
    """The edits that turn a reference into its reading, in code points.

    `characters`, `words`: of the reference; words are what white space parts, so a line of Chinese is
    one word. `pairs`: (reference character, read character) of each edit, "" on the side that has
    none; empty for a line that failed, which confuses nothing. `failed`: the line has no reading; all
    of its reference counts as deleted.
    """

    characters: int
    insertions: int
    deletions: int
    substitutions: int
    words: int
    word_edits: int
    exact: bool
    failed: bool
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def edits(self) -> int:
        return self.insertions + self.deletions + self.substitutions

    @property
    def cer(self) -> float:
        """Edits per reference character; over 1 where much was inserted. An empty reference counts as
        one character, so that a reading of nothing is 0."""
        return self.edits / max(self.characters, 1)


def compare(reference: str, reading: str | None) -> LineEdits:
    """Minimal Levenshtein edits from `reference` to `reading`; None is a line that failed.

    Where several alignments are minimal, rapidfuzz's choice decides the kinds and pairs, never the sum.
    """
    words = reference.split()
    if reading is None:
        return LineEdits(len(reference), 0, len(reference), 0, len(words), len(words), False, True)
    if reading == reference:
        return LineEdits(len(reference), 0, 0, 0, len(words), 0, True, False)
    ops = [(op.tag, op.src_pos, op.dest_pos) for op in Levenshtein.editops(reference, reading)]
    kinds = [kind for kind, _, _ in ops]
    return LineEdits(
        characters=len(reference),
        insertions=kinds.count("insert"),
        deletions=kinds.count("delete"),
        substitutions=kinds.count("replace"),
        words=len(words),
        word_edits=Levenshtein.distance(words, reading.split()),
        exact=False,
        failed=False,
        pairs=tuple(_pair(op, reference, reading) for op in ops),
    )


def stretches(reference: str, reading: str) -> Iterator[tuple[str, str, str]]:
    """The two texts side by side, for people: (kind, of the reference, of the reading), `kind` being equal,
    delete, insert or replace, and "" standing on a side that has nothing."""
    for op in Levenshtein.opcodes(reference, reading):
        yield op.tag, reference[op.src_start : op.src_end], reading[op.dest_start : op.dest_end]


def _pair(op: tuple[str, int, int], reference: str, reading: str) -> tuple[str, str]:
    kind, source, destination = op
    return (
        "" if kind == "insert" else reference[source],
        "" if kind == "delete" else reading[destination],
    )
