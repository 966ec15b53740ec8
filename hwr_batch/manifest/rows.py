"""Cells to rows: the one place that says what a manifest's cells mean, whatever file they came from.

A cell is what the format holds: str, int, float, bool, None, or something deeper from JSON. A cell that
cannot be understood makes a row with a `problem`, never an exception; its content is not repeated in the
sentence, since shifted columns would put document text there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import eq
from typing import TypeAlias, cast

from hwr_batch.errors import LineError, Status
from hwr_batch.records import Box, Failure, Row

BOX_COLUMNS = ("x", "y", "width", "height")
REGION_COLUMNS = ("page", *BOX_COLUMNS, "polygon")
KEY_COLUMNS = ("image", "line_id", *REGION_COLUMNS)

LARGEST_COORDINATE = 2**31 - 1  # pixels: no image is larger, and beyond it int32 overflows
POLYGON_POINTS = 3  # at least

Columns: TypeAlias = Mapping[str, Sequence[object]]
Region: TypeAlias = tuple[object, ...]  # cells in the order of REGION_COLUMNS
Polygon: TypeAlias = tuple[tuple[float, float], ...]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_LONGEST_NUMBER = 40  # characters; float() of a megabyte of digits takes seconds


def row_from_cells(number: int, cells: Mapping[str, object], embedded: bytes | None = None) -> Row:
    """One row. `number`: 0-based; `cells`: by column name, absent columns left out.

    `embedded`: the image file's bytes, where the manifest carries them.
    """
    region = tuple(map(cells.get, REGION_COLUMNS))
    line_id = line_id_from_cells(number, cells.get("line_id"), cells.get("image"), region)
    image = cell_text(cells.get("image")) if embedded is None else image_from_cell(number, cells.get("image"))
    try:
        if embedded is None and not image.strip():
            raise LineError(Status.IMAGE_MISSING, "the manifest's image cell is empty")
        page, box, polygon = _page(region[0]), _box(region[1:5]), _polygon(region[5])
    except LineError as error:
        problem = Failure(error.status, error.sentence)
        return Row(number, line_id, image, embedded=embedded, problem=problem)
    return Row(number, line_id, image, box=box, polygon=polygon, page=page, embedded=embedded)


def rows_from_columns(
    first_row: int, columns: Columns, embedded: Iterable[bytes | None] = repeat(None)
) -> tuple[Row, ...]:
    """Rows `first_row` on, from the key columns that the manifest has (`image` always)."""
    names = [name for name in KEY_COLUMNS if name in columns]
    cells = zip(*(columns[name] for name in names), strict=True)
    return tuple(
        row_from_cells(number, dict(zip(names, row, strict=True)), data)
        for number, (row, data) in enumerate(zip(cells, embedded, strict=False), first_row)
    )


def line_ids_from_columns(first_row: int, cells_of: Callable[[Sequence[str]], Columns]) -> list[str]:
    """The ids that `rows_from_columns` would give, parsing nothing and asking for no column in vain.

    `cells_of`: the columns of these names, for rows `first_row` on; absent columns left out.
    """
    given = cells_of(["line_id"]).get("line_id")
    if given is not None and all(given) and set(map(type, given)) == {str}:
        return cast("list[str]", given)
    columns = cells_of(KEY_COLUMNS)
    images = columns["image"]
    if set(columns) == {"image"} and _plain_text(images):
        return list(cast("Sequence[str]", images))
    if _plain_boxes(columns):
        boxes = zip(images, *(columns[name] for name in BOX_COLUMNS), strict=True)
        return [f"{image}#xywh={x},{y},{width},{height}" for image, x, y, width, height in boxes]
    count = len(images)
    regions = zip(*(columns.get(name, repeat(None, count)) for name in REGION_COLUMNS), strict=True)
    return [
        line_id_from_cells(number, line_id, image, region)
        for number, line_id, image, region in zip(
            range(first_row, first_row + count), given or repeat(None, count), images, regions, strict=True
        )
    ]


def _plain_boxes(columns: Columns) -> bool:
    """Whether each row is an image and a whole box and no more, so that its id needs no look at each cell."""
    if set(columns) != {"image", *BOX_COLUMNS}:
        return False
    return _plain_text(columns["image"]) and all(
        _plain_text(columns[name]) or set(map(type, columns[name])) == {int} for name in BOX_COLUMNS
    )


def _plain_text(cells: Sequence[object]) -> bool:
    """Whether all are text without spaces around it, and none is empty."""
    if set(map(type, cells)) != {str} or not all(cells):
        return False
    texts = cast("Sequence[str]", cells)
    return all(map(eq, texts, map(str.strip, texts)))


def line_id_from_cells(number: int, given: object, image: object, region: Region) -> str:
    """The line's id: as given, or the image and the region cells as they are written."""
    text = cell_text(given)
    return text or image_from_cell(number, image) + _region_suffix(region)


