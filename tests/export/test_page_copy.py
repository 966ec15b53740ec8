"""Texts written into copies of PAGE files, read back by another parser."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from export.copying import write_into
from export.made import PAGE, equiv, page_xml, row, text_line
from export.models import problems
from hwr_batch.export.request import NOT_IN_SOURCE, STANDS_TWICE, Detail

YEARS = (2013, 2016, 2017, 2018, 2019)


def line_of(data: bytes, name: str, year: int = 2019) -> ElementTree.Element:
    found = [
        e
        for e in ElementTree.fromstring(data).iter(f"{{{PAGE.format(year)}}}TextLine")
        if e.get("id") == name
    ]
    assert len(found) == 1
    return found[0]


def texts(element: ElementTree.Element) -> list[tuple[str | None, str | None, str | None]]:
    """(index, conf, text) of each TextEquiv directly in `element`."""
    equivs = [child for child in element if child.tag.endswith("}TextEquiv")]
    return [(e.get("index"), e.get("conf"), e[-1].text) for e in equivs]


@pytest.mark.parametrize("prefix", ["", "pc:"])
@pytest.mark.parametrize("year", YEARS)
def test_a_line_without_text_gets_text_words_and_characters(year: int, prefix: str) -> None:
    data, placed = write_into(page_xml(text_line("l1"), year=year, prefix=prefix), [row("l1", "ab c")])
    assert problems(data) == []
    line = line_of(data, "l1", year)
    assert texts(line) == [(None if year == 2013 else "0", "0.9000", "ab c")]
    words = [child for child in line if child.tag.endswith("}Word")]
    assert [(w.get("id"), w[0].get("points"), texts(w)) for w in words] == [
        ("l1_w1", "100,200 120,200 120,240 100,240", [(None, "0.9000", "ab")]),
        ("l1_w2", "130,200 140,200 140,240 130,240", [(None, "0.9000", "c")]),
    ]
    glyphs = [child for child in words[0] if child.tag.endswith("}Glyph")]
    assert [(g.get("id"), g[0].get("points"), texts(g)) for g in glyphs] == [
        ("l1_w1_g1", "100,200 110,200 110,240 100,240", [(None, "0.9000", "a")]),
        ("l1_w1_g2", "110,200 120,200 120,240 110,240", [(None, "0.9000", "b")]),
    ]
    assert len(placed.pairs) == 1 and placed.notes == ()


@pytest.mark.parametrize("year", YEARS[1:])
def test_existing_text_becomes_the_alternative(year: int) -> None:
    source = page_xml(text_line("l1", equiv("old &amp; worn", ' conf="0.5"'), "<TextStyle/>"), year=year)
    data, _ = write_into(source, [row("l1", "new")])
    assert problems(data) == []
    assert texts(line_of(data, "l1", year)) == [("0", "0.9000", "new"), ("1", "0.5", "old & worn")]


def test_existing_alternatives_move_down_in_their_order() -> None:
    existing = [equiv("second", ' index="1"'), equiv("first", " index='0'"), equiv(" ", ' index="2"')]
    data, _ = write_into(page_xml(text_line("l1", *existing)), [row("l1", "new")])
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "new"), ("2", None, "second"), ("1", None, "first")]
    assert problems(data) == []


def test_an_empty_text_is_no_alternative() -> None:
    data, _ = write_into(page_xml(text_line("l1", equiv(""))), [row("l1", "new")])
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "new")]


@pytest.mark.parametrize(
    ("attributes", "comments"),
    [
        ("", 'previous text: old "&" <worn>'),
        (' custom="x {y:0;}" comments="mind &lt;this&gt;"', 'mind <this>; previous text: old "&" <worn>'),
    ],
)
def test_the_schema_of_2013_keeps_existing_text_in_comments(attributes: str, comments: str) -> None:
    existing = equiv("old &quot;&amp;&quot; &lt;worn&gt;")
    data, _ = write_into(
        page_xml(text_line("l1", existing, attributes=attributes), year=2013), [row("l1", "new")]
    )
    assert problems(data) == []
    line = line_of(data, "l1", 2013)
    assert texts(line) == [(None, "0.9000", "new")]
    assert line.get("comments") == comments
    assert (line.get("custom") is None) == (not attributes)


def test_2013_an_empty_text_leaves_no_comment() -> None:
    data, _ = write_into(page_xml(text_line("l1", equiv("")), year=2013), [row("l1", "new")])
    assert line_of(data, "l1", 2013).attrib == {"id": "l1"}


def test_existing_words_stay_as_they_are() -> None:
    word = '<Word id="w"><Coords points="1,1 2,2"/><TextEquiv><Unicode>old</Unicode></TextEquiv></Word>'
    source = page_xml(text_line("l1", word, equiv("old")))
    data, _ = write_into(source, [row("l1", "new text")])
    assert word.encode() in data and data.count(b"<Word") == 1
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "new text"), ("1", None, "old")]


def test_new_ids_are_nobody_elses() -> None:
    data, _ = write_into(
        page_xml(text_line("l1"), text_line("l1_w1"), text_line("l1_w1_g1")), [row("l1", "ab")]
    )
    assert problems(data) == []
    assert [e.get("id") for e in line_of(data, "l1").iter() if e.tag.endswith(("}Word", "}Glyph"))] == [
        "l1_w1.2",
        "l1_w1.2_g1",
        "l1_w1.2_g2",
    ]


def test_everything_else_keeps_its_bytes() -> None:
    other = text_line("l2", equiv("un&#116;ouched"), attributes="  custom = 'a>b'")
    source = page_xml(text_line("l1", equiv("old")), other, text_line("l3"))
    data, _ = write_into(source, [row("l1", "new"), row("l2", None), row("l3", None)])
    new = b'<TextEquiv index="0" conf="0.9000"><Unicode>new</Unicode></TextEquiv>'
    start, end = data.index(b"<Word"), data.index(b"</Word>") + len(b"</Word>")
    lead = b"\n                "
    without = (
        (data[:start].removesuffix(lead) + data[end:]).replace(new + lead, b"").replace(b' index="1"', b"")
    )
    assert without.decode() == source


@pytest.mark.parametrize("detail", list(Detail))
def test_detail_decides_how_deep_positions_go(detail: Detail) -> None:
    data, _ = write_into(page_xml(text_line("l1")), [row("l1", "ab c")], detail)
    counts = {Detail.LINE: (0, 0), Detail.WORD: (2, 0), Detail.CHAR: (2, 3)}
    assert (data.count(b"<Word"), data.count(b"<Glyph")) == counts[detail]
    assert problems(data) == []


def test_an_empty_line_is_a_text_too() -> None:
    data, _ = write_into(page_xml(text_line("l1", equiv("old"))), [row("l1", "")])
    assert texts(line_of(data, "l1")) == [("0", "0.9000", None), ("1", None, "old")]
    assert problems(data) == []


def test_a_line_that_is_an_empty_tag_is_opened() -> None:
    data, _ = write_into(page_xml('<TextLine id="l1"/>'), [row("l1", "ab")], Detail.LINE)
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "ab")]


def test_spans_left_of_the_page_and_without_width_are_still_rectangles() -> None:
    odd = [{"start": -8, "end": -2}, {"start": 50, "end": 50}]
    data, _ = write_into(page_xml(text_line("l1")), [row("l1", "ab", char_spans=odd)])
    assert problems(data) == []
    assert b'points="0,200 1,200 1,240 0,240"' in data and b'points="50,200 51,200 51,240 50,240"' in data


def test_scores_stay_within_their_bounds() -> None:
    made = row("l1", "ab", score=1.0000001, char_scores=[0.0, 1.0000001])
    data, _ = write_into(page_xml(text_line("l1")), [made])
    assert problems(data) == []
    assert b'conf="1.0000"' in data and b'conf="0.0000"' in data


def test_lines_that_find_no_place_are_named() -> None:
    source = page_xml(text_line("l1"), text_line("twin"), text_line("twin"))
    rows = [
        row("l1", "a"),
        row("l1", "b"),
        row("twin", "c"),
        row("gone", "d"),
        row("no", "e", xml_line_id=None),
    ]
    data, placed = write_into(source, rows, Detail.LINE)
    assert [note.reason for note in placed.notes] == [
        STANDS_TWICE,
        STANDS_TWICE,
        NOT_IN_SOURCE,
        NOT_IN_SOURCE,
    ]
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "a")]
    assert data.count(b"Unicode>") == 2


def test_writing_into_an_export_keeps_every_text() -> None:
    first, _ = write_into(page_xml(text_line("l1", equiv("old"))), [row("l1", "one")], Detail.LINE)
    second, _ = write_into(first, [row("l1", "two")], Detail.LINE)
    assert [text for _, _, text in texts(line_of(second, "l1"))] == ["two", "one", "old"]
    assert [index for index, _, _ in texts(line_of(second, "l1"))] == ["0", "1", "2"]


def test_windows_line_ends_and_utf_16_survive() -> None:
    source = page_xml(text_line("l1")).replace("UTF-8", "UTF-16").replace("\n", "\r\n")
    data, _ = write_into(b"\xff\xfe" + source.encode("utf-16-le"), [row("l1", "Ł你")])
    assert data.startswith(b"\xff\xfe")
    text = data[2:].decode("utf-16-le")
    assert text.count("\n") == text.count("\r\n")
    assert texts(line_of(data, "l1")) == [("0", "0.9000", "Ł你")]


@pytest.mark.parametrize("year", [2013, 2019])
@pytest.mark.parametrize("existing", ["", "old"])
def test_a_file_on_one_line_is_written_into_as_well(year: int, existing: str) -> None:
    made = page_xml(text_line("l1", equiv(existing)), text_line("l2"), year=year)
    source = "".join(part.strip() + " " * part.endswith("?>") for part in made.splitlines())
    data, _ = write_into(source, [row("l1", "one two"), row("l2", "three")])
    assert problems(data) == []
    assert [texts(line_of(data, name, year))[0][2] for name in ("l1", "l2")] == ["one two", "three"]
    assert b"\n" not in data
