"""Wide lines: where they are cut, and that the joined text neither doubles nor loses a character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.records import Piece, Pixels, PreparedLine, Reading
from hwr_batch.wide import cuts, ink, merge, split

# ---- cutting


def flat(columns: int, height: int = 96) -> Pixels:
    return np.full((height, columns), 255, np.uint8)


def ranges(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Each piece's own range in columns of the whole line."""
    starts = [round(piece.left / piece.scale) for piece in pieces]
    return [(s + piece.own[0], s + piece.own[1]) for s, piece in zip(starts, pieces, strict=True)]


@given(
    width=st.integers(1, 400),
    times=st.floats(1, 9),
    height=st.sampled_from([8, 32, 48, 96]),
    seed=st.integers(0, 9),
    channels=st.sampled_from([(), (3,)]),
)
@settings(deadline=None)
def test_pieces_fit_the_model_and_their_own_ranges_are_the_line(
    width: int, times: float, height: int, seed: int, channels: tuple[int, ...]
) -> None:
    columns = int(width * times) + 1
    line = np.random.default_rng(seed).integers(0, 256, (height, columns, *channels), np.uint8)
    pieces = split(line, width=width, scale=0.5)

    assert all(1 <= piece.pixels.shape[1] <= width for piece in pieces)
    owned = ranges(pieces)
    assert owned[0][0] == 0
    assert owned[-1][1] == columns
    assert all(left[1] == right[0] for left, right in pairwise(owned))
    assert all(start < end for start, end in owned)
    for piece in pieces:
        start = round(piece.left / 0.5)
        np.testing.assert_array_equal(piece.pixels, line[:, start : start + piece.pixels.shape[1]])


@pytest.mark.parametrize(
    ("columns", "pieces"),
    [(2001, 2), (3648, 2), (3649, 3), (4944, 3), (4945, 4), (10_000, 7)],
)
def test_as_few_pieces_as_overlap_and_search_allow(columns: int, pieces: int) -> None:
    assert len(split(flat(columns), width=2000, scale=1.0)) == pieces


def test_an_even_line_is_cut_evenly() -> None:
    assert cuts(np.zeros(3000), width=2000, height=96) == (1500,)
    assert cuts(np.ones(4600), width=2000, height=96) == (1533, 3067)


def test_the_cut_lies_in_the_middle_of_the_gap_between_words() -> None:
    written = np.ones(3000)
    written[1520:1530] = 0  # between letters, nearer the middle
    written[1560:1620] = 0  # between words
    (cut,) = cuts(written, width=2000, height=96)
    assert 1576 <= cut <= 1604  # a gap's third of the height, 32 columns, all within the 60


def test_grey_paper_and_slow_shading_are_not_ink() -> None:
    line = np.tile(np.linspace(250, 90, 300).astype(np.uint8), (96, 1))
    assert ink(line).max() == 0.0
    line[40:60, 100:120] = 20
    assert ink(line)[100:120].min() > 40
    assert ink(np.dstack([line] * 3)) == pytest.approx(ink(line))


def test_neighbours_overlap_on_both_sides_of_the_cut() -> None:
    left, right = split(flat(3000), width=2000, scale=1.0)
    assert left.own == (0, 1500)
    assert left.pixels.shape[1] == 1628
    assert right.left == 1372
    assert right.own == (128, 1628)


# ---- joining


def reading(text: str, centres: Sequence[float], score: float = 0.5, path: float = -1.0) -> Reading:
    """A reading whose characters are 8 columns wide around `centres`."""
    return Reading(
        text=text,
        score=score,
        min_char_score=score,
        path_log_prob=path,
        char_scores=(score,) * len(text),
        char_spans=tuple((round(c) - 4, round(c) + 4) for c in centres),
    )


def two_pieces(scale: float = 1.0, x: int = 0) -> PreparedLine:
    """3000 columns cut at 1500: the pieces are [0, 1628) and [1372, 3000)."""
    pieces = split(flat(3000), width=2000, scale=scale)
    return PreparedLine(pieces, x=x, width=round(3000 * scale), height=96)


def joined(left: tuple[str, Sequence[float]], right: tuple[str, Sequence[float]]) -> str:
    """The text of two readings; centres in columns of the whole line."""
    readings = [reading(*left), reading(right[0], [c - 1372 for c in right[1]])]
    return merge(readings, two_pieces()).text


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        # each side's own half, nothing in the overlap
        (("ab", (100, 200)), ("cd", (2000, 2100)), "abcd"),
        # the same letters seen by both
        (("abc", (1450, 1490, 1530)), ("abc", (1448, 1492, 1533)), "abc"),
        # on the cut, seen on both sides of it: not doubled
        (("ab", (1450, 1497)), ("bc", (1503, 1550)), "abc"),
        # on the cut, seen beyond it by both: not lost
        (("abc", (1450, 1503, 1550)), ("abc", (1450, 1497, 1550)), "abc"),
        # a double letter stays double, a single one single
        (("all", (1450, 1485, 1510)), ("llb", (1487, 1512, 1550)), "allb"),
        (("al", (1450, 1498)), ("lb", (1502, 1550)), "alb"),
        # a space has no ink to pin it down: 50 columns apart, on either side of the cut
        (("to ", (1400, 1440, 1475)), (" be", (1525, 1560, 1600)), "to be"),
        (("to b", (1400, 1440, 1525, 1580)), ("o be", (1440, 1475, 1580, 1620)), "to be"),
        # a character cut through by the piece's end is read wrong there, right by the other piece
        (("abci", (1450, 1500, 1550, 1620)), ("labcd", (1376, 1450, 1500, 1550, 1620)), "abcd"),
        # nothing in common: each side of the cut to its own piece
        (("abx", (1400, 1450, 1540)), ("ycd", (1460, 1550, 1600)), "abcd"),
        # one piece, or both, without text
        (("", ()), ("cd", (2000, 2100)), "cd"),
        (("ab", (100, 200)), ("", ()), "ab"),
        (("", ()), ("", ()), ""),
    ],
)
def test_joining(left: tuple[str, Sequence[float]], right: tuple[str, Sequence[float]], text: str) -> None:
    assert joined(left, right) == text


