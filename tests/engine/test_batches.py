"""Widths and groups: pure arithmetic, by properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.engine.batches import Widths, equal_widths, in_windows

from . import networks

CHINESE = Widths(2000, margin=235, step=32)


@pytest.mark.parametrize(
    ("content", "width"),
    [
        (1, 240),  # 1 + 235 = 236, the next width that is 16 mod 32
        (5, 240),
        (6, 272),
        (1733, 1968),  # the widest with a step left out
        (1734, 2000),
        (2000, 2000),
    ],
)
def test_chinese_widths(content: int, width: int) -> None:
    assert CHINESE.of(content) == width


@given(st.integers(1, 2000), st.integers(0, 600), st.integers(1, 100))
def test_width_fits_and_is_the_least(content: int, margin: int, step: int) -> None:
    width = Widths(2000, margin, step).of(content)
    assert content <= width <= 2000
    assert (2000 - width) % step == 0
    assert width == 2000 or content + margin <= width < content + margin + step


@pytest.mark.parametrize("content", [0, 2001])
def test_content_that_does_not_fit(content: int) -> None:
    with pytest.raises(ValueError, match="does not fit a network of 2000"):
        CHINESE.of(content)


def test_published_and_own_width() -> None:
    assert Widths(2000).of(7) == 2000
    assert Widths(0).of(7) == 7


@given(st.lists(st.integers(1, 5), max_size=60), st.integers(1, 8))
def test_groups_are_disjoint_complete_and_equal(widths: list[int], batch: int) -> None:
    groups = equal_widths(widths, batch)
    assert sorted(i for group in groups for i in group) == list(range(len(widths)))
    for group in groups:
        assert len(group) <= batch
        assert len({widths[i] for i in group}) == 1


def test_windows_are_pulled_one_by_one() -> None:
    pulled = 0

    def source() -> object:
        nonlocal pulled
        for _ in range(5):
            pulled += 1
            yield networks.line(3)

    windows = in_windows(source(), 2)  # type: ignore[arg-type]
    assert (len(next(windows)), pulled) == (2, 2)
    assert [len(window) for window in windows] == [2, 1]
