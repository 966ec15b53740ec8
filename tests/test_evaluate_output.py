"""`evaluate` over result parts: references carried or joined, groups, failures, size."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_results import FolderStore, line, write_output, write_part

from hwr_batch.errors import ConfigError, DamagedPartError, ManifestError
from hwr_batch.evaluate import EvaluateOptions, Normalisation, TruthTable, counting, evaluate, read_truth
from hwr_batch.results.reading import column_names, part_facts, part_names, read_columns
from hwr_batch.results.schema import result_schema
from hwr_batch.storage import Store

STORE = FolderStore()

ROWS = [
    line("a", "hello", "hello", hand="Ada"),
    line("b", "hallo", "hello", hand="Ada"),
    line("c", None, "world", hand="Bo", status="timed_out", error="over 120 s"),
    line("d", "unread", None, hand="Bo"),
    line("e", "noise", " ", hand=None),
    line("f", None, None, hand=None),
    line("g", "wide  space", "wide space", hand=None),
]


@pytest.fixture
def output(tmp_path: Path) -> str:
    return write_output(tmp_path / "out", ROWS, per_part=3)


def test_known_answer_over_several_parts(output: str) -> None:
    answer = evaluate(output, STORE)
    figures = answer.figures
    assert (answer.rows, answer.without_reference, answer.blank_reference) == (7, 2, 1)
    assert (figures.lines, figures.exact_lines, figures.failed_lines) == (4, 2, 1)
    assert (figures.characters, figures.deletions, figures.substitutions) == (25, 5, 1)
    assert figures.label_accuracy == pytest.approx(1 - 6 / 25)
    assert [(pair.reference, pair.read, pair.count) for pair in answer.confusions] == [("e", "a", 1)]
    assert [(bad.line_id, bad.edits, bad.cer) for bad in answer.worst] == [("b", 1, 0.2)]


def test_failing_lines_are_named_with_or_without_reference(output: str) -> None:
    answer = evaluate(output, STORE)
    assert answer.failed == {"image_missing": 1, "timed_out": 1}
    named = [(failed.line_id, failed.error, failed.counted) for failed in answer.failed_named]
    assert named == [("c", "over 120 s", True), ("f", "the file is not there", False)]
    one = evaluate(output, STORE, EvaluateOptions(named_failures=1))
    assert [failed.line_id for failed in one.failed_named] == ["c"]
    assert one.to_json()["failed"]["lines"] == 2  # all are counted


def test_groups_add_up_to_the_whole(output: str) -> None:
    answer = evaluate(output, STORE, EvaluateOptions(by="hand"))
    assert {name: group.lines for name, group in answer.groups.items()} == {"(none)": 1, "Ada": 2, "Bo": 1}
    assert answer.groups["Ada"].cer == 0.1
    assert answer.groups["Bo"].label_accuracy == 0
    for name in ("lines", "characters", "deletions", "words", "exact_lines"):
        whole = getattr(answer.figures, name)
        assert sum(getattr(group, name) for group in answer.groups.values()) == whole


def test_a_result_column_groups_too(output: str) -> None:
    by_status = evaluate(output, STORE, EvaluateOptions(by="status")).groups
    assert {name: group.lines for name, group in by_status.items()} == {"ok": 3, "timed_out": 1}
    by_id = evaluate(output, STORE, EvaluateOptions(by="line_id")).groups
    assert sorted(by_id) == ["a", "b", "c", "g"]


def test_grouping_by_an_identifier_is_stopped(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_GROUPS", 2)
    with pytest.raises(ConfigError, match="'line_id' has more than 2 different values"):
        evaluate(output, STORE, EvaluateOptions(by="line_id"))


def test_an_unknown_column_is_named_with_those_there_are(output: str) -> None:
    with pytest.raises(ConfigError, match=r"no column 'writer'; it has line_id, .*hand"):
        evaluate(output, STORE, EvaluateOptions(by="writer"))


def test_json_is_json_and_states_the_normalisation(output: str) -> None:
    answer = json.loads(json.dumps(evaluate(output, STORE, EvaluateOptions(by="hand")).to_json()))
    assert {"lines", "characters", "label_accuracy", "cer", "wer", "exact", "groups"} <= set(answer)
    assert answer["groups"]["Ada"]["exact"] == 0.5
    assert answer["normalisation"]["collapse_whitespace"] is True
    assert answer["normalisation"]["in_words"].startswith("characters composed (NFC); case counts")
    assert answer["confusions"] == [{"kind": "substitution", "reference": "e", "read": "a", "count": 1}]


def test_normalisation_decides_what_counts(output: str) -> None:
    raw = evaluate(output, STORE, EvaluateOptions(normalisation=Normalisation.none()))
    assert raw.figures.insertions == 5 + 1 - 1  # "noise" for " " is one substitution and four insertions
    assert raw.blank_reference == 0  # " " is a reference now


def test_a_blank_reference_may_mean_nothing_is_written(output: str) -> None:
    answer = evaluate(output, STORE, EvaluateOptions(blank_is_reference=True))
    assert (answer.figures.lines, answer.figures.insertions, answer.blank_reference) == (5, 5, 0)


def test_the_gate(output: str) -> None:
    answer = evaluate(output, STORE)  # label accuracy 0.76
    assert answer.fails_under(0.80)
    assert not answer.fails_under(0.76)


def test_worst_lines_are_those_with_most_edits_and_the_earlier_first(tmp_path: Path) -> None:
    rows = [line(str(n), "x" * (n % 4), "abcd") for n in range(40)]
    answer = evaluate(write_output(tmp_path, rows), STORE, EvaluateOptions(worst=3))
    assert [bad.line_id for bad in answer.worst] == ["0", "1", "2"]
    assert evaluate(str(tmp_path), STORE, EvaluateOptions(worst=0)).worst == ()


def test_the_truth_replaces_the_references(output: str) -> None:
    with TruthTable([("a", "HELLO"), ("b", None), ("d", "unread"), ("zz", "?")], name="truth.csv") as truth:
        answer = evaluate(output, STORE, truth=truth)
    assert (answer.truth, answer.truth_unused) == ("truth.csv", 1)
    assert (answer.figures.lines, answer.figures.substitutions, answer.without_reference) == (2, 5, 5)


def test_truth_of_other_lines_is_refused_with_an_id_of_each(output: str) -> None:
    with TruthTable([("x/a", "hello")], name="truth.csv") as truth, pytest.raises(ConfigError) as refusal:
        evaluate(output, STORE, truth=truth)
    assert "'g'" in str(refusal.value)
    assert "'x/a'" in str(refusal.value)


def test_truth_that_names_a_line_twice_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"truth\.csv names line 'a' twice"):
        TruthTable([("a", "x"), ("b", "y"), ("a", "z")], name="truth.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "line_id,image,text\na,1.png,hello\nb,2.png,\nc,3.png,world\n"),
        (
            "t.jsonl",
            '{"line_id":"a","image":"1","text":"hello"}\n{"line_id":"c","image":"3","text":"world"}\n',
        ),
    ],
)
def test_truth_is_read_from_a_manifest(output: str, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with read_truth(str(tmp_path / name), STORE) as truth:
        answer = evaluate(output, STORE, truth=truth)
    assert (answer.figures.lines, answer.figures.exact_lines, answer.figures.failed_lines) == (2, 1, 1)


def test_numbers_are_references_too(output: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"image":"a","text":1905}\n')
    with read_truth(str(tmp_path / "t.jsonl"), STORE) as truth:
        assert truth.texts(["a", "b"]) == ["1905", None]


def test_a_long_truth_is_read_in_shards(tmp_path: Path) -> None:
    lines = "".join(f"{n}.png,text {n}\n" for n in range(20_000))
    (tmp_path / "t.csv").write_text("image,text\n" + lines)
    with read_truth(str(tmp_path / "t.csv"), STORE) as truth:
        assert truth.lines == 20_000
        assert truth.texts(["0.png", "8192.png", "19999.png"]) == ["text 0", "text 8192", "text 19999"]


def test_a_manifest_without_text_is_no_truth(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image\na.png\n")
    with pytest.raises(ManifestError, match="no column `text`"):
        read_truth(str(tmp_path / "t.csv"), STORE)


def test_results_are_read_from_any_store() -> None:
    store = Store()
    for part in ("part-00000.parquet", "part-00001.parquet"):
        store.put(f"memory://evaluate/out/{part}", b"")
    with pytest.raises(DamagedPartError, match="memory://evaluate/out/part-00000"):
        evaluate("memory://evaluate/out", store)


def test_a_real_store_gives_the_same_answer(output: str) -> None:
    store = Store()
    for path in Path(output).glob("part-*"):
        store.put(f"memory://evaluate/same/{path.name}", path.read_bytes())
    assert evaluate("memory://evaluate/same", store) == evaluate(output, STORE)


def test_results_without_references_ask_for_truth(tmp_path: Path) -> None:
    bare = [{name: value for name, value in ROWS[0].items() if name != "reference_text"}]
    with pytest.raises(ConfigError, match="--truth"):
        evaluate(write_output(tmp_path / "bare", bare), STORE)
    with pytest.raises(ConfigError, match="none of the 1 rows"):
        evaluate(write_output(tmp_path / "null", [line("a", "text", None)]), STORE)


@pytest.mark.parametrize("options", [{"worst": -1}, {"replicates": 10}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        EvaluateOptions(**options)


def test_only_parts_are_read_and_in_numeric_order(tmp_path: Path) -> None:
    for index in (100_000, 99_999, 2):
        write_part(tmp_path, index, [line(str(index), "x", "x")])
    (tmp_path / "_tmp-part-00003.parquet").write_bytes(b"half")
    (tmp_path / "part-3.parquet").write_bytes(b"not ours")
    names = ("part-00002.parquet", "part-99999.parquet", "part-100000.parquet")
    assert part_names(str(tmp_path), STORE) == names
    ids = [batch["line_id"] for batch in read_columns(str(tmp_path), STORE, ["line_id"])]
    assert ids == [["2"], ["99999"], ["100000"]]


def test_an_empty_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no result part"):
        evaluate(str(tmp_path), STORE)


def test_columns_and_facts_come_from_a_footer(output: str) -> None:
    assert column_names(output, STORE)[-2:] == ("reference_text", "hand")
    facts = part_facts(output, STORE)
    assert facts == {"hwr_batch.fingerprint": "f0", "hwr_batch.model": "toy"}


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_part_cut_short_is_a_damaged_part(tmp_path: Path, kept: float) -> None:
    part = write_part(tmp_path, 0, ROWS)
    part.write_bytes(part.read_bytes()[: int(kept * part.stat().st_size)])
    with pytest.raises(DamagedPartError, match=r"part-00000\.parquet"):
        evaluate(str(tmp_path), STORE)


def test_a_store_that_refuses_is_not_called_damage(output: str) -> None:
    class Shut(FolderStore):
        def open(self, uri: str):  # type: ignore[no-untyped-def]
            file = super().open(uri)
            file.close()
            raise PermissionError(13, "not yours", uri)

    with pytest.raises(PermissionError):
        evaluate(output, Shut())


def write_many(folder: Path, *, parts: int, rows: int) -> str:
    """`parts` equal parts of `rows` lines, every fifth of them with 2 edits in 25 characters."""
    schema = result_schema(pa.schema([("reference_text", pa.string()), ("hand", pa.string())]))
    right, wrong = "the quick brown fox jumps", "the quick brawn fox jump"
    values = {
        "line_id": [f"l{n}" for n in range(rows)],
        "text": [wrong if n % 5 == 0 else right for n in range(rows)],
        "status": pa.array(["ok"] * rows).dictionary_encode(),
        "reference_text": [right] * rows,
        "hand": [f"hand {n % 7}" for n in range(rows)],
    }
    columns = [
        pa.array(values[field.name], field.type) if field.name in values else pa.nulls(rows, field.type)
        for field in schema
    ]
    folder.mkdir()
    for index in range(parts):
        pq.write_table(pa.table(columns, schema), folder / f"part-{index:05d}.parquet")
    return str(folder)


def test_two_hundred_thousand_rows_stream(tmp_path: Path) -> None:
    answer = evaluate(write_many(tmp_path / "out", parts=10, rows=20_000), STORE, EvaluateOptions(by="hand"))
    assert answer.figures.lines == 200_000
    assert answer.figures.cer == pytest.approx(2 / 25 / 5)
    assert answer.figures.exact == 0.8
    assert len(answer.groups) == 7
    low, high = answer.figures.intervals.exact or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * (0.8 * 0.2 / 200_000) ** 0.5, rel=0.15)


def test_five_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for parts in (4, 4, 20):  # the first run also fills caches
        output = write_many(tmp_path / f"{len(peaks)}", parts=parts, rows=2000)
        tracemalloc.start()
        evaluate(output, STORE, EvaluateOptions(by="hand"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 1e6  # the strings of 32,000 more rows are 6 MB
