"""The geometry of the page's charts; the template draws them as SVG. Pure.

Every chart also carries its numbers as a table, for who cannot see it or wants the exact value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 260  # of the whole drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 14, 44  # margins, for ticks and axis names
TICKS = 5

Words = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`title`: what it says, for the pointer."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """`path`: points "x,y x,y …"; `dots`: whether each point is marked; `kind`: a, b, or guide."""

    name: str
    path: str
    points: tuple[tuple[float, float], ...]
    dots: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of WIDTH × HEIGHT. `summary`: what it shows, in a sentence."""

    title: str
    summary: str
    x_name: str
    y_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Scale:
    """Data from 0 to `most` onto pixels from `start` to `end`."""

    most: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * min(value / self.most, 1), 2)

    def ticks(self, words: Words) -> tuple[Tick, ...]:
        step = nice_step(self.most)
        return tuple(Tick(self(i * step), words(i * step)) for i in range(int(self.most / step + 1e-9) + 1))


def x_scale(most: float) -> Scale:
    return Scale(most, LEFT, WIDTH - RIGHT)


def y_scale(most: float) -> Scale:
    return Scale(most, HEIGHT - BOTTOM, TOP)


def nice_step(most: float) -> float:
    """The 1, 2 or 5 times a power of ten that parts 0 … `most` (over 0) in about five."""
    rough = most / TICKS
    power = float(10 ** math.floor(math.log10(rough)))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough - 1e-12)


def bars(edges: Sequence[float], heights: Sequence[float], titles: Sequence[str]) -> tuple[Bar, ...]:
    """One bar between each two of `edges`, the highest reaching the top."""
    x, y = x_scale(edges[-1]), y_scale(top_of(heights))
    floor = y(0)
    return tuple(
        Bar(x(left), y(height), round(x(right) - x(left), 2), round(floor - y(height), 2), title)
        for left, right, height, title in zip(edges, edges[1:], heights, titles, strict=False)
        if height
    )


def top_of(heights: Sequence[float]) -> float:
    """Where a y axis over `heights` ends: never 0."""
    return max([*heights, 1e-9]) * 1.05


def line(
    name: str, points: Sequence[tuple[float, float]], x: Scale, y: Scale, *, kind: str, dots: bool = True
) -> Line:
    """`points` in data units, joined."""
    placed = tuple((x(across), y(up)) for across, up in points)
    return Line(name, " ".join(f"{across},{up}" for across, up in placed), placed, dots, kind)
