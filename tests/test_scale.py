"""What a billion lines need of one driver: memory by the shard, requests by the thousand shards."""

from __future__ import annotations

import time
import tracemalloc
from array import array

import pytest
from faults import FaultyProxy
from s3_server import S3Server

from hwr_batch import ledger as ledgers
from hwr_batch import results
from hwr_batch.ledger import Ledger
from hwr_batch.plan import Plan, Shards, fingerprint
from hwr_batch.storage import Store

SHARDS = 100_000
LINES = 1024  # of a shard
COMPONENTS = {"manifest": "0" * 64}


def plan(shards: int) -> Plan:
    """Of `shards` shards of 1024 rows in a CSV manifest."""
    first_rows = array("q", range(0, shards * LINES, LINES))
    offsets = array("q", (90 * row for row in first_rows))
    return Plan(
        fingerprint=fingerprint(COMPONENTS),
        components=COMPONENTS,
        manifest="s3://archive/manifest.csv",
        rows=shards * LINES,
        limit=None,
        shards=Shards(first_rows, offsets, shards * LINES),
        carried="",
        model={"name": "m"},
        digests={},
        versions={},
        options={},
    )


def finished(shards: int) -> Ledger:
    ledger = Ledger()
    for shard in range(shards):
        ledger.add(shard, {"ok": LINES - shard % 2, "image_missing": shard % 2})
    return ledger


def test_a_driver_holds_a_few_bytes_for_each_shard() -> None:
    """Plan, counts, and the shards still to do; at a million shards, a billion lines, 250 MB."""
    tracemalloc.start()
    try:
        whole, ledger = plan(SHARDS), finished(SHARDS // 2)
        todo = whole.remaining(ledger.finished)
        assert next(todo).index == SHARDS // 2
        held, _ = tracemalloc.get_traced_memory()
        assert held / SHARDS < 250
    finally:
        tracemalloc.stop()


def test_the_shards_to_do_are_made_while_the_ledger_grows() -> None:
    whole, ledger = plan(50), finished(0)
    given = []
    for shard in whole.remaining(ledger.finished):
        given.append(shard.index)
        ledger.add(shard.index, {"ok": LINES})
    assert given == list(range(50))
    assert ledger.lines == whole.rows


def test_a_plan_of_many_shards_is_a_small_file() -> None:
    text = plan(SHARDS).to_json()
    assert len(text) / SHARDS < 16
    assert Plan.from_json(text) == plan(SHARDS)


def test_resuming_on_s3_costs_one_request_for_a_thousand_parts(s3: S3Server, s3_proxy: FaultyProxy) -> None:
    parts = 3_000
    (s3.folder / "many").mkdir()
    for shard in range(parts):
        (s3.folder / "many" / results.part_name(shard)).write_bytes(b"a part is not opened")
    whole, ledger = plan(parts), finished(parts)
    (s3.folder / "many" / ledgers.PROGRESS).write_bytes(ledger.to_json(whole.fingerprint))
    time.sleep(0.2)  # the server keeps what it knows of a folder for 100 ms

    found = ledgers.recover(f"{s3.bucket}/many", Store(), whole.fingerprint)

    assert found == ledger
    lists = [seen for seen in s3_proxy.requests if "list-type" in seen.path]
    assert len(lists) == parts // 1000 + 1  # parts and `_progress.json`, a thousand names a page
    assert len(s3_proxy.requests) <= len(lists) + 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"fingerprint": "x"}', b"\xff\xfe"])
def test_progress_that_cannot_be_read_is_counted_again(damage: bytes) -> None:
    store, output = Store(), "memory://scale/damaged"
    store.put(f"{output}/{ledgers.PROGRESS}", damage)
    assert ledgers.recover(output, store, "x") == Ledger()
