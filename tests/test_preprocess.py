"""Line pixels → network input: the published resize and the three ways with wide lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.config import Wide
from hwr_batch.errors import LineError, Status
from hwr_batch.preprocess import MAX_ASPECT, prepare
from hwr_batch.records import Piece, Pixels, PreparedLine


def noise(height: int, width: int, *channels: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, *channels), np.uint8)


def only(line: PreparedLine) -> Piece:
    (piece,) = line.pieces
    return piece


@pytest.mark.parametrize(
    ("shape", "columns"),
    [
        ((96, 700), 700),
        ((48, 350), 700),
        ((100, 1000), 960),
        ((97, 1000), 989),  # 989.69, cut off
        ((96, 2000), 2000),  # exactly the model
        ((107, 2229), 1999),  # 1999.85, cut off
        ((1, 1), 96),
        ((300, 1), 1),  # 0.32, at least 1
        ((5000, 20), 1),
    ],
)
def test_the_published_width(shape: tuple[int, int], columns: int) -> None:
    line = noise(*shape)
    prepared = prepare(line, x=17, height=96, width=2000, wide=Wide.REJECT)

    piece = only(prepared)
    expected = cv2.resize(line, (columns, 96), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(piece.pixels, expected)
    assert (piece.left, piece.scale, piece.own) == (0.0, shape[1] / columns, (0, columns))
    assert (prepared.x, prepared.width, prepared.height) == (17, shape[1], shape[0])


@given(height=st.integers(1, 10_000), width=st.integers(1, 100_000))
@settings(deadline=None)
def test_the_width_is_the_published_formulas(height: int, width: int) -> None:
    assert 96 * width // height == int(96 * width / height)


def test_a_line_at_the_networks_height_is_not_copied() -> None:
    line = noise(96, 500)
    assert only(prepare(line, x=0, height=96, width=2000, wide=Wide.SPLIT)).pixels is line


def test_colour_lines_and_other_heights() -> None:
    piece = only(prepare(noise(96, 700, 3), x=0, height=48, width=0, wide=Wide.SPLIT))
    assert piece.pixels.shape == (48, 350, 3)
    assert piece.scale == 2.0


def test_fit_squeezes_to_the_models_width() -> None:
    line = noise(96, 5000)
    piece = only(prepare(line, x=0, height=96, width=2000, wide=Wide.FIT))

    expected = cv2.resize(line, (2000, 96), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(piece.pixels, expected)
    assert (piece.scale, piece.own) == (2.5, (0, 2000))


def test_reject_says_how_wide() -> None:
    with pytest.raises(
        LineError, match=r"needs 2001 columns at the model's height, which takes 2000\."
    ) as caught:
        prepare(noise(96, 2001), x=0, height=96, width=2000, wide=Wide.REJECT)
    assert caught.value.status is Status.LINE_TOO_WIDE


def test_split_cuts_the_resized_line() -> None:
    line = noise(48, 3000)
    prepared = prepare(line, x=5, height=96, width=2000, wide=Wide.SPLIT)

    whole = cv2.resize(line, (6000, 96), interpolation=cv2.INTER_AREA)
    assert len(prepared.pieces) == 4
    for piece in prepared.pieces:
        start = round(piece.left / piece.scale)
        assert piece.scale == 0.5
        np.testing.assert_array_equal(piece.pixels, whole[:, start : start + piece.pixels.shape[1]])
    assert (prepared.x, prepared.width, prepared.height) == (5, 3000, 48)


@pytest.mark.parametrize("width", [0, 2000])
def test_a_strip_that_would_fill_the_memory_is_refused(width: int) -> None:
    strip = noise(1, MAX_ASPECT + 1)
    with pytest.raises(LineError, match=f"over {MAX_ASPECT} times as wide") as caught:
        prepare(strip, x=0, height=96, width=width, wide=Wide.SPLIT)
    assert caught.value.status is Status.LINE_TOO_WIDE

    assert len(prepare(strip[:, 1:], x=0, height=96, width=2000, wide=Wide.SPLIT).pieces) > 24
    assert only(prepare(strip, x=0, height=96, width=2000, wide=Wide.FIT)).pixels.shape == (96, 2000)


def test_any_width_is_one_piece_where_the_model_takes_any() -> None:
    assert only(prepare(noise(96, 9000), x=0, height=96, width=0, wide=Wide.REJECT)).own == (0, 9000)


@pytest.mark.parametrize(("columns", "expected"), [(3, 8), (203, 200), (204, 208), (205, 208), (1000, 1000)])
def test_a_model_of_any_width_gets_a_multiple_of_its_stride(columns: int, expected: int) -> None:
    piece = only(prepare(noise(48, columns), x=0, height=48, width=0, wide=Wide.SPLIT, step=8))
    assert piece.pixels.shape == (48, expected)
    assert piece.scale == columns / expected


@pytest.mark.parametrize(
    "line", [np.zeros((0, 5), np.uint8), np.zeros(5, np.uint8), np.zeros((4, 4), np.float32)]
)
def test_the_door_takes_pixels_only(line: Pixels) -> None:
    with pytest.raises(ValueError, match=r"a line is uint8 \(H, W\)"):
        prepare(line, x=0, height=96, width=2000, wide=Wide.SPLIT)
