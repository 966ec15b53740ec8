"""Texts written into copies of ALTO files, read back by another parser."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from export.copying import write_into
from export.made import ALTO, alto_line, alto_xml, row
from export.models import problems
from hwr_batch.export.request import Detail

OLD = '<String CONTENT="old text" HPOS="100" VPOS="200" WIDTH="300" HEIGHT="40"></String>'


def content(data: bytes, name: str = "l1", version: int = 4) -> list[ElementTree.Element]:
    lines = ElementTree.fromstring(data).iter(f"{{{ALTO.format(version)}}}TextLine")
    return [e for line in lines if line.get("ID") == name for e in line if not e.tag.endswith("}Shape")]


def local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def text_of(data: bytes, name: str = "l1", version: int = 4) -> str:
    """As readers of ALTO do: Strings, a blank for each SP."""
    return "".join(" " if local(e) == "SP" else e.get("CONTENT", "") for e in content(data, name, version))


def alternatives(data: bytes, version: int = 4) -> list[tuple[str | None, str | None]]:
    found = ElementTree.fromstring(data).iter(f"{{{ALTO.format(version)}}}ALTERNATIVE")
    return [(e.get("PURPOSE"), e.text) for e in found]


@pytest.mark.parametrize("prefix", ["", "a:"])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_words_stand_where_their_characters_do(version: int, prefix: str) -> None:
    source = alto_xml(alto_line("l1", OLD), version=version, prefix=prefix)
    data, _ = write_into(source, [row("l1", "ab  c", char_scores=[0.5, 0.98, 1.0, 1.0, 0.25])])
    assert problems(data) == []
    first, space, second = content(data, version=version)
    position = {"VPOS": "200", "HEIGHT": "40"}
    assert (
        first.attrib == {"CONTENT": "ab", "HPOS": "100", "WIDTH": "20", "WC": "0.7000", "CC": "40"} | position
    )
    assert space.attrib == {"HPOS": "120", "VPOS": "200", "WIDTH": "20"}
    assert (
        second.attrib == {"CONTENT": "c", "HPOS": "140", "WIDTH": "10", "WC": "0.2500", "CC": "7"} | position
    )
    glyphs = [e.attrib for e in first if local(e) == "Glyph"]
    if version < 4:
        assert glyphs == []
    else:
        assert glyphs[1] == {"CONTENT": "b", "HPOS": "110", "WIDTH": "10", "GC": "0.9800"} | position


def test_other_word_counts_leave_the_old_line_as_one_alternative() -> None:
    old = ['<String CONTENT="a" ID="s1"/>', "<SP/>", '<String CONTENT="b"/>', '<HYP CONTENT="-"/>']
    data, _ = write_into(alto_xml(alto_line("l1", *old)), [row("l1", "one two three")])
    assert problems(data) == []
    assert text_of(data) == "one two three"
    assert alternatives(data) == [("previous text of the line", "a b-")]
    assert [local(e) for e in content(data)] == ["String", "SP", "String", "SP", "String"]


def test_equally_many_words_keep_what_is_theirs() -> None:
    old = [
        """<String ID="s1" STYLEREFS='f1' STYLE="bold"\n CONTENT="a &amp; b" WC="0.1" HPOS="1"/>""",
        "<SP/>",
        '<String ID="s2" CONTENT="two" SUBS_TYPE="HypPart1" SUBS_CONTENT="twofold" CS="true"/>',
    ]
    data, _ = write_into(alto_xml(alto_line("l1", *old)), [row("l1", "One Two")], Detail.WORD)
    first, _, second = content(data)
    assert {key: first.get(key) for key in ("ID", "STYLEREFS", "STYLE", "CONTENT", "WC", "HPOS")} == {
        "ID": "s1",
        "STYLEREFS": "f1",
        "STYLE": "bold",
        "CONTENT": "One",
        "WC": "0.9000",
        "HPOS": "100",
    }
    assert set(second.attrib) == {"ID", "CONTENT", "HPOS", "VPOS", "WIDTH", "HEIGHT", "WC"}
    assert alternatives(data) == [("previous text", "a & b"), ("previous text", "two")]
    assert problems(data) == []


def test_alternatives_that_were_there_stay() -> None:
    old = (
        '<String CONTENT="x"><Shape><Polygon POINTS="0 0 1 1"/></Shape><ALTERNATIVE>y</ALTERNATIVE></String>'
    )
    data, _ = write_into(alto_xml(alto_line("l1", old)), [row("l1", "one")])
    assert alternatives(data) == [("previous text", "x"), (None, "y")]
    again, _ = write_into(data, [row("l1", "one two")])
    assert alternatives(again) == [("previous text of the line", "one"), ("previous text", "x"), (None, "y")]
    assert problems(data) == problems(again) == []


def test_everything_else_keeps_its_bytes() -> None:
    shape = "<Shape><Polygon POINTS='100 200 400 200' /></Shape>"
    untouched = alto_line("l2", shape, '<String CONTENT="J&#x27;ai"   WC="0.50"/>')
    source = alto_xml(alto_line("l1", shape, OLD, "<!-- kept -->"), untouched)
    data, _ = write_into(source, [row("l1", "new text"), row("l2", None)], Detail.WORD)
    start, end = data.index(b'<String CONTENT="new"'), data.rindex(b"\n            <!-- kept")
    assert (data[:start] + OLD.encode() + data[end:]).decode() == source


def test_detail_line_changes_a_string_in_place() -> None:
    data, _ = write_into(alto_xml(alto_line("l1", OLD)), [row("l1", "new text here")], Detail.LINE)
    (string,) = content(data)
    assert {key: string.get(key) for key in ("CONTENT", "HPOS", "WIDTH", "WC", "CC")} == {
        "CONTENT": "new text here",
        "HPOS": "100",
        "WIDTH": "300",
        "WC": "0.9000",
        "CC": None,
    }
    assert problems(data) == []


@pytest.mark.parametrize("text", ["", "   "])
@pytest.mark.parametrize("old", [(), (OLD,), ('<String CONTENT=""/>',)])
def test_an_empty_line_has_one_empty_string(text: str, old: tuple[str, ...]) -> None:
    data, _ = write_into(alto_xml(alto_line("l1", *old)), [row("l1", text)])
    (string,) = content(data)
    assert (string.get("CONTENT"), string.get("WC")) == ("", "0.9000")
    assert [text for _, text in alternatives(data)] == (["old text"] if old == (OLD,) else [])
    assert problems(data) == []


@pytest.mark.parametrize("line", ['<TextLine ID="l1"/>', '<TextLine ID="l1"></TextLine>'])
def test_a_line_without_content_gets_some(line: str) -> None:
    data, _ = write_into(alto_xml(line), [row("l1", "ab cd")])
    assert text_of(data) == "ab cd"
    assert content(data)[0].get("VPOS") == "200"  # the manifest's own box
    assert problems(data) == []


def test_content_stands_behind_the_shape() -> None:
    data, _ = write_into(
        alto_xml(alto_line("l1", "<Shape><Polygon POINTS='1 1 2 2'/></Shape>")), [row("l1", "ab")]
    )
    assert problems(data) == []
    assert text_of(data) == "ab"


def test_other_units_are_reached_by_the_lines_own_edges() -> None:
    position = 'HPOS="1000.0" VPOS="55" WIDTH="600" HEIGHT="7"'  # 100 … 400 px: two tenths of a mm each
    data, _ = write_into(alto_xml(alto_line("l1", position=position), unit="mm10"), [row("l1", "ab c")])
    first, _, second = content(data)
    assert [first.get(key) for key in ("HPOS", "WIDTH", "VPOS", "HEIGHT")] == ["1000", "40", "55", "7"]
    assert [second.get(key) for key in ("HPOS", "WIDTH")] == ["1060", "20"]


def test_other_units_are_reached_by_the_pages_width() -> None:
    source = alto_xml(alto_line("l1", position='HPOS="50" VPOS="1" WIDTH="9" HEIGHT="7"'), unit="inch1200")
    data, _ = write_into(source, [row("l1", "ab", page_width=2000, page_height=2800)])
    assert [content(data)[0].get(key) for key in ("HPOS", "WIDTH")] == ["50", "10"]  # 1000 units, 2000 px


def test_lines_without_an_id_are_known_by_their_outline() -> None:
    shape = "<Shape><Polygon POINTS='1 2 3.4,2 3 9'/></Shape>"
    lines = [
        f'<TextLine HPOS="{x}" VPOS="1.5" WIDTH="10" HEIGHT="7.2">{inside}</TextLine>'
        for x, inside in ((0, shape), (1, ""), (1, ""), (5, ""))
    ]
    rows = [
        row("polygon", "a", xml_line_id=None, polygon="1,2 3,2 3,9"),
        row("twice", "b", xml_line_id=None, x=1, y=1, width=10, height=8),
        row("box", "c", xml_line_id="", x=5, y=1, width=10, height=8),
        row("none", "d", xml_line_id=None),
    ]
    data, placed = write_into(alto_xml(*lines), rows, Detail.LINE)
    assert [line.line_id for line, _ in placed.pairs] == ["page#polygon", "page#box"]
    assert [note.reason for note in placed.notes] == ["stands_twice", "not_in_source"]
    assert [e.get("CONTENT") for e in ElementTree.fromstring(data).iter() if local(e) == "String"] == [
        "a",
        "c",
    ]


def test_a_position_that_is_no_number_is_not_reckoned_with() -> None:
    data, _ = write_into(
        alto_xml(alto_line("l1", position='HPOS="left" WIDTH="300"'), unit="mm10"), [row("l1", "ab")]
    )
    assert content(data)[0].get("HPOS") == "100"


def test_text_that_xml_must_escape_comes_back() -> None:
    text = """<a b='c'&amp;>"]]>\u00a0\u3000\U00020000"""
    data, _ = write_into(alto_xml(alto_line("l1", OLD)), [row("l1", text)])
    assert text_of(data) == text
    assert problems(data) == []


def test_what_xml_cannot_hold_is_replaced_one_for_one() -> None:
    data, _ = write_into(alto_xml(alto_line("l1", OLD)), [row("l1", "a\x00\x0bb\ufffe")])
    assert text_of(data) == "a\ufffd\ufffdb\ufffd"
    assert len(content(data)[0]) == 1 + 5  # an alternative, and a glyph for each character
    assert problems(data) == []


def test_a_file_on_one_line_is_written_into_as_well() -> None:
    old = '<String CONTENT="a"/><SP/><String CONTENT="b"/><HYP CONTENT="-"/>'
    source = "".join(part.strip() for part in alto_xml(f'<TextLine ID="l1">{old}</TextLine>').splitlines())
    data, _ = write_into(source, [row("l1", "one two three")])
    assert problems(data) == []
    assert text_of(data) == "one two three"
    assert alternatives(data) == [("previous text of the line", "a b-")]
    assert b"\n" not in data
