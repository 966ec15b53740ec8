"""Equal ids are found, whatever their hashes do."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.manifest.duplicates import IdHashes, first_duplicate


class Colliding(str):
    """A string that shares its hash with every other of its length."""

    __slots__ = ()

    def __hash__(self) -> int:
        return len(self)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True


def batches(ids: list[str], size: int = 3) -> list[tuple[int, list[str]]]:
    return [(start, ids[start : start + size]) for start in range(0, len(ids), size)]


def search(ids: list[str], in_memory: int = 1000) -> tuple[str, int, int] | None:
    with IdHashes(in_memory) as hashes:
        for _, some in batches(ids):
            hashes.add(some)
        for suspects in hashes.suspects():
            assert (np.diff(suspects) > 0).all()
            found = first_duplicate(batches(ids), suspects)
            if found is not None:
                return found
    return None


def brute(ids: list[str]) -> tuple[str, int, int] | None:
    for row, line_id in enumerate(ids):
        if line_id in ids[:row]:
            return str(line_id), ids.index(line_id), row
    return None


@given(st.lists(st.text("abc", max_size=3), max_size=60))
def test_the_earliest_duplicate_is_found(ids):
    assert search(ids) == brute(ids)


@given(st.lists(st.text("ab", max_size=3), max_size=60))
def test_colliding_hashes_neither_hide_nor_invent_a_duplicate(texts):
    ids: list[str] = [Colliding(text) for text in texts]
    found, expected = search(ids), brute(ids)
    assert (found is None) == (expected is None)
    if found is not None:
        line_id, first, second = found
        assert ids[first] == ids[second] == line_id and first < second


@pytest.mark.parametrize("in_memory", [4, 50, 1000])
def test_spilled_to_files(in_memory):
    ids = [f"line-{i}" for i in range(500)]
    assert search(ids, in_memory) is None
    ids[400] = "line-17"
    assert search(ids, in_memory) == ("line-17", 17, 400)


def test_many_duplicates_are_offered_a_few_at_a_time():
    with IdHashes() as hashes:
        hashes.add([f"line-{i % 5000}" for i in range(10_000)])
        first = next(islice(hashes.suspects(), 1))
    assert len(first) == 16 and first.tolist() == [*range(8), *range(5000, 5008)]
