"""Duplicates are found whatever the order and however little memory there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.unique import SUSPECTS_AT_ONCE, IdHashes, duplicates


@given(st.lists(st.lists(st.text(max_size=2))), st.integers(1, 8))
@settings(deadline=None, max_examples=40)
def test_suspects_are_the_ids_that_occur_twice(parts: list[list[str]], in_memory: int) -> None:
    with IdHashes(in_memory=in_memory) as hashes:
        for ids in parts:
            hashes.add(ids)
        suspects = frozenset().union(*hashes.suspects())
    counted = Counter(line_id for ids in parts for line_id in ids)
    assert suspects == {hash(line_id) for line_id, times in counted.items() if times > 1}


@given(st.lists(st.sampled_from("abcdef")))
@settings(deadline=None)
def test_the_second_pass_names_every_repetition_and_where(ids: list[str]) -> None:
    places = [(line_id, str(i)) for i, line_id in enumerate(ids)]
    everything = frozenset(map(hash, ids))  # as if all hashes had collided
    found = list(duplicates(places, everything))
    assert found == [
        (line_id, str(ids.index(line_id)), str(i)) for i, line_id in enumerate(ids) if line_id in ids[:i]
    ]


def test_spilled_and_held_hashes_agree_on_many_ids() -> None:
    ids = [f"s3://bucket/page-{i // 30}/line-{i}.png" for i in range(20_000)]
    ids[15_000], ids[19_999] = ids[3], ids[15_001]
    answers = []
    for in_memory in (10**6, 999):
        with IdHashes(in_memory=in_memory) as hashes:
            for start in range(0, len(ids), 1000):
                hashes.add(ids[start : start + 1000])
            answers.append(frozenset().union(*hashes.suspects()))
    assert answers[0] == answers[1] == {hash(ids[3]), hash(ids[15_001])}


def test_a_doubled_output_cannot_fill_the_memory() -> None:
    with IdHashes(in_memory=10_000) as hashes:
        for _ in range(2):
            hashes.add(map(str, range(50_000)))
        some = list(hashes.suspects())
    assert max(map(len, some)) <= SUSPECTS_AT_ONCE
    assert sum(map(len, some)) == 50_000


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with IdHashes(in_memory=1) as hashes:
        hashes.add(["a", "b"])
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())
