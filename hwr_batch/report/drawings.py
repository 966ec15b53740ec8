"""Which charts the page has, from what is known of the run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hwr_batch.calibrate.held_out import Bin, CoveragePoint
from hwr_batch.report import charts
from hwr_batch.report.charts import Chart, Table
from hwr_batch.report.survey import Counts
from hwr_batch.report.words import compact, duration, number, percent

SLICES = 60  # of a run's time


def speed(curve: Sequence[Sequence[float]]) -> Chart | None:
    """Lines/s over time from `lines_after_seconds` of `_run.json`; None where there are under 4 points."""
    if len(curve) < 4:
        return None
    seconds, lines = np.array([[0, 0], *curve], np.float64).T
    edges = np.linspace(0, seconds[-1], min(SLICES, len(curve)) + 1)
    done = np.interp(edges, seconds, lines)
    rates = (np.diff(done) / np.diff(edges)).tolist()
    spans = [f"{duration(start)} to {duration(end)}" for start, end in pairwise(edges.tolist())]
    words = [f"{number(rate)} lines/s" for rate in rates]
    best = max(range(len(rates)), key=rates.__getitem__)
    unit, name = (
        (3600.0, "hours") if seconds[-1] > 7200 else (60.0, "minutes") if seconds[-1] > 120 else (1.0, "s")
    )
    return Chart(
        title="Lines per second over time",
        summary=f"Lines read per second, from the start of this run to its end; the most was {words[best]}, "
        f"from {spans[best]}.",
        x_name=f"{name} since the start",
        y_name="lines/s",
        x_ticks=charts.x_scale(float(edges[-1]) / unit).ticks(compact),
        y_ticks=charts.y_scale(charts.top_of(rates)).ticks(compact),
        bars=charts.bars(
            edges.tolist(), rates, [f"{span}: {word}" for span, word in zip(spans, words, strict=True)]
        ),
        lines=(),
        table=Table(("time", "lines/s"), tuple(zip(spans, words, strict=True))),
    )


def distribution(title: str, counts: Counts, name: str) -> Chart:
    """A histogram over 0 … 1 in equal steps."""
    edges = np.linspace(0, 1, len(counts) + 1).tolist()
    lines: list[int] = counts.tolist()
    spans = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(edges)]
    total = max(sum(lines), 1)
    low = sum(lines[: len(lines) // 2])
    return Chart(
        title=title,
        summary=f"{number(total)} lines by {name}: {percent(low / total)} below 0.5, "
        f"{percent(lines[-1] / total)} at {edges[-2]:.2f} or over.",
        x_name=name,
        y_name="lines",
        x_ticks=charts.x_scale(1).ticks(lambda value: f"{value:.1f}"),
        y_ticks=charts.y_scale(charts.top_of(lines)).ticks(compact),
        bars=charts.bars(
            edges, lines, [f"{span}: {number(count)} lines" for span, count in zip(spans, lines, strict=True)]
        ),
        lines=(),
        table=Table((name, "lines"), tuple((s, number(n)) for s, n in zip(spans, lines, strict=True))),
    )


def reliability(bins: Sequence[Bin], *, name: str, outcome: str) -> Chart:
    """Expected against observed; a calibrated score lies on the diagonal."""
    x, y = charts.x_scale(1), charts.y_scale(1)
    points = [(one.expected, one.observed) for one in bins]
    worst = max(bins, key=lambda one: abs(one.expected - one.observed))
    return Chart(
        title="Reliability: is it right as often as it says?",
        summary=f"{len(bins)} groups of lines by {name}. On the diagonal, expected and observed agree; the "
        f"largest gap is {percent(worst.expected)} expected against {percent(worst.observed)} observed.",
        x_name=f"{name}, mean of a group",
        y_name=outcome,
        x_ticks=x.ticks(lambda value: f"{value:.1f}"),
        y_ticks=y.ticks(lambda value: f"{value:.1f}"),
        bars=(),
        lines=(
            charts.line("expected and observed agree", [(0, 0), (1, 1)], x, y, kind="guide", dots=False),
            charts.line("these lines", points, x, y, kind="a"),
        ),
        table=Table(
            ("lines", name, outcome),
            tuple((number(b.lines), f"{b.expected:.3f}", f"{b.observed:.3f}") for b in bins),
        ),
    )


def coverage(points: Sequence[CoveragePoint], *, name: str) -> Chart:
    """What is wrong among the lines accepted, from the surest down to all."""
    x = charts.x_scale(1)
    y = charts.y_scale(charts.top_of([max(one.error, min(one.cer, 1)) for one in points]))
    half = min(points, key=lambda one: abs(one.coverage - 0.5))
    return Chart(
        title="Coverage: how much can be accepted at what error?",
        summary=f"Of the surest half of the lines by {name}, {percent(half.error)} are not right, "
        f"with a character error rate of {percent(half.cer)}; of all lines, "
        f"{percent(points[-1].error)} and {percent(points[-1].cer)}.",
        x_name="share of lines accepted, surest first",
        y_name="share wrong",
        x_ticks=x.ticks(percent_tick),
        y_ticks=y.ticks(percent_tick),
        bars=(),
        lines=(
            charts.line("lines not right", [(one.coverage, one.error) for one in points], x, y, kind="a"),
            charts.line(
                "characters wrong (CER)", [(one.coverage, one.cer) for one in points], x, y, kind="b"
            ),
        ),
        table=Table(
            ("accepted", f"{name} from", "lines not right", "CER"),
            tuple(
                (percent(p.coverage, 0), f"{p.least_p:.3f}", percent(p.error), percent(p.cer)) for p in points
            ),
        ),
    )


def percent_tick(value: float) -> str:
    return f"{100 * value:.3g} %"
