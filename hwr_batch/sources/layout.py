"""What PAGE and ALTO say alike: pages, and lines in reading order, still as they are written.

Numbers stay text here, so that `layout_lines` can say which line of the file holds one that is none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hwr_batch.sources.found import Points

LARGEST_COORDINATE = 2**31 - 1  # pixels, as in manifests
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 40  # characters


class NotNumbersError(ValueError):
    """A coordinate is not a number; the message is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class LayoutLine:
    """A TextLine. `id` is None where it has none; `polygon`, `baseline`: points as written, empty for none;
    `box`: HPOS, VPOS, WIDTH, HEIGHT as written (ALTO); `source_line`: in the file, 1-based."""

    id: str | None
    region: str | None
    polygon: str
    box: tuple[str, str, str, str] | None
    baseline: str
    text: str | None
    source_line: int


@dataclass(frozen=True, slots=True)
class LayoutPage:
    """A Page and its lines in reading order. `image`: the file name that the document gives, no folder.

    `width`, `height`: as written, empty for none. `pixels`: whether coordinates count pixels.
    """

    image: str
    width: str
    height: str
    pixels: bool
    lines: tuple[LayoutLine, ...]
    source_line: int


def points(text: str) -> Points:
    """`x1,y1 x2,y2` or `x1 y1 x2 y2`: both are in use. Raises NotNumbersError."""
    numbers = [number(part) for part in re.split(r"[\s,]+", text.strip()) if part]
    if len(numbers) % 2:
        raise NotNumbersError("holds an x without a y")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def number(text: str) -> float:
    """Raises NotNumbersError."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise NotNumbersError("holds a coordinate that is not a number")
    value = float(text)
    if not math.isfinite(value) or abs(value) > LARGEST_COORDINATE:
        raise NotNumbersError("holds a coordinate beyond any image")
    return value


def base_name(path: str) -> str:
    """The file name at the end of a Unix or Windows path, or of a URL; the folders are another machine's."""
    return re.split(r"[/\\]", path.strip())[-1]


T = TypeVar("T")


def in_order(items: Sequence[T], keys: Sequence[str | None], order: Mapping[str, int]) -> list[T]:
    """`items` by the place of their keys in `order`; those it does not name follow, as they came."""
    places = [order.get(key, len(order)) if key is not None else len(order) for key in keys]
    return [items[i] for i in sorted(range(len(items)), key=lambda i: places[i])]


def ranks(names: Iterable[str]) -> dict[str, int]:
    """Each name's first place."""
    found: dict[str, int] = {}
    for name in names:
        found.setdefault(name, len(found))
    return found
