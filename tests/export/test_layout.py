"""Which files are layout files, and what is refused."""

from __future__ import annotations

import pytest

from export.copying import write_into
from export.made import alto_xml, page_xml, row, text_line
from hwr_batch.export.layout import hardened_parse, recognise
from hwr_batch.export.offsets import LayoutError, parse
from hwr_batch.export.request import Format


@pytest.mark.parametrize(
    ("source", "format", "version"),
    [
        (page_xml(year=2013), Format.PAGE, 2013),
        (page_xml(year=2019, prefix="pc:"), Format.PAGE, 2019),
        (alto_xml(version=2), Format.ALTO, 2),
        (alto_xml(version=4, prefix="alto:"), Format.ALTO, 4),
    ],
)
def test_layout_formats_are_known_by_their_namespace(source: str, format: Format, version: int) -> None:
    layout = recognise(parse(source.encode()))
    assert (layout.format, layout.version) == (format, version)


@pytest.mark.parametrize(
    "source",
    [
        "<PcGts/>",
        "<alto/>",
        page_xml(year=2010),
        alto_xml(version=5),
        alto_xml(version=4).replace("alto", "other"),
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
    ],
)
def test_other_files_are_none(source: str) -> None:
    with pytest.raises(LayoutError, match="neither PAGE"):
        recognise(parse(source.encode()))


def test_lines_of_other_namespaces_are_no_lines() -> None:
    other = '<x:TextLine xmlns:x="urn:x" id="l1"/>'
    data, placed = write_into(page_xml(other, text_line("l1")), [row("l1", "a")])
    assert len(placed.pairs) == 1
    assert other.encode() in data


def test_a_tree_too_deep_for_other_parsers_is_refused() -> None:
    deep = "<UserDefined>" * 300 + "</UserDefined>" * 300
    with pytest.raises(LayoutError, match="read safely"):
        write_into(page_xml(text_line("l1", deep)), [row("l1", "a")])


@pytest.mark.parametrize("data", [b"<a>", b"", b'<!DOCTYPE a [<!ENTITY x "%s">]><a>&x;&x;</a>' % (b"h" * 10)])
def test_the_second_parser_expands_nothing(data: bytes) -> None:
    try:
        root = hardened_parse(data)
    except LayoutError:
        return
    assert root.text is None  # the reference stays a reference
