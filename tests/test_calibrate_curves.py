"""The mathematics of a calibration: isotonic regression, logistic fits, temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.calibrate.curves import (
    IncreasingCurve,
    fit_increasing,
    fit_index,
    fit_temperature,
    pool_adjacent_violators,
    sigmoid,
)
from hwr_batch.calibrate.features import Floats


def floats(*values: float) -> Floats:
    return np.array(values, np.float64)


def min_max_isotonic(y: Floats, weight: Floats) -> list[float]:
    """The textbook formula: max over i ≤ k of min over j ≥ k of the mean of y[i..j]."""

    def mean(i: int, j: int) -> float:
        return float(np.average(y[i : j + 1], weights=weight[i : j + 1]))

    every = range(len(y))
    return [max(min(mean(i, j) for j in every[k:]) for i in every[: k + 1]) for k in every]


@pytest.mark.parametrize(
    ("y", "weight", "expected"),
    [
        ((1, 2, 3), (1, 1, 1), (1, 2, 3)),
        ((3, 2, 1), (1, 1, 1), (2, 2, 2)),
        ((1, 3, 2, 4), (1, 1, 1, 1), (1, 2.5, 2.5, 4)),
        ((1, 3, 0, 4), (1, 1, 2, 1), (1, 1, 1, 4)),  # the heavier zero pulls its neighbours down
        ((5,), (1,), (5,)),
    ],
)
def test_known_isotonic_fits(y: list[float], weight: list[float], expected: list[float]) -> None:
    assert pool_adjacent_violators(floats(*y), floats(*weight)).tolist() == list(expected)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=12))
def test_isotonic_agrees_with_the_min_max_formula(points: list[tuple[int, int]]) -> None:
    y, weight = np.array(points, np.float64).T
    assert pool_adjacent_violators(y, weight) == pytest.approx(min_max_isotonic(y, weight))


@given(st.integers(1, 400), st.integers(0, 5))
def test_a_fitted_curve_rises_and_stays_between_0_and_1(lines: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    z = random.normal(size=lines)
    curve = fit_increasing(z, (random.random(lines) < sigmoid(z)).astype(np.float64))
    along = curve(np.linspace(-5, 5, 50))
    assert (np.diff(along) >= 0).all()
    assert (along >= 0).all()
    assert (along <= 1).all()
    assert np.isin(curve(floats(-1e9, 1e9)), curve.y[[0, -1]]).all()


def test_thirty_right_lines_are_no_certainty_and_many_nearly_are() -> None:
    for lines, least, most in ((30, 0.9, 0.99), (3000, 0.999, 0.9999)):
        target = np.repeat(floats(0, 1), lines)
        curve = fit_increasing(np.arange(2.0 * lines), target)
        assert least < curve.y[-1] < most


def test_a_curve_finds_the_probability_it_was_drawn_from() -> None:
    random = np.random.default_rng(1)
    z = random.uniform(-3, 3, 50_000)
    curve = fit_increasing(z, (random.random(50_000) < sigmoid(z)).astype(np.float64))
    where = np.linspace(-2.5, 2.5, 11)
    assert curve(where) == pytest.approx(sigmoid(where), abs=0.03)


def test_an_index_finds_the_weights_it_was_drawn_from() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(40_000, 2)) * (1, 100) + (5, -3)
    truth = sigmoid(0.5 + 1.5 * (x[:, 0] - 5) - 0.02 * (x[:, 1] + 3))
    index = fit_index(x, (random.random(40_000) < truth).astype(np.float64))
    assert index.weight / index.scale == pytest.approx([1.5, -0.02], rel=0.05)
    assert sigmoid(index(x)) == pytest.approx(truth, abs=0.02)


def test_an_index_takes_shares_as_targets() -> None:
    x = np.linspace(-2, 2, 500)[:, None]
    index = fit_index(x, sigmoid(2 * x[:, 0]))
    assert sigmoid(index(x)) == pytest.approx(sigmoid(2 * x[:, 0]), abs=0.01)


def test_separable_classes_and_constant_columns_have_a_finite_index() -> None:
    x = np.column_stack([np.arange(100.0), np.ones(100)])
    z = fit_index(x, (x[:, 0] >= 50).astype(np.float64))(x)
    assert np.isfinite(z).all()
    assert z[49] < 0 < z[50]


def test_an_index_values_a_line_the_same_among_any_neighbours() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(101, 5))
    index = fit_index(x, (random.random(101) < 0.5).astype(np.float64))
    assert [float(index(x[k : k + 1])[0]) for k in range(101)] == index(x).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found(temperature: float) -> None:
    random = np.random.default_rng(4)
    logit = random.normal(size=50_000) * 3
    target = (random.random(50_000) < sigmoid(logit / temperature)).astype(np.float64)
    assert fit_temperature(logit, target, np.ones(50_000)) == pytest.approx(temperature, rel=0.05)


def test_temperature_stays_in_its_bounds() -> None:
    logit = floats(1, 2, 3)
    assert fit_temperature(logit, np.ones(3), np.ones(3)) == pytest.approx(1 / 20)
    assert fit_temperature(logit, np.zeros(3), np.ones(3)) == pytest.approx(20)


def test_a_curve_is_straight_between_knots_and_flat_outside() -> None:
    curve = IncreasingCurve(floats(0, 10), floats(0.2, 0.4))
    assert curve(floats(-1, 0, 5, 10, 99)) == pytest.approx([0.2, 0.2, 0.3, 0.4, 0.4])
