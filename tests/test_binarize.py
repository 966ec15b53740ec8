"""The GNHK binarisation, against the recipe written down with scikit-image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch import binarize
from hwr_batch.binarize import TILE, binarize_gnhk, evenness
from hwr_batch.records import Pixels

SHARED = Path(__file__).parents[1].parent / "shared"
rank = pytest.importorskip("skimage.filters.rank", reason="scikit-image is the second implementation")


def plain_evenness(page: Pixels) -> Pixels:
    from skimage.morphology import disk

    return ((1 - rank.entropy(page, disk(5)) / 8.0) * 255).astype(np.uint8)


def plain(page: Pixels) -> Pixels:
    """The published steps, one after the other."""
    _, paper = cv2.threshold(plain_evenness(page), 0, 255, cv2.THRESH_OTSU)
    background = cv2.dilate(np.where(paper > 0, page, 0).astype(np.uint8), np.ones((35, 35), np.uint8))
    difference = np.abs(page.astype(np.int16) - background)
    clean = np.clip((255 - difference) * 1.15, 0, 255).astype(np.uint8)
    return cv2.adaptiveThreshold(clean, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 31, 2)


def scan(height: int, width: int, seed: int = 0) -> Pixels:
    """Shaded paper with grain, and strokes of ink."""
    rng = np.random.default_rng(seed)
    page = np.linspace(150, 240, width) + rng.normal(0, 3, (height, width))
    for _ in range(12):
        ends = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(page, ends[0], ends[1], 60, 3, cv2.LINE_AA)
    return np.clip(page, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "shape",
    [(200, 330), (TILE, TILE), (TILE + 1, 2 * TILE - 1), (1, 1), (1, 300), (300, 1), (5, 7), (11, 64)],
)
def test_agrees_with_scikit_image_to_the_pixel(shape: tuple[int, int]) -> None:
    page = scan(*shape)
    np.testing.assert_array_equal(evenness(page), plain_evenness(page))
    np.testing.assert_array_equal(binarize_gnhk(page), plain(page))


@pytest.mark.parametrize("name", ["eng_AF_004", "eng_AF_010"])
def test_agrees_on_a_real_page(name: str) -> None:
    file = SHARED / "data" / "gnhk" / f"{name}.jpg"
    if not file.exists():
        pytest.skip("../shared/data/gnhk is not here")
    page = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    page = page[300:1300, 500:1700]
    np.testing.assert_array_equal(evenness(page), plain_evenness(page))
    np.testing.assert_array_equal(binarize_gnhk(page), plain(page))


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    values=st.sampled_from([1, 2, 3, 40, 256]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_any_page_has_scikit_images_entropy(height: int, width: int, values: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, values).astype(np.uint8)[rng.integers(0, values, (height, width))]
    np.testing.assert_array_equal(evenness(page), plain_evenness(page))


def test_pixels_that_fixed_point_cannot_tell_are_counted_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binarize, "_UNSURE", 1.0)  # every pixel but the flat ones
    page = scan(70, 80)
    page[:20, :20] = 0
    np.testing.assert_array_equal(evenness(page), plain_evenness(page))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_page_is_even_and_white(value: int) -> None:
    page = np.full((100, 150), value, np.uint8)
    assert (evenness(page) == 255).all()
    assert (binarize_gnhk(page) == 255).all()


def test_ink_turns_black_and_shaded_paper_white() -> None:
    page = np.tile(np.linspace(120, 250, 600), (200, 1)).astype(np.uint8)
    page[95:105, 100:500] = 40
    binary = binarize_gnhk(page)
    assert set(np.unique(binary)) == {0, 255}
    assert (binary[97:103, 110:490] == 0).mean() > 0.95
    assert (binary[:80] == 255).all()


@pytest.mark.parametrize(
    "page", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)]
)
def test_the_door_takes_grey_pages_only(page: Pixels) -> None:
    with pytest.raises(ValueError, match=r"a page to binarise is uint8 \(H, W\)"):
        binarize_gnhk(page)
