"""One line against its reference: edits, normalisation, confusions."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.errors import ConfigError
from hwr_batch.evaluate import LineEdits, Normalisation, compare
from hwr_batch.evaluate.confusions import Confusion, ConfusionCounter
from hwr_batch.evaluate.edits import stretches

SHORT = st.text(alphabet="ab é字 ", max_size=9)


def plain_distance(reference: str | list[str], reading: str | list[str]) -> int:
    """Wagner & Fischer 1974, as in the textbook."""
    above = list(range(len(reading) + 1))
    for i, expected in enumerate(reference, start=1):
        row = [i]
        for j, read in enumerate(reading, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (expected != read)))
        above = row
    return above[-1]


@pytest.mark.parametrize(
    ("reference", "reading", "insertions", "deletions", "substitutions", "pairs"),
    [
        ("kitten", "kitten", 0, 0, 0, ()),
        ("kitten", "sitten", 0, 0, 1, (("k", "s"),)),
        ("kitten", "kittens", 1, 0, 0, (("", "s"),)),
        ("kitten", "kiten", 0, 1, 0, (("t", ""),)),
        ("kitten", "sitting", 1, 0, 2, (("k", "s"), ("e", "i"), ("", "g"))),
        ("kitten", "", 0, 6, 0, tuple((c, "") for c in "kitten")),  # read as an empty line
        ("", "ab", 2, 0, 0, (("", "a"), ("", "b"))),
        ("", "", 0, 0, 0, ()),
    ],
)
def test_known_edits(
    reference: str, reading: str, insertions: int, deletions: int, substitutions: int, pairs: object
) -> None:
    line = compare(reference, reading)
    assert (line.insertions, line.deletions, line.substitutions) == (insertions, deletions, substitutions)
    assert line.pairs == pairs
    assert line.exact == (reference == reading)


def test_a_failed_line_is_all_deletions_and_confuses_nothing() -> None:
    assert compare("two words", None) == LineEdits(9, 0, 9, 0, 2, 2, False, True, ())


def test_an_empty_reference_gives_a_cer_and_no_division_by_zero() -> None:
    assert compare("", "ab").cer == 2
    assert compare("", "").cer == 0


@given(SHORT, SHORT)
def test_edits_agree_with_a_second_implementation(reference: str, reading: str) -> None:
    line = compare(reference, reading)
    assert line.edits == plain_distance(reference, reading)
    assert line.word_edits == plain_distance(reference.split(), reading.split())
    assert line.insertions - line.deletions == len(reading) - len(reference)
    assert len(line.pairs) == line.edits
    assert all(expected != read for expected, read in line.pairs)


@pytest.mark.parametrize(
    ("steps", "text", "compared"),
    [
        ({}, "e\u0301te\u0301 ", "été"),  # decomposed accents, a trailing space
        ({}, "a\u00a0 b", "a b"),  # a no-break space is white space
        ({"nfc": False}, "e\u0301", "e\u0301"),
        ({"collapse_whitespace": False}, " a  b ", " a  b "),
        ({"fold_case": True}, "STRASSE straße", "strasse strasse"),
        ({"drop_punctuation": True}, "“Well,” he said – 3+4!", "Well he said 3+4"),
        ({"drop_punctuation": True}, "a-\u0301", "á"),  # the accent meets its letter, and is composed
        ({}, "A, b.", "A, b."),  # case and punctuation count by default
    ],
)
def test_each_step_of_the_normalisation(steps: dict[str, bool], text: str, compared: str) -> None:
    assert Normalisation(**steps).apply(text) == compared


def test_none_compares_the_strings_as_they_are() -> None:
    text = " E\u0301  x, "
    assert Normalisation.none().apply(text) == text


@given(st.text(max_size=20), st.tuples(*[st.booleans()] * 4))
def test_normalising_twice_changes_nothing_more(text: str, steps: tuple[bool, bool, bool, bool]) -> None:
    once = Normalisation(*steps).apply(text)
    assert Normalisation(*steps).apply(once) == once
    if steps[0]:
        assert unicodedata.is_normalized("NFC", once)


@given(st.tuples(*[st.booleans()] * 4))
def test_the_steps_survive_json(steps: tuple[bool, bool, bool, bool]) -> None:
    assert Normalisation.from_json(Normalisation(*steps).to_json()) == Normalisation(*steps)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="stem"):
        Normalisation.from_json({"nfc": True, "stem": True})


def test_confusions_are_ranked_by_count_then_by_character() -> None:
    counter = ConfusionCounter()
    counter.add([("o", "a"), ("", "x"), ("b", "h")])
    counter.add([("o", "a"), ("t", "")])
    assert counter.most_common(3) == (Confusion("o", "a", 2), Confusion("", "x", 1), Confusion("b", "h", 1))
    assert [confusion.kind for confusion in counter.most_common(9)] == [
        "substitution",
        "insertion",
        "substitution",
        "deletion",
    ]


def test_a_full_table_keeps_what_is_frequent() -> None:
    counter = ConfusionCounter(most_pairs=10)
    for rare in range(200):
        counter.add([("o", "a"), ("n", "u"), (chr(0x4E00 + rare), "?")])
    assert counter.most_common(2) == (Confusion("n", "u", 200), Confusion("o", "a", 200))
    assert counter.forgotten + sum(pair.count for pair in counter.most_common(99)) == 600


@given(st.text("abc ", max_size=12), st.text("abc ", max_size=12))
def test_stretches_spell_both_texts(reference: str, reading: str) -> None:
    found = list(stretches(reference, reading))
    assert ("".join(of for _, of, _ in found), "".join(of for _, _, of in found)) == (reference, reading)
    assert all((expected == read) == (kind == "equal") for kind, expected, read in found)
