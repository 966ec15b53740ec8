"""Lines wider than the model: cut into pieces, and the pieces' readings joined into one.

Cuts lie at the least inked columns near even intervals, so mostly between words. Each piece also reads
the `overlap` columns beyond its own range: a network needs to see a character's neighbours. What both
pieces read there shows where one text goes on in the other, so that no character is lost or doubled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwr_batch.records import Piece, Pixels, PreparedLine, Reading

# All in heights of the line: handwritten letters are about a third as wide as the line is high, gaps
# between words as wide as a letter. Accuracy was flat around these values on real lines.
OVERLAP = 4 / 3
SEARCH = (0.5, 1.5)  # how far from its even place a cut may move: at least, at most
GAP = 1 / 3
NEAR = 1 / 4  # the same character, seen by two pieces
NEAR_SPACE = 2 / 3  # a space has no ink to pin it down


def split(pixels: Pixels, *, width: int, scale: float) -> tuple[Piece, ...]:
    """Cut a line at the network's height, uint8 (height, W[, 3]), into pieces of at most `width` columns.

    `scale`: source pixels per network column. The pieces' own ranges, laid end to end, are the line.
    """
    height, columns = pixels.shape[:2]
    overlap = min(round(OVERLAP * height), width // 4)
    edges = (0, *cuts(ink(pixels), width=width, height=height), columns)
    pieces = []
    for own_left, own_right in pairwise(edges):
        left, right = max(own_left - overlap, 0), min(own_right + overlap, columns)
        own = (own_left - left, own_right - left)
        pieces.append(Piece(pixels[:, left:right], left=left * scale, scale=scale, own=own))
    return tuple(pieces)


def ink(pixels: Pixels) -> NDArray[np.float64]:
    """How much is written in each column, float64 (W,): the deviation of its pixels.

    Deviation rather than darkness: paper that is grey or shaded along the line counts as empty.
    """
    deviation: NDArray[np.float64] = pixels.std(axis=0)
    return deviation if deviation.ndim == 1 else deviation.mean(axis=1)


def cuts(written: NDArray[np.float64], *, width: int, height: int) -> tuple[int, ...]:
    """Columns to cut at, ascending: as few as `width` allows with overlap and room to look for a gap.

    `written`: float64 (W,), see `ink`. Every stretch between cuts fits `width` with its overlap.
    """
    columns = written.size
    pieces, search = _intervals(columns, width=width, height=height)
    window = max(1, round(GAP * height))
    smooth = np.convolve(written, np.full(window, 1 / window), mode="same")
    found = []
    for index in range(1, pieces):
        even = round(columns * index / pieces)
        near = smooth[even - search : even + search + 1]
        distance = np.abs(np.arange(-search, search + 1))
        found.append(even - search + int(np.lexsort((distance, near))[0]))
    return tuple(found)


def merge(readings: Sequence[Reading], line: PreparedLine) -> Reading:
    """Join the readings of a line's pieces, one each in order, into the line's; any number of pieces.

    Where both pieces of a seam read the same character in their overlap, the text passes from one to
    the other at the match nearest the cut; without a match each keeps the characters whose span's
    centre lies on its side of the cut. Spans become source-image pixels, clipped to the line. `score`
    and `min_char_score` are those of the kept characters, of the pieces where the text is empty;
    `path_log_prob` is the sum over the pieces.
    """
    if len(readings) != len(line.pieces):
        raise ValueError(f"{len(line.pieces)} pieces, but {len(readings)} readings")
    read = [_characters(reading, piece) for reading, piece in zip(readings, line.pieces, strict=True)]
    kept = list(_kept(read, line.pieces))
    scores = [c.score for c in kept] or [reading.score for reading in readings]
    lowest = min(scores) if kept else min(reading.min_char_score for reading in readings)
    return Reading(
        text="".join(c.text for c in kept),
        score=readings[0].score if len(readings) == 1 else _geometric_mean(scores),
        min_char_score=lowest,
        path_log_prob=math.fsum(reading.path_log_prob for reading in readings),
        char_scores=tuple(c.score for c in kept),
        char_spans=tuple(_in_image(c, line) for c in kept),
    )


@dataclass(frozen=True, slots=True)
class _Character:
    """One character; `start`, `end`: source pixels from the line's left edge."""

    text: str
    score: float
    start: float
    end: float

    @property
    def centre(self) -> float:
        return (self.start + self.end) / 2


