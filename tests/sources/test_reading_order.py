"""Reading order of lines on pages that one can draw."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.sources.reading_order import reading_order


def test_one_column_from_the_top() -> None:
    assert reading_order([(0, 200, 100, 220), (5, 0, 90, 20), (3, 100, 120, 125)]) == [1, 2, 0]


def test_two_columns_under_a_heading_over_a_foot_note() -> None:
    heading, foot = (0, 0, 220, 20), (10, 300, 210, 320)
    left = [(0, y, 100, y + 20) for y in (40, 80, 120)]
    right = [(120, y, 220, y + 20) for y in (45, 85, 125)]
    lines = [foot, *right, *left, heading]
    assert [lines[i] for i in reading_order(lines)] == [heading, *left, *right, foot]


def test_a_heading_between_columns_parts_them() -> None:
    upper = [(0, 0, 100, 20), (120, 0, 220, 20)]
    heading = (0, 50, 220, 70)
    lower = [(0, 100, 100, 120), (120, 100, 220, 120)]
    lines = [*lower[::-1], heading, *upper[::-1]]
    assert [lines[i] for i in reading_order(lines)] == [*upper, heading, *lower]


def test_words_of_one_line_side_by_side() -> None:
    assert reading_order([(200, 11, 300, 30), (0, 10, 90, 31), (100, 9, 190, 29)]) == [1, 2, 0]


def test_no_line_and_lines_in_one_place() -> None:
    assert reading_order([]) == []
    assert sorted(reading_order([(0, 0, 10, 10)] * 3)) == [0, 1, 2]


numbers = st.integers(0, 50)
boxes = st.tuples(numbers, numbers, numbers, numbers).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(st.lists(boxes, max_size=25))
@settings(deadline=None)
def test_every_line_has_one_place(lines: list[tuple[int, int, int, int]]) -> None:
    order = reading_order([tuple(map(float, box)) for box in lines])  # type: ignore[misc]
    assert sorted(order) == list(range(len(lines)))


@given(st.permutations([(0, 40 * row, 100, 40 * row + 20) for row in range(8)]))
def test_a_column_is_read_down_however_it_was_found(lines: list[tuple[float, float, float, float]]) -> None:
    assert [lines[i] for i in reading_order(lines)] == sorted(lines, key=lambda box: box[1])
