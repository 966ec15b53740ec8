"""What a cell means."""

from __future__ import annotations

import pytest

from hwr_batch.errors import Status
from hwr_batch.manifest import row_from_cells
from hwr_batch.manifest.rows import line_ids_from_columns, rows_from_columns
from hwr_batch.records import Box

BOX = {"x": "1", "y": "2", "width": "30", "height": "4"}
SQUARE = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.5))

UNDERSTOOD = [
    # cells besides image=a.png, line_id, box, polygon, page
    ({}, "a.png", None, None, None),
    ({"line_id": "l1"}, "l1", None, None, None),
    ({"line_id": 17}, "17", None, None, None),
    ({"line_id": ""}, "a.png", None, None, None),
    ({"line_id": None, "page": "3"}, "a.png#page=3", None, None, 3),
    ({"page": 0}, "a.png#page=0", None, None, 0),
    ({"page": 2.0}, "a.png#page=2", None, None, 2),
    ({"page": float("nan")}, "a.png", None, None, None),
    (BOX, "a.png#xywh=1,2,30,4", Box(1, 2, 30, 4), None, None),
    ({"x": 0, "y": 0, "width": 30, "height": 4}, "a.png#xywh=0,0,30,4", Box(0, 0, 30, 4), None, None),
    ({**BOX, "x": " 1 "}, "a.png#xywh=1,2,30,4", Box(1, 2, 30, 4), None, None),
    ({**BOX, "x": "-5"}, "a.png#xywh=-5,2,30,4", Box(-5, 2, 30, 4), None, None),
    # half pixels: widened to whole ones
    ({**BOX, "x": "1.5", "width": "2.2"}, "a.png#xywh=1.5,2,2.2,4", Box(1, 2, 3, 4), None, None),
    ({**BOX, "width": "3e1"}, "a.png#xywh=1,2,3e1,4", Box(1, 2, 30, 4), None, None),
    ({"polygon": "0,0  9,0\t9,9.5"}, "a.png#polygon=0,0 9,0 9,9.5", None, SQUARE, None),
    (
        {**BOX, "page": 1, "polygon": "0,0 9,0 9,9.5"},
        "a.png#page=1#xywh=1,2,30,4#polygon=0,0 9,0 9,9.5",
        Box(1, 2, 30, 4),
        SQUARE,
        1,
    ),
]


@pytest.mark.parametrize(("cells", "line_id", "box", "polygon", "page"), UNDERSTOOD)
def test_a_row_that_is_understood(cells, line_id, box, polygon, page):
    row = row_from_cells(4, {"image": "a.png", **cells})
    assert (row.number, row.line_id, row.image, row.problem) == (4, line_id, "a.png", None)
    assert (row.box, row.polygon, row.page) == (box, polygon, page)


NOT_UNDERSTOOD = [
    ({**BOX, "x": "left"}, "x is not a number"),
    ({**BOX, "x": "1_0"}, "x is not a number"),
    ({**BOX, "x": "٣"}, "x is not a number"),
    ({**BOX, "x": True}, "x is not a number"),
    ({**BOX, "x": float("inf")}, "x is not a number"),
    ({**BOX, "x": "9" * 10_000}, "x is not a number"),
    ({**BOX, "x": [1]}, "x is not a number"),
    ({**BOX, "y": "3000000000"}, "y lies beyond any image"),
    ({**BOX, "y": "1e400"}, "y lies beyond any image"),
    ({**BOX, "width": "0"}, "width and height must be more than 0"),
    ({**BOX, "height": -4}, "width and height must be more than 0"),
    ({**BOX, "height": ""}, "a box needs x, y, width and height; height is empty"),
    ({"width": 7, "height": 7}, "a box needs x, y, width and height; x is empty"),
    ({"page": "-1"}, "page is not a whole number from 0 on"),
    ({"page": "1.5"}, "page is not a whole number from 0 on"),
    ({"page": "two"}, "page is not a number"),
    ({"polygon": "0,0 1,1"}, "a polygon needs at least three points: x1,y1 x2,y2 x3,y3"),
    ({"polygon": "0,0 1,1 2"}, "a polygon point is not written x,y"),
    ({"polygon": "0,0 1,1 2,"}, "a polygon's y is not a number"),
    ({"polygon": "0,0 1,1 2,3,4"}, "a polygon's y is not a number"),
    ({"polygon": "0,0 1,1 nan,3"}, "a polygon's x is not a number"),
]


@pytest.mark.parametrize(("cells", "sentence"), NOT_UNDERSTOOD)
def test_a_region_that_is_not_understood_is_a_failed_row(cells, sentence):
    row = row_from_cells(0, {"image": "a.png", **cells})
    assert row.problem is not None
    assert (row.problem.status, row.problem.error) == (Status.REGION_INVALID, sentence)
    assert (row.box, row.polygon, row.page) == (None, None, None)


def test_a_problem_never_repeats_the_cell():
    row = row_from_cells(0, {"image": "a.png", **BOX, "x": "the secret of the letter"})
    assert row.problem is not None and "secret" not in row.problem.error


@pytest.mark.parametrize("cell", [None, "", "  ", float("nan")])
def test_an_empty_image_cell_is_a_failed_row_with_an_id_of_its_own(cell):
    row = row_from_cells(6, {"image": cell})
    assert row.problem is not None and row.problem.status is Status.IMAGE_MISSING
    assert row.line_id == "#row=7"


def test_embedded_bytes_need_no_path():
    row = row_from_cells(6, {"image": None}, b"PNG")
    assert (row.line_id, row.image, row.embedded, row.problem) == ("#row=7", "#row=7", b"PNG", None)


CELLS = [
    ["1", "20", "3"],
    [1, 20, 3],
    [0, 0, 0],
    [1.0, 2.5, 3.0],
    [" 1", "2 ", "3"],
    ["1", "", "3"],
    [True, 1, 2],
]


def boxes(cells: list[object]) -> dict[str, list[object]]:
    return dict.fromkeys(("x", "y", "width", "height"), cells)


COLUMNS = [
    {"image": ["a", "b", ""]},
    {"image": ["a", "b", "c"], "line_id": ["1", "2", "3"]},
    {"image": ["a", "b", "c"], "line_id": ["1", None, ""], "page": ["", "0", None]},
    {"image": ["a", "b", "c"], "line_id": [1, 2, 3]},
    {
        "image": ["a", "b", "c"],
        "x": [0, 1, None],
        "y": [0, 1, None],
        "width": [0, 9, None],
        "height": [0, 9, None],
    },
    *({"image": ["a", "b", "c"], **boxes(cells)} for cells in CELLS),
    {"image": ["a", " ", "c"], **boxes(["1", "2", "3"])},
    {"image": ["a", "b", "c"], "page": [1, 2, 3], **boxes([1, 2, 3])},
    {"image": ["a", "b", "c"], "x": [1, 2, 3], "y": [1, 2, 3]},
    {"image": ["a", " b", "c"]},
]


@pytest.mark.parametrize("columns", COLUMNS)
def test_scanned_ids_are_the_ids_of_the_rows(columns):
    scanned = line_ids_from_columns(10, lambda names: {n: columns[n] for n in names if n in columns})
    rows = rows_from_columns(10, columns)
    assert scanned == [row.line_id for row in rows]
    assert [row.number for row in rows] == [10, 11, 12]
