"""Figures of many lines, and the intervals around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.evaluate import compare
from hwr_batch.evaluate.bootstrap import BUCKETS, BucketSums, interval
from hwr_batch.evaluate.figures import Tally


def tally_of(lines: list[tuple[str, str | None]]) -> Tally:
    tally = Tally()
    for reference, reading in lines:
        tally.add(compare(reference, reading))
    return tally


def test_known_figures() -> None:
    figures = tally_of([("abcd", "abcd"), ("a b c", "a x c"), ("xyz", None)]).figures(replicates=100)
    assert (figures.lines, figures.exact_lines, figures.failed_lines) == (3, 1, 1)
    assert (figures.characters, figures.words) == (12, 5)
    assert (figures.insertions, figures.deletions, figures.substitutions) == (0, 3, 1)
    assert figures.label_accuracy == pytest.approx(1 - 4 / 12)
    assert figures.cer == pytest.approx(4 / 12)
    assert figures.wer == pytest.approx(2 / 5)
    assert figures.exact == pytest.approx(1 / 3)
    assert figures.intervals.label_accuracy is None  # three lines say nothing of their spread


def test_long_lines_weigh_more_than_short_ones() -> None:
    """Label accuracy sums first and divides then: 1 − 1/10, not the mean of 0 and 1."""
    assert tally_of([("a", "b"), ("abcdefghi", "abcdefghi")]).figures(replicates=100).cer == 0.1


def test_much_insertion_takes_label_accuracy_below_zero() -> None:
    assert tally_of([("a", "abcd")]).figures(replicates=100).label_accuracy == -2


@pytest.mark.parametrize("lines", [[], [("", "")]])
def test_without_characters_there_is_no_rate(lines: list[tuple[str, str]]) -> None:
    figures = tally_of(list(lines)).figures(replicates=100)
    assert (figures.label_accuracy, figures.cer, figures.wer) == (None, None, None)


def test_json_has_every_field_and_plain_values() -> None:
    fields = tally_of([("abc", "abd")] * 12).figures(replicates=100).to_json()
    assert fields["intervals"]["cer"] == [pytest.approx(1 / 3)] * 2
    assert {"lines", "characters", "label_accuracy", "cer", "wer", "exact"} <= set(fields)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=0, max_size=1000))
def test_bucket_sums_lose_nothing(values: list[tuple[int, int]]) -> None:
    sums = BucketSums(2)
    for value in values:
        sums.add(value)
    assert sums.totals().tolist() == np.sum(np.array(values, int).reshape(-1, 2), axis=0).tolist()


@pytest.mark.parametrize("lines", [60, BUCKETS, 20_000])
def test_the_interval_is_as_wide_as_theory_says(lines: int) -> None:
    """A share's 95 % interval is 2 · 1.96 · sqrt(p (1 − p) / n) wide, whatever the number of buckets."""
    hits = np.random.default_rng(7).random(lines) < 0.3
    sums = BucketSums(2)
    for hit in hits:
        sums.add((int(hit), 1))
    drawn = sums.resampled(2000)
    assert drawn is not None
    assert (drawn[:, 1] == lines).all() or lines > BUCKETS
    bounds = interval(drawn[:, 0], drawn[:, 1])
    assert bounds is not None
    expected = 2 * 1.96 * np.sqrt(hits.mean() * (1 - hits.mean()) / lines)
    assert bounds[1] - bounds[0] == pytest.approx(expected, rel=0.15)
    assert bounds[0] < hits.mean() < bounds[1]


def test_the_same_lines_give_the_same_interval() -> None:
    lines = [("abc", "abd"), ("abcdef", "abcdef"), ("x", None)] * 20
    once, again = (tally_of(list(lines)).figures(replicates=300) for _ in range(2))
    assert once == again


def test_no_denominator_no_interval() -> None:
    assert interval(np.zeros(5), np.zeros(5)) is None


def test_nine_lines_have_no_interval_and_ten_have() -> None:
    assert tally_of([("ab", "ax")] * 9).figures(replicates=100).intervals.cer is None
    assert tally_of([("ab", "ax")] * 10).figures(replicates=100).intervals.cer == (0.5, 0.5)
