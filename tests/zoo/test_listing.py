"""`models list` and `models show`."""

from __future__ import annotations

import pytest

from hwr_batch.errors import ModelError
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.entry import Entry
from hwr_batch.zoo.listing import describe, list_models
from hwr_batch.zoo.pull import pull


def test_five_models_of_which_one_is_here(cache: Cache) -> None:
    listed = {listing.name: listing for listing in list_models(cache)}
    assert list(listed) == ["omz-english", "omz-chinese", "omz-japanese", "english-open", "ppocr-v6-small"]
    assert [name for name, listing in listed.items() if listing.present] == ["english-open"]
    assert listed["omz-english"].size == 86_902 + 22_224_984 + 189
    assert listed["omz-japanese"].where.endswith("cache/omz-japanese/FP32")
    assert listed["english-open"].license == "CC-BY-4.0"
    assert listed["ppocr-v6-small"].languages[0] == "zh"


def test_a_pulled_variant_is_present_and_the_others_are_not(tiny: Entry, cache: Cache) -> None:
    folder = pull("tiny", cache)
    shown = describe("tiny", cache)
    assert shown.listing.present
    assert shown.card == tiny.card
    assert [(v.variant, v.present) for v in shown.variants] == [("FP32", True), ("FP16-INT8", False)]
    assert shown.variants[0].where == folder
    assert shown.variants[0].files == tiny.variants["FP32"]


def test_a_cut_file_is_not_present(tiny: Entry, cache: Cache) -> None:
    folder = pull("tiny", cache)
    cache.store.put(f"{folder}/tiny.bin", b"short")
    assert not describe("tiny", cache).listing.present


def test_an_unknown_name(cache: Cache) -> None:
    with pytest.raises(ModelError, match="no model named 'x'"):
        describe("x", cache)