words = st.lists(st.text("abcdelot", min_size=1, max_size=9), min_size=1, max_size=40)


@given(words=words, seed=st.integers(0, 10**6), width=st.sampled_from([600, 1000, 2000]))
@settings(deadline=None, max_examples=200)
def test_any_line_read_in_pieces_is_the_line(words: list[str], seed: int, width: int) -> None:
    """A reader that sees each whole character where it is, half a frame off, and guesses at cut ones."""
    rng = np.random.default_rng(seed)
    text = " ".join(words)
    centres = np.cumsum(rng.integers(24, 60, len(text))) + 20
    columns = int(centres[-1]) + 40
    line = np.full((96, columns), 255, np.uint8)
    for character, centre in zip(text, centres, strict=True):
        if character != " ":
            line[20:80, centre - 9 : centre + 9 : 3] = 0
    pieces = split(line, width=width, scale=2.0)

    def read(piece: Piece) -> Reading:
        start, stop = round(piece.left / 2), round(piece.left / 2) + piece.pixels.shape[1]
        seen = []
        for character, centre in zip(text, centres, strict=True):
            if start + 12 <= centre < stop - 12:
                seen.append((character, centre - start + rng.integers(-4, 5)))
            elif start <= centre < stop and start > 0:
                seen.append(("x", centre - start))
        return reading("".join(c for c, _ in seen), [c for _, c in seen])

    merged = merge(
        [read(piece) for piece in pieces], PreparedLine(pieces, x=0, width=2 * columns, height=192)
    )
    assert merged.text.replace("x", "") == text
    assert [start for start, _ in merged.char_spans] == sorted(start for start, _ in merged.char_spans)


def test_one_piece_is_passed_through_with_its_spans_in_the_image() -> None:
    piece = Piece(flat(500), left=0.0, scale=1.5, own=(0, 500))
    line = PreparedLine((piece,), x=40, width=750, height=144)
    read = Reading("abc", 0.61, 0.4, -2.5, (0.4, 0.7, 0.8), ((0, 8), (100, 104), (496, 640)))

    assert merge([read], line) == Reading(
        "abc", 0.61, 0.4, -2.5, (0.4, 0.7, 0.8), ((40, 52), (190, 196), (784, 790))
    )


def test_spans_stay_in_the_line_and_are_never_empty() -> None:
    piece = Piece(flat(96), left=0.0, scale=0.01, own=(0, 96))  # a line one pixel wide
    line = PreparedLine((piece,), x=7, width=1, height=1)
    read = Reading("ab", 0.5, 0.5, 0.0, (0.5, 0.5), ((0, 8), (1990, 2000)))
    assert merge([read], line).char_spans == ((7, 8), (7, 8))


def test_spans_of_later_pieces_count_from_the_image() -> None:
    merged = merge([reading("a", [100]), reading("b", [2000 - 1372])], two_pieces(scale=0.5, x=1000))
    assert merged.char_spans == ((1048, 1052), (1998, 2002))


def test_scores_are_those_of_the_characters_kept() -> None:
    left = Reading("abx", 0.9, 0.1, -1.5, (0.9, 0.8, 0.1), ((100, 108), (200, 208), (1600, 1608)))
    right = Reading("yc", 0.2, 0.2, -2.25, (0.2, 0.5), ((4, 12), (600, 608)))  # y lies before the cut

    merged = merge([left, right], two_pieces())
    assert merged.text == "abc"
    assert merged.char_scores == (0.9, 0.8, 0.5)
    assert merged.score == pytest.approx((0.9 * 0.8 * 0.5) ** (1 / 3))
    assert merged.min_char_score == 0.5
    assert merged.path_log_prob == -3.75


def test_scores_of_an_empty_line_are_the_pieces() -> None:
    merged = merge([reading("", (), score=0.9), reading("", (), score=0.4)], two_pieces())
    assert (merged.text, merged.char_scores, merged.char_spans) == ("", (), ())
    assert merged.score == pytest.approx(math.sqrt(0.9 * 0.4))
    assert merged.min_char_score == 0.4


def test_a_score_of_nothing_does_not_break_the_mean() -> None:
    assert merge([reading("a", [100], score=0.0), reading("", ())], two_pieces()).score == 0.0


def test_bands_out_of_reading_order_keep_their_side_of_the_cut() -> None:
    """Networks with bands give characters row after row, so centres jump back."""
    assert joined(("abcd", (100, 1400, 150, 1300)), ("efgh", (1700, 2500, 1710, 2000))) == "abcdefgh"


def test_a_reading_for_every_piece() -> None:
    with pytest.raises(ValueError, match="2 pieces, but 1 readings"):
        merge([reading("", ())], two_pieces())
