"""What is finished is what has a part; saved counts only save reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from hwr_batch import ledger as ledgers
from hwr_batch import results
from hwr_batch.errors import Status
from hwr_batch.ledger import Ledger
from hwr_batch.records import LineResult, Reading
from hwr_batch.storage import Store

FINGERPRINT = "f" * 64


class CountingStore(Store):
    """A store that remembers which files were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def open(self, uri: str, *, block: int = 1 << 20):  # type: ignore[no-untyped-def]
        self.opened.append(uri.rsplit("/", 1)[-1])
        return super().open(uri, block=block)


def write_part(output: Path, shard: int, *, ok: int, missing: int = 0) -> None:
    reading = Reading("a", 0.5, 0.5, -1.0, (0.5,), ((0, 4),))
    lines = [LineResult(f"{shard}-{n}", "i.png", Status.OK, None, reading, 9, 9, 1) for n in range(ok)] + [
        LineResult(f"{shard}-m{n}", "i.png", Status.IMAGE_MISSING, "gone", None, None, None, 0)
        for n in range(missing)
    ]
    output.mkdir(parents=True, exist_ok=True)
    footer = {results.FINGERPRINT: FINGERPRINT, results.SHARD: str(shard)}
    (output / results.part_name(shard)).write_bytes(results.encode_part(lines, pa.table({}), footer))


@pytest.fixture
def store() -> Iterator[CountingStore]:
    yield CountingStore()


def test_counts_come_from_footers_where_nothing_was_saved(tmp_path: Path, store: CountingStore) -> None:
    write_part(tmp_path, 0, ok=5)
    write_part(tmp_path, 3, ok=2, missing=1)
    found = ledgers.recover(str(tmp_path), store, FINGERPRINT)
    assert found.finished == {0, 3}
    assert found.by_status == {"ok": 7, "image_missing": 1}
    assert (found.failed, found.lines, found.failures) == ({3: 1}, 8, 1)


def test_saved_counts_spare_the_footers(tmp_path: Path, store: CountingStore) -> None:
    for shard in range(6):
        write_part(tmp_path, shard, ok=4, missing=shard % 2)
    before = ledgers.recover(str(tmp_path), store, FINGERPRINT)
    ledgers.save(before, str(tmp_path), store, FINGERPRINT)
    write_part(tmp_path, 7, ok=1)
    store.opened.clear()
    after = ledgers.recover(str(tmp_path), store, FINGERPRINT)
    assert store.opened == ["part-00007.parquet"]
    assert after.finished == before.finished | {7}
    assert after.lines == before.lines + 1
    assert after.failed == {1: 1, 3: 1, 5: 1}


def test_a_saved_claim_without_its_part_is_not_believed(tmp_path: Path, store: CountingStore) -> None:
    write_part(tmp_path, 0, ok=5)
    write_part(tmp_path, 1, ok=5)
    ledgers.save(ledgers.recover(str(tmp_path), store, FINGERPRINT), str(tmp_path), store, FINGERPRINT)
    (tmp_path / "part-00001.parquet").unlink()
    found = ledgers.recover(str(tmp_path), store, FINGERPRINT)
    assert (found.finished, found.by_status) == ({0}, {"ok": 5})


def test_another_plans_progress_is_ignored(tmp_path: Path, store: CountingStore) -> None:
    write_part(tmp_path, 0, ok=5)
    saved = Ledger({0}, {"ok": 999}, {})
    ledgers.save(saved, str(tmp_path), store, "another")
    assert ledgers.recover(str(tmp_path), store, FINGERPRINT).by_status == {"ok": 5}


def test_a_damaged_part_is_unfinished(tmp_path: Path, store: CountingStore) -> None:
    write_part(tmp_path, 0, ok=5)
    whole = (tmp_path / "part-00000.parquet").read_bytes()
    (tmp_path / "part-00000.parquet").write_bytes(whole[:-20])
    assert ledgers.recover(str(tmp_path), store, FINGERPRINT).finished == set()


def test_shards_to_be_retried_leave_the_counts(tmp_path: Path, store: CountingStore) -> None:
    write_part(tmp_path, 0, ok=5)
    write_part(tmp_path, 1, ok=3, missing=2)
    found = ledgers.recover(str(tmp_path), store, FINGERPRINT)
    left = ledgers.without(found, [1], str(tmp_path), store)
    assert (left.finished, left.by_status, left.failed) == ({0}, {"ok": 5}, {})


def test_a_shard_is_counted_once() -> None:
    ledger = Ledger()
    ledger.add(4, {"ok": 3})
    ledger.add(4, {"ok": 3})
    assert ledger.lines == 3


def test_finished_shards_are_saved_as_ranges() -> None:
    ledger = Ledger(set(range(100_000)) - {500}, {"ok": 1}, {})
    saved = json.loads(ledger.to_json(FINGERPRINT))
    assert saved["finished"] == [[0, 499], [501, 99_999]]
