"""Progress as people and logs see it."""

from __future__ import annotations

import io

import pytest

from hwr_batch.cli import display
from hwr_batch.cli.display import BarDisplay, PlainDisplay, Speed, eta


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def test_speed_is_of_the_recent_past() -> None:
    speed = Speed()
    assert speed.at(0, 0.0) == 0
    assert speed.at(100, 10.0) == pytest.approx(10)
    for second in range(11, 100):
        rate = speed.at(100 + 50 * (second - 10), float(second))
    assert rate == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize(
    ("remaining", "speed", "told"), [(100, 0.0, "--"), (100, 10.0, "0:00:10"), (720_000, 100.0, "2:00:00")]
)
def test_eta(remaining: int, speed: float, told: str) -> None:
    assert eta(remaining, speed) == told


def test_a_log_gets_one_line_every_few_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    shown = PlainDisplay(stream)
    shown.begin(1000, 0, 0)
    for _ in range(80):
        clock.now += 0.125
        shown.update(int((clock.now - 100) * 20), 3)
    shown.end()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4, lines
    assert lines[0] == "1,000 lines, 0 done before"
    assert lines[-1] == "200/1,000 lines (20.0%), 20.0 lines/s, ETA 0:00:40, failed 3"


def test_a_terminal_gets_a_bar_with_speed_eta_and_failures(clock: Clock) -> None:
    stream = io.StringIO()
    shown = BarDisplay(stream)
    shown.begin(1000, 0, 0)
    shown.update(0, 0)
    clock.now += 10
    shown.update(200, 7)
    shown.end()
    text = stream.getvalue()
    assert "200/1,000" in text
    assert "20.0 lines/s" in text
    assert "failed 7" in text
