"""The page itself: the one place that makes HTML, by Jinja with escaping always on.

Everything stands in the one file. Its Content-Security-Policy lets in nothing but this style, this
script (by their SHA-256) and `data:` pictures, so that even a text that got past the escaping could
neither run nor send anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from hwr_batch.evaluate import Evaluation
from hwr_batch.report import words
from hwr_batch.report.charts import HEIGHT, WIDTH, Chart
from hwr_batch.report.confusion import Matrix
from hwr_batch.report.failures import Cause
from hwr_batch.report.lines import ShownLine, shade_of
from hwr_batch.report.pictures import Picture, Place
from hwr_batch.report.run_facts import RunFacts
from hwr_batch.report.survey import Survey
from hwr_batch.report.trust import Trust

MOST_GROUPS = 40  # rows of the accuracy table


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows. `looked_into`: how many parts the samples and charts come from.

    `evaluation`, `matrix`, `trust`: None without references; `unmeasured` says why there are none.
    """

    run: RunFacts
    causes: tuple[Cause, ...]
    survey: Survey
    looked_into: int
    charts: Mapping[str, Chart | None]
    lines: tuple[ShownLine, ...]
    pictures: Mapping[Place, Picture]
    evaluation: Evaluation | None
    matrix: Matrix | None
    trust: Trust | None
    unmeasured: str


def render(page: Page) -> bytes:
    """The page as UTF-8 HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hwr_batch.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "visible": words.visible,
        "cut": words.cut,
    }
    style, script = _asset("report.css"), _asset("report.js")
    html = environment.get_template("report.html").render(
        page=page,
        style=Markup(style),  # noqa: S704 - our own files, not data
        script=Markup(script),  # noqa: S704
        policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(style)}; script-src {_digest(script)}",
        chart_width=WIDTH,
        chart_height=HEIGHT,
        most_groups=MOST_GROUPS,
        groups=_groups(page),
        shade_of=shade_of,
    )
    return html.encode("utf-8", "replace")


def _groups(page: Page) -> list[str]:
    """The reasons lines were chosen for, in the order they first stand there."""
    names = [group for line in page.lines for group in line.groups]
    return list(dict.fromkeys([*names, *(["needs review"] if page.survey.to_review else [])]))


def _asset(name: str) -> str:
    return files("hwr_batch.report").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """A source expression for exactly this text between its tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
