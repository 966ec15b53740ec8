"""In which order found lines are read: down each column, columns from left to right. Pure.

T. Breuel, "High Performance Document Layout Analysis" (2003): of two lines that share some x, the upper comes
first; of two that do not, the left one, unless a line between them in height spans both, as a heading does.
Sorted topologically. Written for scripts that run from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bounds: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom
_SHARED = 0.1  # of the narrower line: less common x is a swung stroke, not a column


def reading_order(lines: Sequence[Bounds]) -> list[int]:
    """Positions of `lines` in the order to read them; every position once."""
    boxes = np.asarray(lines, np.float64).reshape(-1, 4)
    before = _before(boxes)
    waiting = set(range(len(boxes)))
    order: list[int] = []
    while waiting:
        candidates = sorted(waiting)
        free = [i for i in candidates if not before[candidates, i].any()]
        # The relation can run in a circle where lines overlap; then the topmost goes first.
        chosen = min(free or candidates, key=lambda i: (boxes[i, 1] if not free else 0, *_place(boxes[i])))
        order.append(chosen)
        waiting.remove(chosen)
    return order


def _place(box: NDArray[np.float64]) -> tuple[float, float]:
    return float(box[0]), float(box[1])


def _before(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool (N, N): whether line i must come before line j."""
    left, top, right, bottom = boxes.T
    middle = (top + bottom) / 2
    common = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    shares = common > _SHARED * np.minimum.outer(right - left, right - left)
    above = np.less.outer(middle, middle)
    beside = np.less.outer((left + right) / 2, (left + right) / 2) & ~shares
    for i, j in zip(*np.nonzero(beside), strict=True):
        low, high = sorted((middle[i], middle[j]))
        between = shares[i] & shares[j] & (middle > low) & (middle < high)
        beside[i, j] = not between.any()
    before: NDArray[np.bool_] = (shares & above) | beside
    return before
