"""Shards, fingerprints, and the plan as a file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.errors import PlanMismatchError
from hwr_batch.plan import (
    Marks,
    Plan,
    auto_shard_lines,
    changed,
    cut_shards,
    fingerprint,
    mark_spacing,
    remaining,
)
from hwr_batch.records import ShardSpec

COMPONENTS = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=5)


def evenly(rows: int, every: int, *, width: int | None = None) -> Marks:
    """Marks every so many rows, `width` bytes per row."""
    marks = Marks()
    for row in range(0, rows, every):
        marks.add(row, None if width is None else 7 + row * width)
    return marks


def a_plan(rows: int, shard_lines: int | None = 10, width: int | None = None) -> Plan:
    components = {"manifest": "0" * 64, "precision": "f32"}
    return Plan(
        fingerprint=fingerprint(components),
        components=components,
        manifest="s3://bucket/m.csv",
        rows=rows,
        limit=None,
        shards=cut_shards(evenly(rows, mark_spacing(shard_lines), width=width), rows, shard_lines),
        carried="b64",
        model={"name": "english-open", "height": 96},
        digests={"weights.npz": "f" * 64},
        versions={"openvino": "2026.4.1"},
        options={"wide": "split", "allow_chars": "é"},
    )


@pytest.mark.parametrize(
    ("rows", "lines"),
    [(1, 64), (4096, 64), (4097, 128), (40_000, 640), (65_536, 1024), (10**7, 1024)],
)
def test_automatic_shard_size(rows, lines):
    assert auto_shard_lines(rows) == lines


def test_known_shards():
    assert list(cut_shards(evenly(25, 10, width=3), 25, 10)) == [
        ShardSpec(0, 0, 10, 7),
        ShardSpec(1, 10, 10, 37),
        ShardSpec(2, 20, 5, 67),
    ]
    assert cut_shards(evenly(25, 10), 25, 10)[-1] == ShardSpec(2, 20, 5, None)


def test_an_image_is_cut_only_beyond_four_shards():
    marks = Marks()
    for row, run in [(0, 0), (4, 4), (8, 8), (12, 12), (16, 16), (20, 0)]:
        marks.add(row, None, run)
    assert [spec.first_row for spec in cut_shards(marks, 24, 4)] == [0, 16, 20]
    assert [spec.first_row for spec in cut_shards(marks, 24, 5)] == [0, 20]


@given(
    gaps=st.lists(st.integers(1, 200), min_size=0, max_size=60),
    runs=st.lists(st.integers(0, 300), min_size=60, max_size=60),
    tail=st.integers(1, 50),
    shard_lines=st.none() | st.integers(1, 300),
)
def test_shards_are_disjoint_and_complete(gaps, runs, tail, shard_lines):
    marks, row = Marks(), 0
    marks.add(0, 0)
    for gap, run in zip(gaps, runs, strict=False):
        row += gap
        marks.add(row, row * 5, run)
    shards = cut_shards(marks, row + tail, shard_lines)
    covered = [n for spec in shards for n in range(spec.first_row, spec.first_row + spec.rows)]
    assert covered == list(range(row + tail))
    assert [spec.index for spec in shards] == list(range(len(shards)))
    size = shard_lines or auto_shard_lines(row + tail)
    assert all(spec.rows >= size for spec in shards[:-1])
    assert all(spec.offset == spec.first_row * 5 for spec in shards)


def test_shards_are_a_sequence():
    shards = cut_shards(evenly(100, 10), 100, 10)
    assert len(shards) == 10 and shards[-1].index == 9 and [s.index for s in shards[2:4]] == [2, 3]
    assert shards == cut_shards(evenly(100, 10), 100, 10) != cut_shards(evenly(100, 10), 100, 20)
    with pytest.raises(IndexError):
        shards[10]


def test_marks_are_a_sequence_of_pairs():
    marks = evenly(30, 10, width=1)
    assert list(marks) == [(0, 7), (10, 17), (20, 27)] and marks[1:] == [(10, 17), (20, 27)]


def test_the_fingerprint_is_canonical():
    assert fingerprint({"b": "2", "a": "é"}) == fingerprint({"a": "é", "b": "2"})
    assert fingerprint({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(COMPONENTS, COMPONENTS)
def test_the_fingerprint_changes_with_a_component_and_only_then(old, new):
    assert (fingerprint(old) == fingerprint(new)) == (old == new) == (changed(old, new) == [])


def test_changed_says_what_changed():
    old = {"manifest": "a" * 64, "precision": "f32", "wide": "split", "same": "1"}
    new = {"manifest": "b" * 64, "precision": "bf16", "limit": "5", "same": "1"}
    assert changed(old, new) == [
        "limit is 5 now and was not set.",
        "manifest was aaaaaaaaaaaa… and is bbbbbbbbbbbb… now.",
        "precision was f32 and is bf16 now.",
        "wide was split and is not set now.",
    ]


@pytest.mark.parametrize("plan", [a_plan(25), a_plan(25, width=3), a_plan(5000, None), a_plan(1)])
def test_a_plan_survives_its_file(plan):
    assert Plan.from_json(plan.to_json()) == plan
    assert json.loads(plan.to_json())["fingerprint"] == plan.fingerprint
    assert plan.to_json() == Plan.from_json(plan.to_json()).to_json()


def test_a_plan_of_very_many_shards_stays_small():
    plan = a_plan(1_000_000, 10, width=100)
    text = plan.to_json()
    assert len(plan.shards) == 100_000 and len(text) < 1_500_000
    assert Plan.from_json(text) == plan


def test_what_remains():
    plan = a_plan(100)
    assert [spec.index for spec in remaining(plan, {0, 3, 9, 77})] == [1, 2, 4, 5, 6, 7, 8]
    assert list(plan.remaining(set(range(10)))) == []
    assert next(remaining(plan, set())) == plan.shards[0]


def damaged(**changes: object) -> str:
    return json.dumps({**json.loads(a_plan(25).to_json()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        a_plan(25).to_json()[:-20],
        "[]",
        "{}",
        damaged(rows=26),
        damaged(components={"manifest": "other"}),
        damaged(shards={"rows": [], "offsets": []}),
        damaged(shards={"rows": [25], "offsets": [1, 2]}),
        damaged(unknown=1),
    ],
)
def test_a_damaged_plan_is_no_plan(text):
    with pytest.raises(PlanMismatchError, match="is damaged: choose another OUTPUT"):
        Plan.from_json(text)


def test_a_plan_of_another_version():
    with pytest.raises(PlanMismatchError, match="has layout 99"):
        Plan.from_json(damaged(schema_version=99))
