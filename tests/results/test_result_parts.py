"""Parts: what is written is what is read, byte for byte the same however it came about."""

from __future__ import annotations

import datetime
import decimal
import errno
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.errors import DamagedPartError, Status, StorageError
from hwr_batch.records import LineResult, Reading
from hwr_batch.results import (
    COUNTS,
    FINGERPRINT,
    SHARD,
    ShardCounts,
    encode_part,
    part_index,
    part_name,
    read_counts,
    read_part,
)

FOOTER = {FINGERPRINT: "f" * 64, SHARD: "3", "hwr_batch.model": "english-open"}
READ = Reading("né", 0.75, 0.5, -2.25, (1.0, 0.5), ((0, 8), (8, 31)))
LINES = (
    LineResult("a", "a.png", Status.OK, None, READ, 200, 40, 1),
    LineResult("b", "b.png", Status.IMAGE_MISSING, "there is no such file", None, None, None, 0),
    LineResult("c", "c.png", Status.OK, None, Reading("", 0.5, 0.5, -9.0, (), ()), 10, 10, 2),
    LineResult("d", "d.png", Status.IMAGE_MISSING, "there is no such file", None, 7, 9, 0),
)
CARRIED = pa.table({"place": ["Bern", None, "Ulm", ""], "year": [1848, 1849, None, 0]})
PART = encode_part(LINES, CARRIED, FOOTER)
READ_AGAIN = LineResult("b", "b.png", Status.OK, None, READ, 200, 40, 1)


# Names


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "part-00000.parquet"), (99999, "part-99999.parquet"), (100000, "part-100000.parquet")],
)
def test_names(index: int, name: str) -> None:
    assert (part_name(index), part_index(name)) == (name, index)


@pytest.mark.parametrize(
    "name",
    [
        "part-000001.parquet",  # index 1 has another name: this would be a second one
        "part-0001.parquet",
        "part-0000١.parquet",  # a digit, but not one of ours
        "_tmp-part-00001.parquet",
        "part-00001.parquet.crc",
        "part-00001.parquet\n",
        "_plan.json",
    ],
)
def test_other_names_are_no_parts(name: str) -> None:
    assert part_index(name) is None


# Known answers


def test_rows_as_any_reader_sees_them() -> None:
    rows = pq.read_table(pa.BufferReader(PART)).to_pylist()
    assert rows[0] == {
        "line_id": "a",
        "image": "a.png",
        "text": "né",
        "score": 0.75,
        "min_char_score": 0.5,
        "path_log_prob": -2.25,
        "char_scores": [1.0, 0.5],
        "char_spans": [{"start": 0, "end": 8}, {"start": 8, "end": 31}],
        "status": "ok",
        "error": None,
        "image_width": 200,
        "image_height": 40,
        "pieces": 1,
        "place": "Bern",
        "year": 1848,
    }
    assert {key for key, value in rows[1].items() if value is None} == {
        *("text", "score", "min_char_score", "path_log_prob", "char_scores", "char_spans"),
        *("image_width", "image_height", "place"),
    }
    assert (rows[2]["text"], rows[2]["char_scores"], rows[2]["char_spans"]) == ("", [], [])


def test_the_footer_is_where_readers_look_for_it() -> None:
    for metadata in (
        pq.read_metadata(pa.BufferReader(PART)).metadata,
        pq.read_schema(pa.BufferReader(PART)).metadata,
    ):
        facts = {key.decode(): value.decode() for key, value in metadata.items()}
        assert FOOTER.items() <= facts.items()
        assert facts[COUNTS] == '{"image_missing": 2, "ok": 2}'


def test_counts_come_from_the_footer_alone() -> None:
    class Counting(BytesIO):
        bytes_read = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.bytes_read += len(data)
            return data

    noise = [bytes(row).hex() for row in np.random.default_rng(0).integers(0, 256, (2000, 200), np.uint8)]
    data = encode_part([replace(LINES[0], line_id=n) for n in noise], pa.table({"n": noise}), FOOTER)
    file = Counting(data)
    assert read_counts(file) == ShardCounts(2000, {"ok": 2000})
    assert len(data) > 10 * file.bytes_read


