"""Greedy CTC against hand-made matrices, brute force over alignments, and a second implementation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwr_batch.ctc import decode
from hwr_batch.records import FrameGeometry, Frames, Reading

ONE_BAND = FrameGeometry(stride=8.0, bands=1)
Matrix = NDArray[np.floating]  # probabilities (T, C)


def frames_of(probabilities: Matrix, top_k: int | None = None) -> Frames:
    """What the engine makes of a matrix: the best class of each frame, and its top k."""
    log_probs = np.log(probabilities.astype(np.float32))
    order = np.argsort(-log_probs, axis=1, kind="stable").astype(np.int32)
    best = np.take_along_axis(log_probs, order, axis=1)
    if top_k is None:
        return Frames(order[:, 0], best[:, 0])
    return Frames(order[:, 0], best[:, 0], order[:, :top_k], best[:, :top_k])


def path_frames(classes: Sequence[int], probabilities: Sequence[float]) -> Frames:
    return Frames(np.array(classes, np.int32), np.log(np.array(probabilities, np.float32)))


def read(frames: Frames, charset: str, *, blank: int = 0, allowed: str | None = None) -> Reading:
    designated = None if allowed is None else frozenset(allowed)
    return decode(frames, tuple(charset), ONE_BAND, blank=blank, allowed=designated)


# Known answers


def test_a_line_worked_by_hand() -> None:
    reading = read(
        path_frames([0, 1, 1, 0, 1, 2, 2, 2, 0], [0.9, 0.5, 0.8, 0.7, 0.6, 0.2, 0.4, 0.3, 1.0]), "ab"
    )
    assert reading.text == "aab"
    assert reading.char_scores == pytest.approx((0.8, 0.6, 0.4))
    assert reading.score == pytest.approx((0.8 * 0.6 * 0.4) ** (1 / 3))
    assert reading.min_char_score == pytest.approx(0.4)
    assert reading.path_log_prob == pytest.approx(
        math.log(0.9 * 0.5 * 0.8 * 0.7 * 0.6 * 0.2 * 0.4 * 0.3), rel=1e-6
    )
    assert reading.char_spans == ((8, 24), (32, 40), (40, 64))


def test_an_empty_text_scores_its_blanks() -> None:
    reading = read(path_frames([0, 0, 0], [0.5, 0.8, 1.0]), "ab")
    assert (reading.text, reading.char_scores, reading.char_spans) == ("", (), ())
    assert reading.score == pytest.approx(0.4 ** (1 / 3))
    assert reading.min_char_score == reading.score
    assert reading.path_log_prob == pytest.approx(math.log(0.4))


@pytest.mark.parametrize(
    ("classes", "blank", "text"),
    [
        ([1, 1, 2], 0, "ab"),  # a character in the first frame and one in the last
        ([2], 0, "b"),  # one frame
        ([0, 1, 2], 1, "ab"),  # blank in the middle: class 0 is "a", class 2 "b"
        ([0, 1, 2], 2, "ab"),  # blank last, as many frameworks have it
        ([1, 2, 1, 2, 2, 1], 2, "bbb"),
        ([1, 1, 1, 1], 0, "a"),
        ([1, 0, 1, 0, 0, 1], 0, "aaa"),
    ],
)
def test_collapse(classes: list[int], blank: int, text: str) -> None:
    assert read(path_frames(classes, [0.5] * len(classes)), "ab", blank=blank).text == text


def test_a_space_is_a_character() -> None:
    assert read(path_frames([2, 1, 0, 1, 2], [0.5] * 5), " x").text == "x  x"


def test_a_probability_a_hair_above_one_is_one() -> None:
    frames = Frames(np.array([1, 0], np.int32), np.array([1e-6, 1e-6], np.float32))
    assert read(frames, "a").score == 1.0
    assert read(Frames(np.zeros(2, np.int32), frames.log_probs), "a").score == 1.0


def test_a_ligature_gives_each_code_point_its_score_and_span() -> None:
    reading = decode(path_frames([1, 2], [0.5, 0.25]), ("ffi", "x"), ONE_BAND, blank=0, allowed=None)
    assert reading.text == "ffix"
    assert reading.char_scores == pytest.approx((0.5, 0.5, 0.5, 0.25))
    assert reading.char_spans == ((0, 8), (0, 8), (0, 8), (8, 16))
    assert reading.score == pytest.approx(math.sqrt(0.5 * 0.25))


# Spans and bands


def test_a_fractional_stride_tiles_the_width() -> None:
    geometry = FrameGeometry(stride=2000 / 186, bands=1)
    classes = np.arange(186, dtype=np.int32) % 2 + 1  # every frame is a character
    reading = decode(Frames(classes, np.zeros(186, np.float32)), tuple("ab"), geometry, blank=0, allowed=None)
    assert reading.char_spans[0][0] == 0
    assert reading.char_spans[-1][1] == 2000
    assert all(left[1] == right[0] for left, right in itertools.pairwise(reading.char_spans))


@pytest.mark.parametrize(
    ("probabilities", "span"),
    [
        ([0.1, 0.3, 0.9, 0.3, 0.3, 0.1], (64, 96)),  # best frame in the first band: its last column
        ([0.1, 0.3, 0.3, 0.9, 0.3, 0.1], (0, 64)),  # best frame in the second band: its first two
        ([0.1, 0.5, 0.5, 0.5, 0.5, 0.1], (32, 96)),  # equal: the first of them
    ],
)
def test_a_run_over_a_band_edge_is_one_character_in_one_band(
    probabilities: list[float], span: tuple[int, int]
) -> None:
    first = 2 if probabilities[1] != 0.5 else 1
    classes = [0] * first + [1] * (5 - first) + [0]
    reading = decode(
        path_frames(classes, probabilities), ("a",), FrameGeometry(32.0, 2), blank=0, allowed=None
    )
    assert reading.text == "a"
    assert reading.char_spans == (span,)
    assert reading.char_scores == pytest.approx((max(probabilities),))


def test_a_run_over_three_bands_takes_the_whole_middle_one() -> None:
    frames = path_frames([0, 1, 1, 1, 1, 0], [0.5, 0.5, 0.5, 0.9, 0.5, 0.5])
    reading = decode(frames, ("a",), FrameGeometry(10.0, 3), blank=0, allowed=None)
    assert (reading.text, reading.char_spans) == ("a", ((0, 20),))


def test_each_band_starts_at_the_left_again() -> None:
    frames = path_frames([1, 0, 0, 2, 2, 0], [0.5] * 6)
    reading = decode(frames, ("a", "b"), FrameGeometry(10.0, 3), blank=0, allowed=None)
    assert reading.text == "ab"
    assert reading.char_spans == ((0, 10), (10, 20))  # "b": frames 3 and 4, the first of them best


# Designated characters


def test_a_forbidden_character_gives_way_to_the_best_allowed_of_the_first_frame() -> None:
    # columns: blank O 0 D
    matrix = np.array([[0.1, 0.5, 0.25, 0.15], [0.05, 0.6, 0.05, 0.3], [0.9, 0.05, 0.03, 0.02]])
    free = read(frames_of(matrix, 4), "O0D")
    held = read(frames_of(matrix, 4), "O0D", allowed="0D")
    assert (free.text, held.text) == ("O", "0")
    assert held.char_scores == pytest.approx((0.25,))
    assert held.path_log_prob == pytest.approx(math.log(0.25 * 0.05 * 0.9), rel=1e-6)
    assert held.char_spans == free.char_spans


def test_a_frame_without_the_substitute_counts_its_last_candidate() -> None:
    matrix = np.array([[0.1, 0.5, 0.25, 0.15], [0.05, 0.6, 0.05, 0.3]])
    held = read(frames_of(matrix, 2), "O0D", allowed="0")  # frame 1 offers only O and D
    assert held.text == "0"
    assert held.path_log_prob == pytest.approx(math.log(0.25 * 0.3), rel=1e-6)


def test_nothing_allowed_among_the_top_k_keeps_the_character() -> None:
    matrix = np.array([[0.2, 0.5, 0.25, 0.05], [0.9, 0.04, 0.03, 0.03]])
    assert read(frames_of(matrix, 2), "O0D", allowed="D").text == "O"
    assert read(frames_of(matrix, 3), "O0D", allowed="D").text == "O"  # D is fourth, after blank
    assert read(frames_of(matrix, 4), "O0D", allowed="D").text == "D"


def test_two_runs_that_become_the_same_character_stay_two() -> None:
    matrix = np.array([[0.0, 0.6, 0.4, 0.0], [0.0, 0.4, 0.6, 0.0]]) + 1e-9  # O0, and O is really a 0
    assert read(frames_of(matrix, 4), "O0D", allowed="0").text == "00"


def test_all_allowed_changes_nothing() -> None:
    matrix = np.random.default_rng(7).dirichlet(np.ones(4), 30)
    frames = frames_of(matrix, 3)
    assert read(frames, "abc", allowed="abc") == read(frames, "abc")


# Properties


@st.composite
def matrices(draw: st.DrawFn, frames: int, classes: int) -> Matrix:
    """Probabilities (T, C) without ties, 1 ≤ T ≤ `frames`, 2 ≤ C ≤ `classes`."""
    t, c = draw(st.integers(1, frames)), draw(st.integers(2, classes))
    seed = draw(st.integers(0, 2**32 - 1))
    sharpness = draw(st.sampled_from([0.05, 0.3, 1.0]))
    weights = np.random.default_rng(seed).gamma(sharpness, size=(t, c)) + 1e-4
    matrix: Matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def collapse(path: Sequence[int], charset: str, blank: int) -> str:
    labels = [label for label, _ in itertools.groupby(path) if label != blank]
    return "".join(charset[label if label < blank else label - 1] for label in labels)


@given(matrices(frames=5, classes=4), st.data())
@settings(deadline=None)
def test_brute_force_over_all_alignments(matrix: Matrix, data: st.DataObject) -> None:
    frames, classes = matrix.shape
    blank = data.draw(st.integers(0, classes - 1))
    charset = "abc"[: classes - 1]
    probability = {
        path: math.prod(float(matrix[t, label]) for t, label in enumerate(path))
        for path in itertools.product(range(classes), repeat=frames)
    }
    likeliest = max(probability, key=lambda path: probability[path])
    reading = read(frames_of(matrix), charset, blank=blank)
    assert reading.text == collapse(likeliest, charset, blank)
    assert math.exp(reading.path_log_prob) == pytest.approx(probability[likeliest], rel=1e-4)
    of_text = sum(p for path, p in probability.items() if collapse(path, charset, blank) == reading.text)
    assert math.exp(reading.path_log_prob) <= of_text * (1 + 1e-4)


def second_reading(matrix: Matrix, charset: str, *, blank: int, allowed: str | None, top_k: int) -> Reading:
    """The same rules, frame by frame, from the probabilities."""
    order = np.argsort(-np.log(matrix), axis=1, kind="stable")
    text, char_scores, spans, path = "", [], [], 0.0
    for label, run in itertools.groupby(range(len(matrix)), key=lambda t: int(order[t, 0])):
        at = list(run)
        offers = [
            int(c)
            for c in order[at[0], :top_k]
            if allowed is not None and c != blank and charset[c if c < blank else c - 1] in allowed
        ]
        character = "" if label == blank else charset[label if label < blank else label - 1]
        chosen = label
        if label != blank and allowed is not None and character not in allowed and offers:
            chosen = offers[0]
            character = charset[chosen if chosen < blank else chosen - 1]
        probabilities = [
            float(matrix[t, chosen]) if chosen in order[t, :top_k] else float(matrix[t, order[t, top_k - 1]])
            for t in at
        ]
        path += sum(map(math.log, probabilities))
        if character:
            text += character
            char_scores.append(max(probabilities))
            spans.append((8 * at[0], 8 * at[-1] + 8))
    mean = math.prod(char_scores) ** (1 / len(text)) if text else math.exp(path / len(matrix))
    return Reading(text, mean, min(char_scores, default=mean), path, tuple(char_scores), tuple(spans))


@given(matrices(frames=40, classes=7), st.data())
@settings(deadline=None)
def test_second_implementation(matrix: Matrix, data: st.DataObject) -> None:
    classes = matrix.shape[1]
    charset = "abcdef"[: classes - 1]
    blank = data.draw(st.integers(0, classes - 1))
    allowed = data.draw(st.none() | st.text(charset))
    top_k = data.draw(st.integers(1, classes))
    reading = read(frames_of(matrix, top_k), charset, blank=blank, allowed=allowed)
    expected = second_reading(matrix, charset, blank=blank, allowed=allowed, top_k=top_k)
    assert (reading.text, reading.char_spans) == (expected.text, expected.char_spans)
    assert reading.char_scores == pytest.approx(expected.char_scores, rel=1e-4)
    assert reading.score == pytest.approx(expected.score, rel=1e-4)
    assert reading.min_char_score == pytest.approx(expected.min_char_score, rel=1e-4)
    assert reading.path_log_prob == pytest.approx(expected.path_log_prob, rel=1e-4, abs=1e-4)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=24), st.sampled_from([1, 2, 3, 4]))
@settings(deadline=None)
def test_bands_change_spans_and_nothing_else(classes: list[int], bands: int) -> None:
    frames = path_frames(
        classes * bands, np.random.default_rng(1).uniform(0.1, 1, len(classes) * bands).tolist()
    )
    flat = decode(frames, tuple("ab"), FrameGeometry(4.0, 1), blank=0, allowed=None)
    banded = decode(frames, tuple("ab"), FrameGeometry(4.0, bands), blank=0, allowed=None)
    assert (flat.text, flat.char_scores, flat.path_log_prob) == (
        banded.text,
        banded.char_scores,
        banded.path_log_prob,
    )
    assert all(0 <= start < end <= 4 * len(classes) for start, end in banded.char_spans)


# Errors


@pytest.mark.parametrize(
    ("frames", "geometry", "words"),
    [
        (path_frames([], []), ONE_BAND, "no frame"),
        (path_frames([1, 1, 0], [0.5] * 3), FrameGeometry(8.0, 2), "3 frames do not divide into 2 bands"),
        (path_frames([1, 0], [0.5] * 3), ONE_BAND, r"\(2,\) and log_probs \(3,\)"),
        (path_frames([1, 3], [0.5] * 2), ONE_BAND, "outside the charset's 2 characters"),
        (path_frames([1, -1], [0.5] * 2), ONE_BAND, "outside the charset's 2 characters"),
        (Frames(np.zeros((2, 2), np.int32), np.zeros((2, 2), np.float32)), ONE_BAND, r"\(T,\)"),
    ],
)
def test_frames_that_contradict_themselves(frames: Frames, geometry: FrameGeometry, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(frames, ("a", "b"), geometry, blank=0, allowed=None)


@pytest.mark.parametrize(
    ("candidates", "log_probs", "words"),
    [
        (None, None, "need the frames' candidates"),
        (np.ones((1, 3), np.int32), np.zeros((1, 3), np.float32), r"must be \(T, k\)"),
        (np.ones((2, 0), np.int32), np.zeros((2, 0), np.float32), r"must be \(T, k\)"),
        (np.ones((2, 3), np.int32), np.zeros((2, 2), np.float32), r"\(2, 3\), but log-probabilities"),
    ],
)
def test_designated_characters_need_candidates(
    candidates: NDArray[np.int32] | None, log_probs: NDArray[np.float32] | None, words: str
) -> None:
    frames = Frames(np.ones(2, np.int32), np.zeros(2, np.float32), candidates, log_probs)
    with pytest.raises(ValueError, match=words):
        read(frames, "ab", allowed="b")
