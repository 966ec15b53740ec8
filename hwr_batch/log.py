"""Logs for machines: one JSON object per line, with the ids that tie it to a run and a shard.

    {"time": "2026-01-31T12:00:00.125+00:00", "level": "INFO", "event": "shard_done",
     "run": "3f9c02ab41d7-20260131T115900Z", "shard": 17, "lines": 1024, …}

Rooms call `event`; nothing is written until somebody calls `write_to`: the command line for `--log-level`,
the Ray runner in each worker, whose stderr Ray keeps among its log files. An event says what happened to a
shard or a worker, never what stands in a line: no text, no manifest cell. Strings lose what a URL may
carry (passwords, signed queries) on the way out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO, TypeAlias

from hwr_batch.storage.uri import redact_text

ROOT = "hwr_batch"
LEVELS = ("debug", "info", "warning", "error")
RUN_DIGITS = 12  # of the fingerprint in a run's id: as many as messages show

Value: TypeAlias = str | int | float | bool | Mapping[str, int] | Mapping[str, float] | None


def run_id(fingerprint: str, started: datetime) -> str:
    """The name of one run of a plan: what was asked for, and when (UTC)."""
    return f"{fingerprint[:RUN_DIGITS]}-{started.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def event(name: str, fields: Mapping[str, Value], *, level: int = logging.INFO) -> None:
    """Log that `name` happened. Costs next to nothing where nobody listens."""
    logging.getLogger(ROOT).log(level, name, extra={"fields": fields})


def write_to(stream: TextIO, level: str) -> None:
    """Write events of at least `level` (one of LEVELS) to `stream` from now on, and to no other stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False  # Ray and pytest listen at the root


class JsonLines(logging.Formatter):
    """One JSON object per record. Of an exception only its type and sentence: its frames hold cells."""

    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": _clean(record.getMessage()),
        }
        fields: Mapping[str, Value] = getattr(record, "fields", {})
        content.update((name, _clean(value)) for name, value in fields.items())
        if record.exc_info and record.exc_info[1] is not None:
            content["error"] = _clean(f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}")
        return json.dumps(content, ensure_ascii=False, default=str)


def _clean(value: Value) -> object:
    if isinstance(value, str):
        return redact_text(value)
    return dict(value) if isinstance(value, Mapping) else value
