"""Page pixels → the pixels of the one line that a manifest row means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr_batch.errors import LineError, Status
from hwr_batch.records import Box, Pixels, Row

Points: TypeAlias = NDArray[np.float64]

_FARTHEST = 2**21  # px; beyond any image OpenCV decodes, and safe in its 28.4 fixed-point coordinates


def crop(page: Pixels, row: Row) -> tuple[Pixels, int]:
    """The line a manifest row means: its pixels and the page x of its left edge.

    A region that sticks out of the page is clipped to it, as layout files often overshoot by a few
    pixels; one that misses the page is an error. With a polygon alone the line is its bounding box;
    outside the polygon the line is painted with its background: the median inside, per channel,
    which is paper, as ink covers less than half of a line. A view of `page` where nothing is painted.
    Raises LineError region_invalid.
    """
    if row.polygon is None:
        if row.box is None:
            return page, 0
        left, top, right, bottom = _inside(page, row.box)
        return page[top:bottom, left:right], left
    points = _points(row.polygon)
    left, top, right, bottom = _inside(page, row.box or _bounds(points))
    return _paint_outside(page[top:bottom, left:right], points - (left, top)), left


def _points(polygon: Sequence[tuple[float, float]]) -> Points:
    """float64 (N, 2) x, y; at least three, finite, spanning an area."""
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    if len(points) < 3:
        raise _invalid(f"A polygon needs at least 3 points, this one has {len(points)}.")
    if not (np.abs(points) < _FARTHEST).all():  # false for NaN, too
        raise _invalid("A point of the polygon lies far outside any image.")
    if cv2.contourArea(cv2.convexHull(points.astype(np.float32))) < 1:
        raise _invalid("The polygon has no area: its points lie on one line.")
    return points


def _bounds(points: Points) -> Box:
    """The pixels the points lie in or between, the last ones included."""
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.floor(points.max(axis=0)).astype(int).tolist()
    return Box(left, top, right - left + 1, bottom - top + 1)


def _inside(page: Pixels, box: Box) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the box's part on the page; right and bottom exclusive."""
    if box.width < 1 or box.height < 1:
        raise _invalid(
            f"The crop box is {box.width} × {box.height} pixels: width and height must be at least 1."
        )
    height, width = page.shape[:2]
    left, right = max(box.x, 0), min(box.x + box.width, width)
    top, bottom = max(box.y, 0), min(box.y + box.height, height)
    if left >= right or top >= bottom:
        raise _invalid(
            f"The region {box.width} × {box.height} at ({box.x}, {box.y}) lies outside the image,"
            f" which is {width} × {height} pixels."
        )
    return left, top, right, bottom


def _paint_outside(line: Pixels, points: Points) -> Pixels:
    """`line` with everything outside the polygon (points in line pixels) turned to background."""
    mask = np.zeros(line.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, shift=4)
    if not mask.any():
        raise _invalid("The polygon lies outside the crop box or the image.")
    if mask.all():
        return line
    painted = line.copy()
    painted[mask == 0] = np.median(line[mask > 0], axis=0).astype(np.uint8)
    return painted


def _invalid(sentence: str) -> LineError:
    return LineError(Status.REGION_INVALID, sentence)