def test_a_part_without_rows_or_carried_columns() -> None:
    nothing = encode_part([], pa.table({}), FOOTER)
    assert (read_counts(nothing), read_part(nothing).results) == (ShardCounts(0, {}), ())
    assert read_part(encode_part(LINES, pa.table({}), FOOTER)).carried.num_columns == 0


# Same values, same bytes


def test_bytes_do_not_depend_on_chunks_dictionaries_order_or_threads() -> None:
    footer = dict(reversed(FOOTER.items()))
    chunked = pa.concat_tables([CARRIED.slice(0, 1), CARRIED.slice(1, 2), CARRIED.slice(3)])
    assert encode_part(LINES, chunked, footer) == PART
    longer = pa.concat_tables([CARRIED, CARRIED]).slice(4)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: encode_part(LINES, longer, FOOTER), range(16))) == {PART}


def test_a_dictionary_leaves_no_trace_of_the_rest_of_the_manifest() -> None:
    dense = pa.array(["y", None, "x", "y"])
    arranged = pa.DictionaryArray.from_arrays(
        pa.array([1, None, 3, 1], pa.int16()), pa.array(["of another shard", "y", "unused", "x"])
    )
    plain = dense.dictionary_encode().cast(arranged.type)
    parts = [encode_part(LINES, pa.table({"k": column}), FOOTER) for column in (arranged, plain)]
    assert parts[0] == parts[1]
    assert b"of another shard" not in parts[0]
    again = read_part(parts[0]).carried
    assert (again.schema.field("k").type, again.column("k").to_pylist()) == (arranged.type, dense.to_pylist())


CARRIED_TYPES: dict[str, Any] = {
    "bool": pa.array([True, None, False, True]),
    "int8": pa.array([1, None, -3, 4], pa.int8()),
    "uint64": pa.array([2**64 - 1, None, 0, 1], pa.uint64()),
    "float16": pa.array(np.array([0.5, 1, 2, 3], np.float16)),
    "double": pa.array([0.1, None, float("nan"), float("inf")]),
    "large_string": pa.array(["a", None, "", "d"], pa.large_string()),
    "string_view": pa.array(["a", None, "", "d"], pa.string_view()),
    "binary": pa.array([b"\x00", None, b"", b"d"]),
    "fixed": pa.array([b"ab", None, b"cd", b"ef"], pa.binary(2)),
    "date": pa.array([datetime.date(1848, 3, 1)] * 4),
    "date64": pa.array([datetime.date(1848, 3, 1)] * 4, pa.date64()),
    "time": pa.array([datetime.time(1, 2, 3)] * 4, pa.time32("s")),
    "stamp": pa.array([10**15, None, 3, 4], pa.timestamp("ns", "Europe/Zurich")),
    "seconds": pa.array([1, None, 3, 4], pa.timestamp("s")),
    "duration": pa.array([1, None, 3, 4], pa.duration("s")),
    "decimal": pa.array([decimal.Decimal("1.25"), None] * 2, pa.decimal128(9, 2)),
    "null": pa.nulls(4),
    "list": pa.array([[1], None, [], [2, None]], pa.list_(pa.int64())),
    "large_list": pa.array([["a"], None, [], ["b"]], pa.large_list(pa.string())),
    "sized": pa.array([[1.0, 2.0], None, [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2)),
    "struct": pa.array([{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}, {"a": 2, "b": []}]),
    "map": pa.array([[("k", 1)], None, [], [("l", None)]], pa.map_(pa.string(), pa.int32())),
    "ordered": pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1], pa.int8()), pa.array(["low", "high"]), ordered=True
    ),
    "nested": pa.ListArray.from_arrays([0, 1, 2, 3, 4], pa.array(["p", "q", "p", None]).dictionary_encode()),
}


