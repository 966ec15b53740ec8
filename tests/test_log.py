"""Events are JSON lines with their ids, and carry no secret whoever logs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from hwr_batch import log


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged in a test, from `info` on."""
    logger = logging.getLogger(log.ROOT)
    before = logger.handlers[:], logger.level, logger.propagate
    stream = io.StringIO()
    log.write_to(stream, "info")
    yield stream
    logger.handlers[:], logger.level, logger.propagate = before


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(written: io.StringIO) -> None:
    log.event("shard_done", {"run": "r", "shard": 17, "by_status": {"ok": 3}, "skipped": False})
    (found,) = lines(written)
    assert datetime.fromisoformat(found.pop("time")).tzinfo == UTC
    assert found == {
        "level": "INFO",
        "event": "shard_done",
        "run": "r",
        "shard": 17,
        "by_status": {"ok": 3},
        "skipped": False,
    }


def test_levels_choose_and_a_second_stream_replaces_the_first(written: io.StringIO) -> None:
    log.event("hidden", {}, level=logging.DEBUG)
    other = io.StringIO()
    log.write_to(other, "error")
    log.event("hidden", {})
    log.event("seen", {}, level=logging.ERROR)
    assert written.getvalue() == ""
    assert [found["event"] for found in lines(other)] == ["seen"]


def test_a_sentence_loses_secrets_and_line_breaks(written: io.StringIO) -> None:
    log.event(
        "message", {"text": "cannot read https://me:hunter2@host/x?sig=hunter2:\n gone", "n": 2, "none": None}
    )
    (found,) = lines(written)
    assert "hunter2" not in written.getvalue()
    assert found["text"].startswith("cannot read https://***@host/x?…")
    assert len(written.getvalue().splitlines()) == 1


def test_a_record_of_any_logger_below_is_cleaned_as_well(written: io.StringIO) -> None:
    secret = "s3://KEY:hunter2@bucket/x"
    try:
        raise ValueError(f"no such object {secret}")
    except ValueError:
        logging.getLogger("hwr_batch.storage").exception("reading %s failed", secret)
    (found,) = lines(written)
    assert "hunter2" not in written.getvalue()
    assert found["event"].startswith("reading s3://***@bucket/x")
    assert found["error"].startswith("ValueError: no such object")


def test_nobody_listens_until_asked(capfd: pytest.CaptureFixture[str]) -> None:
    log.event("run_begins", {"run": "r"})
    assert capfd.readouterr() == ("", "")


def test_a_run_is_named_by_its_plan_and_its_start_in_utc() -> None:
    started = datetime(2026, 1, 31, 13, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    assert log.run_id("3f9c02ab41d7" + "0" * 52, started) == "3f9c02ab41d7-20260131T120005Z"
