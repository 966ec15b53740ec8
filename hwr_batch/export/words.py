"""A line → its words, with where they stand and how sure they are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hwr_batch.export.lines import Line
from hwr_batch.export.request import Detail

# What layout formats write as white space between words. A no-break or ideographic space stays inside its
# word, where it is kept as it is.
_WORD = re.compile(r"[^ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class Char:
    """One character; `left`, `right`: page x pixels, [left, right)."""

    text: str
    score: float
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Word:
    """`text` with its `score` 0 … 1 and page x pixels [left, right); `chars` in reading direction."""

    text: str
    score: float
    left: int
    right: int
    chars: tuple[Char, ...]


def words(line: Line, detail: Detail) -> tuple[Word, ...]:
    """The words of a line that was read; the whole line as one where `detail` is `line`.

    No word for a line without a character that shows. Characters are given for `Detail.CHAR` only.
    """
    text = line.text or ""
    if detail is Detail.LINE:
        return (_whole(line, text),) if text.strip() else ()
    return tuple(_word(line, *found.span(), detail) for found in _WORD.finditer(text))


def _whole(line: Line, text: str) -> Word:
    return Word(text, confidence(line.score), line.box.x, line.box.x + line.box.width, ())


def _word(line: Line, first: int, last: int, detail: Detail) -> Word:
    text, spans, scores = (line.text or "")[first:last], line.spans[first:last], line.scores[first:last]
    chars = tuple(
        Char(character, confidence(score), *_within(span))
        for character, score, span in zip(text, scores, spans, strict=True)
    )
    return Word(
        text,
        word_score(scores),
        min(char.left for char in chars),
        max(char.right for char in chars),
        chars if detail is Detail.CHAR else (),
    )


def word_score(scores: Sequence[float]) -> float:
    """The geometric mean of its characters' scores, as a line's score is of all."""
    tiny = 1e-30  # a score of 0 must not end in log(0)
    return confidence(math.exp(sum(math.log(max(score, tiny)) for score in scores) / len(scores)))


def confidence(score: float | None) -> float:
    """`score` as layout formats allow it: 0 … 1. float32 may round up to a hair over 1."""
    return 0.0 if score is None or math.isnan(score) else min(1.0, max(0.0, score))


def _within(span: tuple[int, int]) -> tuple[int, int]:
    """A span at least one pixel wide and not left of the page: PAGE has no negative coordinates."""
    left = max(0, span[0])
    return left, max(left + 1, span[1])
