"""`verify` believes the files alone: each way to lose, double or mix up rows must be named."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwr_batch.errors import Status, StorageError
from hwr_batch.plan import Plan, Shards, fingerprint
from hwr_batch.records import LineResult, Reading, ShardSpec
from hwr_batch.results import COUNTS, FINGERPRINT, SHARD, encode_part, part_name, read_part
from hwr_batch.results.verify import Verification, check_ids, verify
from hwr_batch.storage import Store

ROWS = 3  # per shard
COMPONENTS = {"manifest": "m", "model": "english-open"}


@dataclass
class Folder:
    """An OUTPUT in memory. `broken`: names whose reading raises that."""

    files: dict[str, bytes] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)

    def list(self, folder: str) -> Iterable[tuple[str, int]]:
        assert folder == "s3://b/out"
        return [(name, len(data)) for name, data in self.files.items()]

    def read(self, uri: str) -> bytes:
        name = uri.removeprefix("s3://b/out/")
        if name in self.broken:
            raise self.broken[name]
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]


def line(number: int) -> LineResult:
    """Every third line failed."""
    if number % 3 == 2:
        return LineResult(f"line-{number}", "x.png", Status.IMAGE_MISSING, "no file", None, None, None, 0)
    reading = Reading("é", 0.5, 0.5, -1.0, (0.5,), ((0, 8),))
    return LineResult(f"line-{number}", "x.png", Status.OK, None, reading, 8, 8, 1)


def part(shard: int, numbers: Iterable[int], *, plan: str | None = None) -> bytes:
    footer = {FINGERPRINT: plan or fingerprint(COMPONENTS), SHARD: str(shard)}
    return encode_part([line(number) for number in numbers], pa.table({}), footer)


def output(shards: int = 4) -> Folder:
    """A finished OUTPUT: `shards` parts of three rows, and what stands beside them."""
    plan = Plan(
        fingerprint=fingerprint(COMPONENTS),
        components=COMPONENTS,
        manifest="s3://a/manifest.csv",
        rows=shards * ROWS,
        limit=None,
        shards=Shards(array("q", range(0, shards * ROWS, ROWS)), array("q"), shards * ROWS),
        carried="",
        model={},
        digests={},
        versions={},
        options={},
    )
    parts = {part_name(i): part(i, range(i * ROWS, i * ROWS + ROWS)) for i in range(shards)}
    beside = {"_run.json": b"{}", "_report.html": b"", ".part-00000.parquet.crc": b"", "notes.txt": b"mine"}
    return Folder({"_plan.json": plan.to_json().encode(), **parts, **beside, "_tmp-1.parquet": b"PAR1"})


def checked(folder: Folder, **options: Any) -> Verification:
    return verify("s3://b/out", folder, **options)


def test_a_finished_output_is_proved() -> None:
    verification = checked(output())
    assert verification == Verification(
        ok=True,
        manifest_rows=12,
        result_rows=12,
        parts=4,
        missing_parts=(),
        by_status={"image_missing": 4, "ok": 8},
        problems=(),
    )
    assert json.loads(verification.to_json())["by_status"] == {"image_missing": 4, "ok": 8}


def test_more_parts_than_are_read_ahead() -> None:
    verification = checked(output(shards=70))
    assert (verification.ok, verification.parts, verification.result_rows) == (True, 70, 210)


def test_a_folder_on_disk_through_the_real_store(tmp_path: Path) -> None:
    folder = output()
    for name, data in folder.files.items():
        (tmp_path / name).write_bytes(data)
    assert verify(str(tmp_path), Store()).ok
    (tmp_path / part_name(1)).unlink()
    (tmp_path / part_name(2)).write_bytes(folder.files[part_name(2)][:700])
    (tmp_path / part_name(3)).unlink()
    (tmp_path / part_name(3)).mkdir()
    problems = verify(str(tmp_path), Store()).problems
    assert problems[0] == "2 of 4 parts are missing: part-00001.parquet, part-00003.parquet"
    assert [problem.split(" ")[0] for problem in problems] == ["2", part_name(2), "3"]
    assert verify(str(tmp_path / "nowhere"), Store()).problems == (
        f"{tmp_path}/nowhere has no _plan.json, so nothing says which rows belong there",
    )


# Faults: what was done to a finished OUTPUT, and the sentences that name it

Fault = Callable[[Folder], None]


def put(name: str, data: bytes) -> Fault:
    return lambda folder: folder.files.update({name: data})


def change(name: str, how: Callable[[bytes], bytes]) -> Fault:
    return lambda folder: folder.files.update({name: how(folder.files[name])})


def remove(*names: str) -> Fault:
    def fault(folder: Folder) -> None:
        for name in names:
            del folder.files[name]

    return fault


def rewrite(name: str, column: str, values: Sequence[str | None]) -> Fault:
    """Write a part anew with other values in one column, its footer as it was."""

    def how(data: bytes) -> bytes:
        table = pq.read_table(pa.BufferReader(data))
        where = table.schema.get_field_index(column)
        kind = table.schema.field(where)
        texts = pa.array(values, pa.string())
        table = table.set_column(where, kind, texts.dictionary_encode() if column == "status" else texts)
        buffer = BytesIO()
        pq.write_table(table, buffer)
        return buffer.getvalue()

    return change(name, how)


FAULTS: dict[str, tuple[Fault, Sequence[str]]] = {
    "a part cut in half": (
        change("part-00001.parquet", lambda data: data[: len(data) // 2]),
        ["part-00001.parquet is damaged", "9 result rows for 12 manifest rows"],
    ),
    "a bit flipped in a page": (
        change("part-00001.parquet", lambda data: data[:60] + bytes([data[60] ^ 4]) + data[61:]),
        ["part-00001.parquet is damaged", "9 result rows for 12 manifest rows"],
    ),
    "an empty part": (put("part-00001.parquet", b""), ["part-00001.parquet is damaged", "9 result rows"]),
    "two parts missing": (
        remove("part-00000.parquet", "part-00002.parquet"),
        ["2 of 4 parts are missing: part-00000.parquet, part-00002.parquet", "6 result rows"],
    ),
    "a line in two parts": (
        put("part-00002.parquet", part(2, [6, 1, 8])),
        ["line_id 'line-1' stands twice: part-00000.parquet row 2 and part-00002.parquet row 2"],
    ),
    "a line twice in one part": (
        put("part-00002.parquet", part(2, [6, 7, 6])),
        ["line_id 'line-6' stands twice: part-00002.parquet row 1 and part-00002.parquet row 3"],
    ),
    "a part of another plan": (
        put("part-00003.parquet", part(3, [9, 10, 11], plan="0" * 64)),
        ["part-00003.parquet was written under another plan"],
    ),
    "two parts changed places": (
        lambda folder: folder.files.update(
            {
                "part-00000.parquet": folder.files["part-00001.parquet"],
                "part-00001.parquet": folder.files["part-00000.parquet"],
            }
        ),
        ["part-00000.parquet holds another shard", "part-00001.parquet holds another shard"],
    ),
    "a row too many": (
        put("part-00003.parquet", part(3, [9, 10, 11, 12])),
        ["part-00003.parquet has 4 rows instead of 3", "13 result rows for 12 manifest rows"],
    ),
    "a row moved to the next part": (
        lambda folder: folder.files.update(
            {"part-00000.parquet": part(0, [0, 1]), "part-00001.parquet": part(1, [2, 3, 4, 5])}
        ),
        ["part-00000.parquet has 2 rows instead of 3", "part-00001.parquet has 4 rows instead of 3"],
    ),
    "a part beyond the plan": (
        put("part-00004.parquet", part(4, [12, 13, 14])),
        ["part-00004.parquet is not in the plan"],
    ),
    "a second name for a part": (
        put("part-000001.parquet", part(1, [3, 4, 5])),
        ["part-000001.parquet is not in the plan"],
    ),
    "a foreign file that readers take for a part": (
        put("mine.parquet", b"PAR1"),
        ["mine.parquet is not in the plan"],
    ),
    "a foreign file under a part's name": (
        put("part-00001.parquet", b"\x89PNG"),
        ["part-00001.parquet is damaged", "9 result rows"],
    ),
    "a folder under a part's name": (
        lambda folder: folder.broken.update({"part-00001.parquet": IsADirectoryError("is a directory")}),
        ["part-00001.parquet cannot be read (is a directory)", "9 result rows"],
    ),
    "a status out of thin air": (
        rewrite("part-00000.parquet", "status", ["ok", "ok", "lost"]),
        ["part-00000.parquet has a status that does not exist: lost", "has other counts by status"],
    ),
    "a row without line_id": (
        rewrite("part-00000.parquet", "line_id", ["line-0", None, "line-2"]),
        ["part-00000.parquet has a row without line_id"],
    ),
    "a failed row with text, and one without that is ok": (
        rewrite("part-00000.parquet", "text", ["a", None, "b"]),
        ["part-00000.parquet has rows whose text and status contradict each other"],
    ),
    "a plan that is cut short": (
        change("_plan.json", lambda data: data[:200]),
        ["_plan.json cannot be read as a plan"],
    ),
    "a plan that is no text": (put("_plan.json", b"\xff\xfe"), ["_plan.json cannot be read as a plan"]),
    "a plan that promises fewer rows": (
        change("_plan.json", lambda data: data.replace(b'"rows": 12', b'"rows": 11')),
        ["_plan.json cannot be read as a plan"],
    ),
    "no plan": (remove("_plan.json"), ["s3://b/out has no _plan.json"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str) -> None:
    fault, words = FAULTS[name]
    folder = output()
    fault(folder)
    verification = checked(folder)
    assert not verification.ok
    assert len(verification.problems) == len(words)
    for problem, expected in zip(verification.problems, words, strict=True):
        assert expected in problem


def test_missing_parts_are_listed_in_full() -> None:
    folder = output(shards=10)
    for shard in range(9):
        del folder.files[part_name(shard)]
    verification = checked(folder)
    assert verification.missing_parts == tuple(map(part_name, range(9)))
    assert verification.problems[0].endswith("part-00003.parquet, part-00004.parquet, …")
    assert (verification.parts, verification.result_rows, verification.manifest_rows) == (1, 3, 30)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (b'{"ok": 3}', "has other counts by status in its footer than in its rows"),
        (b"lots", "is damaged"),
    ],
)
def test_a_footer_that_lies_about_its_rows(counts: bytes, words: str) -> None:
    folder = output()
    table = pq.read_table(pa.BufferReader(folder.files["part-00000.parquet"]))
    buffer = BytesIO()
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, COUNTS.encode(): counts}), buffer)
    folder.files["part-00000.parquet"] = buffer.getvalue()
    verification = checked(folder)
    assert not verification.ok
    assert f"part-00000.parquet {words}" in verification.problems[0]


def test_a_retried_part_still_fits() -> None:
    folder = output()
    old = read_part(folder.files["part-00000.parquet"])
    data, _ = old.with_results({2: replace(line(0), line_id="line-2")})
    folder.files["part-00000.parquet"] = data
    verification = checked(folder)
    assert (verification.ok, verification.by_status) == (True, {"image_missing": 3, "ok": 9})


def test_problems_beyond_a_hundred_are_counted() -> None:
    folder = output()
    folder.files.update({f"{i}.parquet": b"" for i in range(130)})
    assert len(checked(folder).problems) == 101
    assert checked(folder).problems[-1] == "and 30 more problems"


def test_a_doubled_output_names_twenty_lines() -> None:
    folder = output(shards=40)
    for shard in range(20, 40):
        folder.files[part_name(shard)] = part(shard, range((shard - 20) * ROWS, (shard - 19) * ROWS))
    problems = checked(folder).problems
    assert sum("stands twice" in problem for problem in problems) == 20
    assert problems[-1] == "more line_ids stand twice; only the first are named"


def test_a_store_that_fails_for_good_is_no_verdict() -> None:
    folder = output()
    folder.broken["part-00002.parquet"] = StorageError("the bucket is gone")
    with pytest.raises(StorageError, match="the bucket is gone"):
        checked(folder)


# Against the manifest


def ids_of(spec: ShardSpec) -> list[str]:
    return [f"line-{number}" for number in range(spec.first_row, spec.first_row + spec.rows)]


def test_the_manifest_agrees() -> None:
    assert checked(output(), manifest=ids_of).ok


def test_rows_in_another_order_than_the_manifest() -> None:
    folder = output()
    folder.files["part-00001.parquet"] = part(1, [3, 5, 4])
    assert checked(folder).ok  # from the files alone: every line is there once
    assert checked(folder, manifest=ids_of).problems == (
        "part-00001.parquet row 2 is 'line-5', but manifest row 5 is 'line-4'",
    )


@pytest.mark.parametrize(
    ("expected", "found", "sentence"),
    [
        (["a", "b"], ["a", "b"], None),
        ([], [], None),
        (["a"], ["a", "b"], "part-00002.parquet row 2 is 'b', but manifest row 12 is absent"),
        (["a", "b"], ["a"], "part-00002.parquet row 2 is absent, but manifest row 12 is 'b'"),
        (["é"], ["é"], None),
    ],
)
def test_check_ids(expected: list[str], found: list[str], sentence: str | None) -> None:
    assert check_ids(ShardSpec(2, 10, 2), expected, found) == sentence


def test_an_id_as_long_as_a_manifest_cell_is_cut_short() -> None:
    sentence = check_ids(ShardSpec(0, 0, 1), ["a" * 10_000_000], ["b"])
    assert sentence is not None
    assert len(sentence) < 250
