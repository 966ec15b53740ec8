"""OUTPUT → OUTPUT/_report.html: plan and ledger, measure, choose lines, cut pictures, draw, write.

Bounded by construction: a fixed number of parts is looked into (unless all are asked for), of lines
shown, of characters and of picture bytes, so the page of ten million lines is as large as that of ten
thousand: under 5 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwr_batch import ledger as ledgers
from hwr_batch.config import AccessOptions
from hwr_batch.errors import ConfigError
from hwr_batch.evaluate import EvaluateOptions, Evaluation, Normalisation, TruthTable, evaluate
from hwr_batch.evaluate.normalise import AS_AN_ARCHIVE
from hwr_batch.evaluate.referenced import REFERENCE
from hwr_batch.report import drawings
from hwr_batch.report.charts import Chart
from hwr_batch.report.confusion import matrix
from hwr_batch.report.failures import causes
from hwr_batch.report.lines import shown_lines
from hwr_batch.report.page import Page, render
from hwr_batch.report.parts import SomeParts, spread
from hwr_batch.report.pictures import Place, pictures
from hwr_batch.report.run_facts import RunFacts, read_plan, read_record, run_facts
from hwr_batch.report.survey import Survey, Wanted, survey
from hwr_batch.report.trust import Trust, trust
from hwr_batch.results.reading import column_names, part_names
from hwr_batch.storage import Store, join

REPORT = "_report.html"
LEAST_SURE, AT_RANDOM, MOST_EDITS = "least sure", "at random", "most edits"
_MANIFEST_ONLY = AccessOptions()


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What goes into the page. `parts`: looked into at most, None for all; `by`: a column whose values get
    accuracy figures of their own; `least_sure`, `at_random`, `most_edits`: lines shown of each kind."""

    parts: int | None = 128
    by: str | None = None
    normalisation: Normalisation = AS_AN_ARCHIVE
    access: AccessOptions = _MANIFEST_ONLY
    least_sure: int = 24
    at_random: int = 24
    most_edits: int = 12

    def __post_init__(self) -> None:
        if self.parts is not None and self.parts < 1:
            raise ConfigError(f"a report looks into at least 1 part, not {self.parts}")


@dataclass(frozen=True, slots=True)
class Written:
    """`uri` of the page, its size in bytes, and how many of the run's parts it looked into."""

    uri: str
    size: int
    looked_into: int
    parts: int


def write_report(
    output: str, store: Store, options: ReportOptions | None = None, *, truth: TruthTable | None = None
) -> Written:
    """Make the page and put it into OUTPUT.

    Raises ConfigError where OUTPUT holds no plan or no part, DamagedPartError for a part that cannot be
    read, StorageError where the store fails. Images that cannot be read again are only left out.
    """
    options = options or ReportOptions()
    plan = read_plan(output, store)
    ledger = ledgers.recover(output, store, plan.fingerprint)
    names = part_names(output, store)
    parts = SomeParts(store, spread(names, options.parts))
    run = run_facts(output, plan, ledger, read_record(output, store))
    evaluation, unmeasured = _evaluation(output, parts, options, truth)
    trusted = None if evaluation is None else trust(output, parts, truth, plan.options.get("review"))
    found = survey(output, parts, _wanted(options, evaluation))
    lines = shown_lines(output, parts, _rows(found), normalisation=options.normalisation, truth=truth)
    places: dict[Place, str] = {(line.part, line.row): line.full_id for line in lines}
    page = Page(
        run=run,
        causes=causes(output, store, ledger),
        survey=found,
        looked_into=len(parts.names),
        charts=_charts(run, found, trusted),
        lines=lines,
        pictures=pictures(plan, store, options.access, places),
        evaluation=evaluation,
        matrix=None if evaluation is None else matrix(evaluation.confusions),
        trust=trusted,
        unmeasured=unmeasured,
    )
    html = render(page)
    store.put(join(output, REPORT), html)
    return Written(join(output, REPORT), len(html), len(parts.names), len(names))


def _evaluation(
    output: str, parts: SomeParts, options: ReportOptions, truth: TruthTable | None
) -> tuple[Evaluation | None, str]:
    """The accuracy, or why there is none."""
    if truth is None and REFERENCE not in column_names(output, parts):
        return None, "The manifest has no column `text`, and no --truth was given."
    chosen = EvaluateOptions(
        normalisation=options.normalisation, by=options.by, worst=options.most_edits, confusions=400
    )
    try:
        return evaluate(output, parts, chosen, truth=truth), ""
    except ConfigError as nothing:
        if truth is not None or options.by is not None:
            raise
        return None, str(nothing)


def _wanted(options: ReportOptions, evaluation: Evaluation | None) -> Wanted:
    worst = () if evaluation is None else evaluation.worst
    return Wanted(options.least_sure, options.at_random, frozenset(line.line_id for line in worst))


def _rows(found: Survey) -> dict[Place, tuple[str, ...]]:
    """Every chosen line once, with all the reasons it was chosen for."""
    rows: dict[Place, tuple[str, ...]] = {}
    for group, lines in ((LEAST_SURE, found.least), (MOST_EDITS, found.named), (AT_RANDOM, found.random)):
        for line in lines:
            place = (line.part, line.row)
            rows[place] = (*rows.get(place, ()), group)
    return rows


def _charts(run: RunFacts, found: Survey, trusted: Trust | None) -> Mapping[str, Chart | None]:
    judged = found.p_correct
    return {
        "speed": drawings.speed(run.curve),
        "score": drawings.distribution("Scores of the lines read", found.scores, "score"),
        "p_correct": judged
        if judged is None
        else drawings.distribution("Probability of being right", judged, "p_correct"),
        "reliability": drawings.reliability(trusted.reliability, name=trusted.name, outcome=trusted.outcome)
        if trusted and trusted.reliability
        else None,
        "coverage": drawings.coverage(trusted.coverage, name=trusted.name) if trusted else None,
    }