@pytest.mark.parametrize("name", CARRIED_TYPES)
def test_carried_columns_of_every_type_come_back_unchanged(name: str) -> None:
    carried = pa.table({name: CARRIED_TYPES[name]})
    data = encode_part(LINES, carried, FOOTER)
    again = read_part(data)
    assert again.carried.schema.equals(carried.schema)
    assert again.carried.column(0).cast(carried.schema.types[0]).equals(carried.column(0)) or name == "double"
    assert repr(again.carried.to_pylist()) == repr(carried.to_pylist())
    assert again.with_results({})[0] == data


# Reading again, and --retry-failed

_FLOATS = st.floats(0, 1, width=32)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_POSITIONS = st.integers(-(2**31), 2**31 - 1)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    text = draw(_TEXTS)
    n = len(text)
    return Reading(
        text,
        draw(_FLOATS),
        draw(_FLOATS),
        draw(st.floats(max_value=0, width=32)),
        tuple(draw(st.lists(_FLOATS, min_size=n, max_size=n))),
        tuple(draw(st.lists(st.tuples(_POSITIONS, _POSITIONS), min_size=n, max_size=n))),
    )


@st.composite
def line_results(draw: st.DrawFn) -> LineResult:
    status = draw(st.sampled_from(Status))
    failed = status is not Status.OK
    return LineResult(
        draw(_TEXTS),
        draw(_TEXTS),
        status,
        draw(_TEXTS) if failed else None,
        None if failed else draw(readings()),
        draw(st.none() | st.integers(0, 2**31 - 1)),
        draw(st.none() | st.integers(0, 2**31 - 1)),
        draw(st.integers(0, 2**15 - 1)),
    )


def carried_of(lines: list[LineResult]) -> pa.Table:
    return pa.table({"number": range(len(lines)), "kind": pa.array(["k"] * len(lines)).dictionary_encode()})


@given(st.lists(line_results(), max_size=8))
@settings(deadline=None)
def test_a_part_reads_back_as_it_was(lines: list[LineResult]) -> None:
    part = read_part(encode_part(lines, carried_of(lines), FOOTER))
    assert list(part.results) == lines
    assert part.footer == FOOTER
    assert part.carried.equals(carried_of(lines))


@given(st.lists(line_results(), max_size=8), st.data())
@settings(deadline=None)
def test_a_retried_part_is_the_part_had_it_gone_well_at_once(
    lines: list[LineResult], data: st.DataObject
) -> None:
    failed = [i for i, line in enumerate(lines) if line.status is not Status.OK]
    part = read_part(encode_part(lines, carried_of(lines), FOOTER))
    assert list(part.failed_positions()) == failed
    chosen = data.draw(st.lists(st.sampled_from(failed), unique=True)) if failed else []
    replaced = {i: replace(data.draw(line_results()), line_id=lines[i].line_id) for i in chosen}
    wanted = [replaced.get(i, line) for i, line in enumerate(lines)]
    encoded, by_status = part.with_results(replaced)
    assert encoded == encode_part(wanted, carried_of(lines), FOOTER)
    assert by_status == read_counts(encoded).by_status


def test_retrying_touches_no_row_that_is_ok_and_mixes_up_no_lines() -> None:
    part = read_part(PART)
    with pytest.raises(ValueError, match="row 0 is 'a'"):
        part.with_results({0: LINES[0]})
    with pytest.raises(ValueError, match="row 3 is 'd'"):
        part.with_results({3: READ_AGAIN})
    data, by_status = part.with_results({1: READ_AGAIN})
    assert by_status == {"image_missing": 1, "ok": 3}
    before, after = (pq.read_table(pa.BufferReader(p)).to_pylist() for p in (PART, data))
    assert [i for i in range(4) if before[i] != after[i]] == [1]


def test_a_score_of_zero_and_its_minus_infinity_survive() -> None:
    line = replace(LINES[0], reading=replace(READ, score=0.0, path_log_prob=float("-inf")))
    assert read_part(encode_part([line], pa.table({}), FOOTER)).results == (line,)


