"""The two shapes a calibration is made of: a logistic index and an increasing curve. Needs numpy only.

Why not scikit-learn: these are the forty lines of it that are used, it and SciPy weigh over 100 MB on
every worker, and a fitted scikit-learn model travels as a pickle, which this project opens nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwr_batch.calibrate.features import Floats

_STEPS = 50
_SETTLED = 1e-9
_RIDGE = 1.0  # one unit of penalty per standardised weight: nothing beside hundreds of lines
_LEAST_PER_BIN = 25
_MOST_BINS = 100


@dataclass(frozen=True, slots=True)
class LinearIndex:
    """z = bias + Σ weight · (x − mean) / scale; float64 (k,) each but `bias`."""

    mean: Floats
    scale: Floats
    weight: Floats
    bias: float

    def __call__(self, x: Floats) -> Floats:
        """float64 (N,) for `x` float64 (N, k)."""
        # Summed row by row: a matrix product may round a line differently among other neighbours.
        return np.asarray(self.bias + ((x - self.mean) / self.scale * self.weight).sum(axis=1))


@dataclass(frozen=True, slots=True)
class IncreasingCurve:
    """A non-decreasing function through the knots (`x`, `y`), straight between them, flat outside."""

    x: Floats
    y: Floats

    def __call__(self, x: Floats) -> Floats:
        return np.asarray(np.interp(x, self.x, self.y))


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + e^−z) without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -z)))


def fit_index(x: Floats, target: Floats) -> LinearIndex:
    """Ridge logistic regression of `target` float64 (N,), 0–1, on `x` float64 (N, k), by Newton's method.

    The target may lie between 0 and 1 (a share of right characters): then this is the quasi-likelihood
    fit of Papke & Wooldridge (1996).
    """
    mean = x.mean(axis=0)
    scale = np.maximum(x.std(axis=0), 1e-9)
    full = np.column_stack([np.ones(len(x)), (x - mean) / scale])
    penalty = np.full(full.shape[1], _RIDGE)
    penalty[0] = 1e-6  # the bias is free; this only keeps the system solvable
    weight = np.zeros(full.shape[1])
    for _ in range(_STEPS):
        p = sigmoid(full @ weight)
        gradient = full.T @ (p - target) + penalty * weight
        curvature = (full * (p * (1 - p))[:, None]).T @ full + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        # Newton can overshoot where classes are nearly separable; two units per weight never does.
        weight -= np.clip(step, -2, 2)
        if np.abs(step).max() < _SETTLED:
            break
    return LinearIndex(mean, scale, weight[1:], float(weight[0]))


def fit_temperature(logit: Floats, target: Floats, weight: Floats) -> float:
    """The T in 0.05 … 20 for which sigmoid(`logit` / T) fits `target` (0–1) best; over 1: over-confident.

    Arrays float64 (N,). The likelihood is concave in 1/T, so its slope is bisected (Guo et al. 2017,
    "On Calibration of Modern Neural Networks", for the idea).
    """

    def slope(inverse: float) -> float:
        return float(np.sum(weight * (sigmoid(inverse * logit) - target) * logit))

    return 1 / _bisect(slope, 1 / 20, 20)


def fit_increasing(z: Floats, target: Floats) -> IncreasingCurve:
    """The increasing curve from `z` to the mean of `target` (0–1), float64 (N,) each, N ≥ 1.

    Isotonic regression over bins of equally many lines (at least 25 lines, at most 100 bins), with the
    knots at the blocks' mean z and straight lines between, as in centred isotonic regression (Oron &
    Flournoy 2017), so that p has no jumps. Each block is drawn to the overall mean by one line's
    weight: 30 right lines out of 30 do not make a certainty.
    """
    order = np.argsort(z, kind="stable")
    bins = int(np.clip(len(z) // _LEAST_PER_BIN, 1, _MOST_BINS))
    edges = np.linspace(0, len(z), bins + 1).astype(np.intp)[:-1]
    lines = np.diff(np.append(edges, len(z))).astype(np.float64)
    position = np.add.reduceat(z[order], edges) / lines
    height = pool_adjacent_violators(np.add.reduceat(target[order], edges) / lines, lines)
    starts = np.flatnonzero(np.append(True, np.diff(height) > 0))
    block_lines = np.add.reduceat(lines, starts)
    drawn = (height[starts] * block_lines + target.mean()) / (block_lines + 1)
    y = pool_adjacent_violators(drawn, block_lines + 1)
    return IncreasingCurve(np.add.reduceat(position * lines, starts) / block_lines, y)


def pool_adjacent_violators(y: Floats, weight: Floats) -> Floats:
    """The non-decreasing float64 (N,) nearest to `y` in weighted squares; `weight` positive.

    Ayer et al. (1955): walk once, pool a block with its left neighbour while that one is higher.
    """
    means: list[float] = []
    weights: list[float] = []
    sizes: list[int] = []
    for value, mass in zip(y.tolist(), weight.tolist(), strict=True):
        size = 1
        while means and means[-1] >= value:
            left, left_mass = means.pop(), weights.pop()
            value = (left * left_mass + value * mass) / (left_mass + mass)
            mass += left_mass
            size += sizes.pop()
        means.append(value)
        weights.append(mass)
        sizes.append(size)
    return np.repeat(np.array(means, np.float64), sizes)


def _bisect(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where the increasing `slope` crosses 0, or the end it does not reach."""
    for _ in range(60):
        middle = (low + high) / 2
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
