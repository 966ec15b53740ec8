"""The chart: lines per second as bars, one panel a model, as a small SVG written by hand.

It carries its own background and follows the reader's light or dark scheme, so it can be read wherever it is
shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from hwr_batch.bench.report import MEBIBYTE, ModelReport, Report
from hwr_batch.bench.rounds import Outcome

WIDTH = 840
MARGIN = 24
LABELS = 330  # pixels left of the bars
FIGURES = 130  # pixels right of the longest bar
ROW, BAR = 26, 16
HEAD, FOOT = 58, 34
TITLE = 34  # above each panel's bars

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .model { font-weight: 600; }
  .quiet { fill: #59636e; font-size: 12px; }
  .other { fill: #9aa4af; }
  .ours { fill: #1a7f64; }
  .bound { fill: none; stroke: #59636e; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .other { fill: #656c76; }
    .ours { fill: #3fb68b; }
    .bound { stroke: #9198a1; }
  }
"""


def draw(report: Report) -> str:
    """The report as an SVG document."""
    body, y = [], float(HEAD)
    for model in report.models:
        body += list(_panel(model, y))
        y += TITLE + ROW * len(model.outcomes)
    height = y + FOOT
    first = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="lines per second of several ways to read the same lines">'
    )
    return "\n".join(
        [
            first,
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8"/>',
            _text("Lines per second, same lines, same cores", MARGIN, 32, "title"),
            *body,
            _text(_measured_on(report), MARGIN, height - 14, "quiet"),
            "</svg>\n",
        ]
    )


def _measured_on(report: Report) -> str:
    machine = report.machine
    rounds = f"median of {report.rounds} interleaved rounds" if report.rounds > 1 else "one round"
    openvino = machine.versions["openvino"].split("-")[0]
    ours = machine.versions["hwr-batch"]
    return f"{machine.cpu.strip()}, {machine.cores} cores; {rounds}; OpenVINO {openvino}, hwr-batch {ours}"


def _panel(model: ModelReport, top: float) -> Iterator[str]:
    said = f"{model.lines} lines, {model.mean_columns:.0f} columns of content on average"
    yield _text(model.model, MARGIN, top + 18, "model")
    yield _text(said, MARGIN + LABELS, top + 18, "quiet")
    fastest = max((outcome.lines_per_second for outcome in model.outcomes.values()), default=1.0)
    room = WIDTH - 2 * MARGIN - LABELS - FIGURES
    for place, outcome in enumerate(model.outcomes.values()):
        yield from _bar(outcome, top + TITLE + ROW * place, room * outcome.lines_per_second / fastest)


def _bar(outcome: Outcome, top: float, length: float) -> Iterator[str]:
    way = outcome.contender.way
    bound = way in ("limit", "arithmetic")
    shape = "bound" if bound else "ours" if way == "hwr-batch" else "other"
    left, figure = (
        MARGIN + LABELS,
        f"{outcome.lines_per_second:.{1 if outcome.lines_per_second < 100 else 0}f}",
    )
    peak = "" if bound else f"  {outcome.peak_bytes / MEBIBYTE:.0f} MiB"
    yield _text(outcome.contender.says, MARGIN, top + BAR - 3, "")
    yield f'<rect class="{shape}" x="{left}" y="{top}" width="{max(1.0, length):.1f}" height="{BAR}" rx="2"/>'
    yield _text(figure + peak, left + length + 8, top + BAR - 3, "quiet" if bound else "")


def _text(content: str, x: float, y: float, style: str) -> str:
    chosen = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{chosen} xml:space="preserve">{escape(content)}</text>'
