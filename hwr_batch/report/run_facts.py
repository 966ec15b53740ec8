"""What is known of the run as a whole: from the plan, the ledger of its parts, and `_run.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwr_batch.errors import ConfigError, Status
from hwr_batch.ledger import Ledger
from hwr_batch.plan import Plan
from hwr_batch.planning import PLAN
from hwr_batch.report.words import cut, duration, number, percent
from hwr_batch.run_record import RUN_RECORD
from hwr_batch.stages import STAGES
from hwr_batch.storage import Store, join, redact

MOST_WORKERS = 12  # kinds of workers that are listed
_STAGES = {
    "read": "fetching image files",
    "decode": "decoding, cutting and scaling images",
    "infer": "waiting for the network's answers",
    "text": "decoding texts and scores",
    "write": "encoding and storing parts",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """`share` of all thread-seconds, 0–1."""

    name: str
    what: str
    seconds: str
    share: float


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The run in numbers and words. `whole`: the accounting identity holds as far as parts say.

    `sentences`: (term, description) pairs for the list of particulars. `curve`: [seconds, lines] pairs.
    """

    title: str
    state: str
    next_step: str
    manifest_rows: int
    result_rows: int
    read: int
    failed: int
    parts: int
    parts_planned: int
    whole: bool
    lines_per_second: float | None
    curve: tuple[tuple[float, ...], ...]
    stages: tuple[Stage, ...]
    particulars: tuple[tuple[str, str], ...]
    workers: tuple[tuple[tuple[str, str], ...], ...]


def read_plan(output: str, store: Store) -> Plan:
    """Raises ConfigError where OUTPUT holds no plan, PlanMismatchError for a damaged one."""
    try:
        return Plan.from_json(store.read(join(output, PLAN)).decode())
    except FileNotFoundError as exc:
        raise ConfigError(f"{redact(output)} has no {PLAN}; give the OUTPUT of a recognize run") from exc


def read_record(output: str, store: Store) -> Mapping[str, Any]:
    """`_run.json`; empty where no run has ended there yet, or another program wrote the file."""
    try:
        record = json.loads(store.read(join(output, RUN_RECORD)))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def run_facts(output: str, plan: Plan, ledger: Ledger, record: Mapping[str, Any]) -> RunFacts:
    """Put together what there is; everything the record lacks is left out."""
    this_run: Mapping[str, Any] = record.get("this_run", {})
    parts, planned = len(ledger.finished), len(plan.shards)
    return RunFacts(
        title=cut(redact(plan.manifest), 200),
        state=str(record.get("state", "not ended")).replace("_", " "),
        next_step=cut(str(record.get("next", "run the same recognize command to its end")), 600),
        manifest_rows=plan.rows,
        result_rows=ledger.lines,
        read=ledger.by_status.get(Status.OK, 0),
        failed=ledger.failures,
        parts=parts,
        parts_planned=planned,
        whole=ledger.lines == plan.rows and parts == planned,
        lines_per_second=this_run.get("lines_per_second"),
        curve=tuple(tuple(map(float, point)) for point in this_run.get("lines_after_seconds", ())),
        stages=_stages(this_run.get("seconds_by_stage", {})),
        particulars=tuple(_particulars(output, plan, record, this_run)),
        workers=tuple(
            tuple((cut(str(name), 40), cut(str(value), 120)) for name, value in group.items())
            for group in this_run.get("workers", ())[:MOST_WORKERS]
        ),
    )


def _stages(seconds: Mapping[str, float]) -> tuple[Stage, ...]:
    total = sum(seconds.values())
    if not total:
        return ()
    return tuple(
        Stage(name, _STAGES[name], duration(seconds.get(name, 0.0)), seconds.get(name, 0.0) / total)
        for name in STAGES
    )


def _particulars(
    output: str, plan: Plan, record: Mapping[str, Any], this_run: Mapping[str, Any]
) -> Sequence[tuple[str, str]]:
    components = plan.components
    reread = this_run.get("reread_published", {})
    found = [
        ("results", redact(output)),
        ("manifest", redact(plan.manifest)),
        ("model", f"{plan.model.get('name')}, {plan.model.get('license')}"),
        ("precision", components.get("precision", "")),
        ("padding", components.get("padding", "")),
        ("wide lines", components.get("wide", "")),
        ("binarisation", components.get("binarize", "")),
        ("characters allowed", components.get("allow-chars", "")),
        ("review precision", components.get("review precision", "")),
        ("lines in this run", number(this_run["lines"]) if "lines" in this_run else ""),
        ("time of this run", duration(this_run["seconds"]) if "seconds" in this_run else ""),
        ("started", str(this_run.get("started", ""))),
        ("read again the published way", _reread(reread) if reread.get("lines") else ""),
        ("tried again", _counts({**this_run.get("retries", {}), **this_run.get("store_retries", {})})),
        ("failures allowed", percent(record["max_error_rate"]) if "max_error_rate" in record else ""),
        ("version", f"hwr-batch {plan.versions.get('hwr-batch', '')}"),
        ("fingerprint", plan.fingerprint),
    ]
    return [(name, cut(text, 300)) for name, text in found if text]


def _reread(reread: Mapping[str, Any]) -> str:
    return f"{number(reread['lines'])} lines, {number(reread.get('texts_differing', 0))} texts differ"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number(count)} times" for name, count in counts.items())
