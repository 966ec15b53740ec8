"""Bootstrap over lines without keeping the lines.

A figure here is a ratio of two sums over lines, so the bootstrap needs only sums. Lines are dealt at
random into `BUCKETS` groups of equal size and the groups are resampled. Up to `BUCKETS` lines each
group is one line: the ordinary bootstrap over lines (Efron & Tibshirani 1993, chapter 13, percentiles).
Beyond, it is the random-groups form (Wolter, Introduction to Variance Estimation, 2007, chapter 2):
the same variance, known to 1/sqrt(2·BUCKETS) = 3.5 %, at constant cost per line. The Poisson bootstrap
(Chamandy et al. 2012), which also needs one pass, draws one number per line *and replicate*: 10⁷ lines
× 1000 replicates is minutes of random numbers for the same interval.

Lines of one page or hand err together, so these intervals are somewhat too narrow for other pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BUCKETS = 400
LEAST_LINES = 10  # below, a percentile interval says nothing
_SEED = 20010  # fixed: the same results give the same interval
_FIRST_BUCKETS = 16  # a group of few lines stays small: 10,000 groups are 12 MB


class BucketSums:
    """Sums over lines of `fields` whole numbers each, kept apart in up to `BUCKETS` random groups."""

    def __init__(self, fields: int) -> None:
        self._sums = np.zeros((_FIRST_BUCKETS, fields), np.int64)
        self._lines = 0

    def add(self, values: Sequence[int]) -> None:
        """Add one line: its value of every field."""
        number, turn = divmod(self._lines, BUCKETS)
        bucket = _round(number)[turn]
        if bucket >= len(self._sums):
            self._grow()
        self._sums[bucket] += values
        self._lines += 1

    def totals(self) -> NDArray[np.int64]:
        """int64 (fields,): the sums over all lines."""
        return np.asarray(self._sums.sum(axis=0))

    def resampled(self, replicates: int) -> NDArray[np.float64] | None:
        """float64 (replicates, fields): the sums of bootstrap samples; None below `LEAST_LINES` lines."""
        if self._lines < LEAST_LINES:
            return None
        used = min(self._lines, BUCKETS)
        return np.asarray(_draws(used, replicates) @ self._sums[:used].astype(np.float64))

    def _grow(self) -> None:
        size = min(2 * len(self._sums), BUCKETS)
        grown = np.zeros((size, self._sums.shape[1]), np.int64)
        grown[: len(self._sums)] = self._sums
        self._sums = grown


def interval(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile interval of a ratio over replicates, float64 (replicates,) each.

    Replicates with nothing in the denominator are left out; None where no other is left.
    """
    usable = denominator > 0
    if not usable.any():
        return None
    ratios = numerator[usable] / denominator[usable]
    low, high = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


@lru_cache(maxsize=64)
def _round(number: int) -> list[int]:
    """In which order the buckets get the lines of round `number` (of `BUCKETS` lines each).

    Each round has an order of its own, the first the plain one. Always dealt in the same order, a
    manifest whose every fifth line is bad (a form's fifth field) would put all of these into the same
    buckets: the interval came out 20 times too wide, and twice too wide when orders were used again.
    """
    if number == 0:
        return list(range(BUCKETS))
    order: list[int] = np.random.default_rng((_SEED, number)).permutation(BUCKETS).tolist()
    return order


@lru_cache(maxsize=4)
def _draws(buckets: int, replicates: int) -> NDArray[np.float64]:
    """float64 (replicates, buckets): how often each bucket is drawn; each row sums to `buckets`."""
    drawn = np.random.default_rng(_SEED).multinomial(buckets, np.full(buckets, 1 / buckets), replicates)
    return drawn.astype(np.float64)
