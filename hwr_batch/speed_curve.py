"""Lines against time, in a few hundred points however long the run."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_POINTS = 400


@dataclass(slots=True)
class SpeedCurve:
    """Points (seconds since the start, lines done by then), both never falling.

    Past `MOST_POINTS` every second point goes and new ones keep twice the distance, so that a run of a
    minute and one of a month are equally finely drawn.
    """

    points: list[tuple[float, int]] = field(default_factory=list)
    latest: tuple[float, int] | None = None
    apart: float = 0.0

    def add(self, seconds: float, lines: int) -> None:
        """`lines` were done after `seconds`."""
        self.latest = (seconds, lines)
        if self.points and seconds < self.points[-1][0] + self.apart:
            return
        self.points.append(self.latest)
        if len(self.points) > MOST_POINTS:
            self.apart = 2 * (seconds - self.points[0][0]) / len(self.points)
            self.points = self.points[::2]

    def to_json(self) -> list[list[float]]:
        """[seconds, lines] pairs; the last one is always the latest."""
        ending = [] if self.latest is None or self.latest in self.points[-1:] else [self.latest]
        return [[round(seconds, 2), lines] for seconds, lines in [*self.points, *ending]]