# Errors


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (replace(LINES[0], reading=None), "a: a line is ok with a reading"),
        (replace(LINES[1], reading=READ), "b: a line is ok with a reading"),
        (replace(LINES[1], error=None), "b: a line is ok with a reading"),
        (replace(LINES[0], error="but why"), "a: a line is ok with a reading"),
        (replace(LINES[0], reading=replace(READ, text="n")), "a: text, char_scores and char_spans differ"),
        (
            replace(LINES[0], reading=replace(READ, char_spans=())),
            "a: text, char_scores and char_spans differ",
        ),
    ],
)
def test_a_result_that_contradicts_itself_is_not_written(line: LineResult, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode_part([line], pa.table({}), FOOTER)


def test_rows_and_carried_rows_must_match() -> None:
    with pytest.raises(ValueError, match="3 results, but 4 carried rows"):
        encode_part(LINES[:3], CARRIED, FOOTER)


def other_parquet() -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.table({"line_id": ["a"]}), buffer)
    return buffer.getvalue()


def altered(data: bytes) -> bytes:
    """One bit flipped in a data page, where only the page's checksum can tell."""
    page = pq.read_metadata(pa.BufferReader(data)).row_group(0).column(2).data_page_offset + 40
    return data[:page] + bytes([data[page] ^ 1]) + data[page + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        PART[: len(PART) // 2],
        PART[:-1],
        PART[100:],
        b"\x89PNG" * 99,
        other_parquet(),
        altered(PART),
    ],
    ids=[
        "empty",
        "magic only",
        "first half",
        "last byte gone",
        "no start",
        "a picture",
        "foreign",
        "altered",
    ],
)
def test_damage_is_named(data: bytes) -> None:
    with pytest.raises(DamagedPartError, match=r"OUT/part-7 is damaged .* remove it and run again"):
        read_part(data, name="OUT/part-7")


def test_text_that_is_not_utf8_is_damage() -> None:
    validity, offsets, _ = pa.array(["\x80"] * 4).buffers()
    garbage = pa.Array.from_buffers(pa.string(), 4, [validity, offsets, pa.py_buffer(b"\xff" * 8)])
    with pytest.raises(DamagedPartError, match="UTF"):
        read_part(encode_part(LINES, pa.table({"place": garbage}), FOOTER))


@pytest.mark.parametrize("data", [b"", PART[: len(PART) // 2], other_parquet()])
def test_counts_of_a_damaged_part_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedPartError):
        read_counts(BytesIO(data))


def test_a_store_that_fails_while_a_footer_is_read_is_no_damage() -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise StorageError("the bucket is gone")

    with pytest.raises(StorageError, match="the bucket is gone") as caught:
        read_counts(Failing(PART))
    assert not isinstance(caught.value, DamagedPartError)


def test_a_disk_that_fails_while_a_footer_is_read_is_no_damage() -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output error"):
        read_counts(Failing(PART))


# OUTPUT is a dataset


def test_output_opens_as_a_dataset_everywhere(tmp_path: Path) -> None:
    more = encode_part(LINES[:1], CARRIED.slice(2, 1), {**FOOTER, SHARD: "4"})  # no failure, no null
    (tmp_path / part_name(0)).write_bytes(PART)
    (tmp_path / part_name(1)).write_bytes(more)
    for name in ("_plan.json", "_run.json", "_report.html", "_tmp-x"):
        (tmp_path / name).write_text("{}")
    arrow = pa.dataset.dataset(tmp_path, format="parquet").to_table()
    pandas = pd.read_parquet(tmp_path)
    duck = duckdb.connect().execute(f"SELECT * FROM '{tmp_path}/*.parquet' ORDER BY filename").fetchall()
    expected = ["a", "b", "c", "d", "a"]
    assert arrow.column("line_id").to_pylist() == expected
    assert list(pandas["line_id"]) == expected
    assert [row[0] for row in duck] == expected
    assert list(pandas["status"]) == ["ok", "image_missing", "ok", "image_missing", "ok"]
    assert [row[8] for row in duck] == list(pandas["status"])
    assert duck[0][7] == [{"start": 0, "end": 8}, {"start": 8, "end": 31}]
    assert arrow.filter(pa.compute.field("status") == "ok").num_rows == 3