def image_from_cell(number: int, image: object) -> str:
    """The image as the manifest writes it; where it writes none, the row's place in the manifest."""
    text = cell_text(image)
    return text if text and not text.isspace() else f"#row={number + 1}"


def cell_text(cell: object) -> str:
    """A cell as text; nothing, null and not-a-number are empty, 10.0 is 10."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool | list | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    if isinstance(cell, float) and not math.isfinite(cell):
        return "" if math.isnan(cell) else "inf"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _region_suffix(region: Region) -> str:
    if not any(region):  # the plain case, and quick; 0 is dealt with below
        region = tuple(None if cell is None or cell == "" else cell for cell in region)
        if region == (None,) * len(REGION_COLUMNS):
            return ""
    page, x, y, width, height, polygon = (cell_text(cell).strip() for cell in region)
    suffix = f"#page={page}" if page else ""
    if x or y or width or height:
        suffix += f"#xywh={x},{y},{width},{height}"
    return suffix + (f"#polygon={' '.join(polygon.split())}" if polygon else "")


def _page(cell: object) -> int | None:
    text = cell_text(cell).strip()
    if not text:
        return None
    value = _number("page", text)
    if value < 0 or not value.is_integer():
        raise LineError(Status.REGION_INVALID, "page is not a whole number from 0 on")
    return int(value)


def _box(cells: Region) -> Box | None:
    """Fractions of a pixel are widened to whole ones, so that nothing of the line is lost."""
    texts = [cell_text(cell).strip() for cell in cells]
    if not any(texts):
        return None
    missing = [name for name, text in zip(BOX_COLUMNS, texts, strict=True) if not text]
    if missing:
        raise LineError(Status.REGION_INVALID, f"a box needs x, y, width and height; {missing[0]} is empty")
    x, y, width, height = map(_number, BOX_COLUMNS, texts)
    if width <= 0 or height <= 0:
        raise LineError(Status.REGION_INVALID, "width and height must be more than 0")
    left, top = math.floor(x), math.floor(y)
    return Box(left, top, math.ceil(x + width) - left, math.ceil(y + height) - top)


def _polygon(cell: object) -> Polygon | None:
    points = cell_text(cell).split()
    if not points:
        return None
    if len(points) < POLYGON_POINTS:
        raise LineError(Status.REGION_INVALID, "a polygon needs at least three points: x1,y1 x2,y2 x3,y3")
    return tuple(map(_point, points))


def _point(text: str) -> tuple[float, float]:
    x, comma, y = text.partition(",")
    if not comma:
        raise LineError(Status.REGION_INVALID, "a polygon point is not written x,y")
    return _number("a polygon's x", x), _number("a polygon's y", y)


def _number(name: str, text: str) -> float:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise LineError(Status.REGION_INVALID, f"{name} is not a number")
    value = float(text)
    if abs(value) > LARGEST_COORDINATE:
        raise LineError(Status.REGION_INVALID, f"{name} lies beyond any image")
    return value