def _intervals(columns: int, *, width: int, height: int) -> tuple[int, int]:
    """Number of pieces, and how far a cut may move from its even place with every piece still fitting."""
    overlap = min(round(OVERLAP * height), width // 4)
    least, most = min(round(SEARCH[0] * height), width // 8), round(SEARCH[1] * height)
    pieces, slack = 1, -1
    while slack < least:
        pieces += 1
        even = math.ceil(columns / pieces)
        slack = width - overlap - even  # the first and last piece overlap on one side, one cut moves
        if pieces > 2:
            slack = min(slack, (width - 2 * overlap - even) // 2)
    return pieces, min(slack, most, columns // pieces // 3)


def _characters(reading: Reading, piece: Piece) -> list[_Character]:
    return [
        _Character(text, score, piece.left + start * piece.scale, piece.left + end * piece.scale)
        for text, score, (start, end) in zip(
            reading.text, reading.char_scores, reading.char_spans, strict=True
        )
    ]


def _kept(read: Sequence[list[_Character]], pieces: Sequence[Piece]) -> Iterator[_Character]:
    """The characters of the joined text: of each piece, those after its left seam up to its right one."""
    after = -math.inf
    for index, characters in enumerate(read):
        until, next_after = math.inf, math.inf
        if index + 1 < len(read):
            until, next_after = _seam(characters, read[index + 1], pieces[index], pieces[index + 1])
        yield from (c for c in characters if after < c.centre <= until)
        after = next_after


def _seam(
    left: Sequence[_Character], right: Sequence[_Character], left_piece: Piece, right_piece: Piece
) -> tuple[float, float]:
    """Up to which centre the left piece's characters count, and after which the right piece's do."""
    height, left_columns = left_piece.pixels.shape[:2]
    cut = left_piece.left + left_piece.own[1] * left_piece.scale
    begin, end = right_piece.left, left_piece.left + left_columns * left_piece.scale
    shared = [[c for c in side if begin <= c.centre <= end] for side in (left, right)]
    pairs = _same(shared[0], shared[1], height * left_piece.scale)
    if not pairs:
        return cut, cut
    a, b = min(pairs, key=lambda pair: abs(pair[0].centre + pair[1].centre - 2 * cut))
    return a.centre, b.centre


def _same(
    left: Sequence[_Character], right: Sequence[_Character], height: float
) -> list[tuple[_Character, _Character]]:
    """Pairs that are one character seen twice: each the other's nearest of its kind, and near."""
    pairs = []
    for a in left:
        b = _nearest(a, right)
        if b is None or _nearest(b, left) is not a:
            continue
        if abs(a.centre - b.centre) <= height * (NEAR_SPACE if a.text == " " else NEAR):
            pairs.append((a, b))
    return pairs


def _nearest(character: _Character, others: Sequence[_Character]) -> _Character | None:
    alike = (other for other in others if other.text == character.text)
    return min(alike, key=lambda other: abs(other.centre - character.centre), default=None)


def _geometric_mean(scores: Sequence[float]) -> float:
    if min(scores) <= 0:
        return 0.0
    return math.exp(math.fsum(math.log(score) for score in scores) / len(scores))


def _in_image(character: _Character, line: PreparedLine) -> tuple[int, int]:
    """The character's [start, end) in source-image columns: within the line, at least one wide."""
    start = min(max(round(character.start), 0), line.width - 1)
    end = min(max(round(character.end), start + 1), line.width)
    return line.x + start, line.x + end
