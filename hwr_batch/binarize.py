"""Page binarisation by the recipe the Open Model Zoo's English model was published with (GNHK).

Where the local entropy is low there is paper: its neighbourhood's brightest value is the background, and
what differs from the background is ink. It runs on whole pages, before lines are cropped.

The slow step is the rank entropy. A sliding histogram (scikit-image) pays 256 bins for every pixel.
Here, tile by tile, each grey value that occurs more than once in the tile is one plane of 0 and 1, and
fifteen shifted additions of whole planes count it in every pixel's window: some 70 ns a pixel where
scikit-image takes 420, to the same byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr_batch.records import Pixels

RADIUS = 5  # px; the window is skimage.morphology.disk(5), 81 pixels, cut off at the page's edge
BACKGROUND = 35  # px, side of the dilation that carries paper over ink
CONTRAST = 1.15
THRESHOLD_BLOCK, THRESHOLD_OFFSET = 31, 2
MAX_ENTROPY = 8.0  # bits, of 256 grey values

TILE = 64  # px; fewer values in a smaller tile, less overlap in a larger one: 48 and 96 were slower
_SIDE = TILE + 2 * RADIUS
_OFFSETS = np.arange(-RADIUS, RADIUS + 1)
_REACHES = tuple(math.isqrt(RADIUS**2 - int(dy) ** 2) for dy in _OFFSETS)
_WINDOW = np.argwhere(np.abs(_OFFSETS) <= np.array(_REACHES)[:, None]) - RADIUS  # (81, 2) dy, dx
# c·log2(c) for c pixels of one value, in fixed point: the sum stays under 2³¹ (81·log2(81)·2²⁰ = 5.4e8).
_UNIT = 2**20
_TERMS = np.zeros((1, 256), np.int32)
_TERMS[0, 2:82] = np.rint(np.arange(2, 82) * np.log2(np.arange(2, 82)) * _UNIT)
# At most 40 values occur twice in a window, each off by half a unit: 2.4e-7 bits of entropy.
_UNSURE = 1e-6 * 255 / MAX_ENTROPY


def binarize_gnhk(page: Pixels) -> Pixels:
    """Black ink on white paper from a grey page: uint8 (H, W), 0 ink … 255 paper, to the same, 0 or 255."""
    if page.ndim != 2 or page.dtype != np.uint8 or not page.size:
        raise ValueError(f"a page to binarise is uint8 (H, W), not {page.dtype} {page.shape}")
    _, paper = cv2.threshold(evenness(page), 0, 255, cv2.THRESH_OTSU)
    seen = cv2.bitwise_and(page, page, mask=paper)
    background = cv2.dilate(seen, np.ones((BACKGROUND, BACKGROUND), np.uint8))
    difference = np.arange(256)
    contrast = np.minimum((255 - difference) * CONTRAST, 255).astype(np.uint8)
    clean = cv2.LUT(cv2.absdiff(page, background), contrast)
    binary: Pixels = cv2.adaptiveThreshold(
        clean,
        255,
        cv2.ADAPTIVE_THRESH_GAUSSIAN_C,
        cv2.THRESH_BINARY,
        THRESHOLD_BLOCK,
        THRESHOLD_OFFSET,
    )
    return binary


def evenness(page: Pixels) -> Pixels:
    """How even each pixel's window is: `(1 - entropy / 8) * 255` cut to uint8 (H, W); 255 all the same."""
    padded = cv2.copyMakeBorder(page, RADIUS, RADIUS + TILE, RADIUS, RADIUS + TILE, cv2.BORDER_CONSTANT)
    rows, columns = _rows_inside(page.shape[0]), _columns_inside(page.shape[1])
    scratch = _Scratch()
    result = np.empty_like(page)
    unsure = []
    for y in range(0, page.shape[0], TILE):
        for x in range(0, page.shape[1], TILE):
            sizes = rows[y : y + TILE] @ columns[:, x : x + TILE]
            inside = None if sizes.min() == len(_WINDOW) else _inside(page.shape, y, x)
            tile = np.ascontiguousarray(padded[y : y + _SIDE, x : x + _SIDE]).ravel()
            terms = _terms(tile, inside, scratch)[: sizes.shape[0], : sizes.shape[1]]
            level, close = _level(terms, sizes)
            result[y : y + TILE, x : x + TILE] = level
            unsure.append(np.argwhere(close) + np.array((y, x)))
    places = np.concatenate(unsure)
    result[places[:, 0], places[:, 1]] = _level_exactly(page, places)
    return result


def _rows_inside(height: int) -> NDArray[np.float64]:
    """float64 (H, 11): 1 where the window's row lies on the page."""
    rows = np.arange(height)[:, None] + _OFFSETS
    return ((rows >= 0) & (rows < height)).astype(np.float64)


def _columns_inside(width: int) -> NDArray[np.float64]:
    """float64 (11, W): how many pixels of each row of the window lie on the page."""
    left, right = np.arange(width), width - 1 - np.arange(width)
    reach = np.array(_REACHES)[:, None]
    return np.asarray(1 + np.minimum(left, reach) + np.minimum(right, reach), np.float64)


def _inside(shape: Sequence[int], y: int, x: int) -> NDArray[np.bool_]:
    """bool (SIDE²,): which pixels of the tile at (y, x), its margin included, lie on the page."""
    at = np.arange(_SIDE) - RADIUS
    rows = (at + y >= 0) & (at + y < shape[0])
    columns = (at + x >= 0) & (at + x < shape[1])
    return (rows[:, None] & columns).ravel()


class _Scratch:
    """Memory for one tile's planes, reused: fresh pages for each tile cost as much as the arithmetic."""

    def __init__(self) -> None:
        self.planes = [np.empty(256 * _SIDE * _SIDE, np.uint8) for _ in range(5)]
        self.terms = np.empty((256, TILE * _SIDE), np.int32)


def _terms(tile: Pixels, inside: NDArray[np.bool_] | None, scratch: _Scratch) -> NDArray[np.int32]:
    """Sum over values of c·log2(c) in each window of `tile`, uint8 (SIDE²,): int32 (TILE, SIDE), fixed
    point; the columns beyond TILE are meaningless."""
    # A value that occurs once adds 1·log2(1) = 0.
    values = np.flatnonzero(np.bincount(tile, minlength=256) > 1).astype(np.uint8)
    used = [plane[: values.size * tile.size] for plane in scratch.planes]
    ones = used[0].reshape(values.size, tile.size)
    np.equal(tile, values[:, None], out=ones.view(np.bool_))
    if inside is not None:
        ones &= inside
    counts = _count(*used).reshape(ones.shape)[:, : TILE * _SIDE]
    terms = cv2.LUT(counts, _TERMS, scratch.terms[: values.size])
    total: NDArray[np.int32] = terms.sum(axis=0, dtype=np.int32)
    return total.reshape(TILE, _SIDE)


def _count(ones: Pixels, a: Pixels, b: Pixels, c: Pixels, d: Pixels) -> Pixels:
    """Sum of `ones` over the window whose box begins at each place; all uint8 (V·SIDE²,), `a`…`d` scratch.

    A pixel's neighbours lie at fixed distances in the flat array, so each step adds one whole array to
    a shifted one. Sums that run over a row's end are wrong, and lie in the margin that nobody reads.
    The window is 9 columns × 7 rows, 7 columns above and below, and four tips.
    """
    down = _SIDE
    _add(ones, ones, 1, out=a)  # 2 columns
    _add(a, a, 2, out=b)  # 4
    _add(b, a, 4, out=b)  # 6
    seven = _add(b, ones, 6, out=b)
    _add(ones, seven, 1, out=a)
    nine = _add(a, ones, 8, out=a)
    _add(nine, nine, down, out=c)  # 9 columns × 2 rows
    _add(c, c, 2 * down, out=d)  # 4 rows
    _add(d, c, 4 * down, out=d)  # 6
    middle = _add(d, nine, 6 * down, out=d)
    above_and_below = _add(seven, seven, 8 * down, out=c)
    tips = _add(ones[5:], ones, 5 * down, out=b)  # upper and left; lower and right lie 5 rows 5 columns on
    total = _add(middle[2 * down + 1 :], above_and_below, down + 2, out=a)
    _add(total, tips, 0, out=total)
    return _add(total, tips, 5 * down + 5, out=total)


def _add(left: Pixels, right: Pixels, shift: int, *, out: Pixels) -> Pixels:
    """`out[i] = left[i] + right[i + shift]` as far as both reach."""
    count = min(left.size, right.size - shift)
    np.add(left[:count], right[shift : shift + count], out=out[:count])
    return out


def _level(terms: NDArray[np.int32], sizes: NDArray[np.float64]) -> tuple[Pixels, NDArray[np.bool_]]:
    """The evenness of each window, uint8, and where fixed point cannot tell it from its neighbour."""
    entropy = np.log2(sizes) - terms / (sizes * _UNIT)
    value = (1 - entropy / MAX_ENTROPY) * 255
    level = value.astype(np.uint8)
    flat = terms == _TERMS[0][sizes.astype(np.intp)]
    level[flat] = 255
    return level, (np.abs(value - np.rint(value)) < _UNSURE) & ~flat


def _level_exactly(page: Pixels, places: NDArray[np.intp]) -> Pixels:
    """The same in float64 for single pixels, intp (N, 2) y, x. Entropy is log2(size) less the mean over
    the window's pixels of log2(how many share the pixel's value)."""
    levels = np.empty(len(places), np.uint8)
    for start in range(0, len(places), 256):
        at = places[start : start + 256, None] + _WINDOW
        on_page = np.all((at >= 0) & (at < np.array(page.shape)), axis=2)
        values = page[at[..., 0] % page.shape[0], at[..., 1] % page.shape[1]]
        alike = ((values[:, :, None] == values[:, None, :]) & on_page[:, None, :]).sum(axis=2)
        sizes = on_page.sum(axis=1)
        logs = np.where(on_page, np.log2(np.maximum(alike, 1)), 0).sum(axis=1)
        entropy = np.log2(sizes) - logs / sizes
        levels[start : start + 256] = ((1 - entropy / MAX_ENTROPY) * 255).astype(np.uint8)
    return levels
