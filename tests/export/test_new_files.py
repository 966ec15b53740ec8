"""Pages without a layout file: new PAGE, ALTO, hOCR and text files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest

from export.copying import as_line
from export.made import row
from export.models import problems
from hwr_batch.export.hocr import hocr
from hwr_batch.export.lines import Page
from hwr_batch.export.new_files import NewFile, new_file
from hwr_batch.export.request import Detail, Format
from hwr_batch.export.text import plain

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
LINES = [
    row("b", "second", reading_order=1, region_id="r1", y=300, polygon="90,290 410,-3 400,345"),
    row("a", "first & <last>", reading_order=0, region_id="r1", baseline="100,230 400,230"),
    row("c", None, reading_order=2, region_id=None),
]


def page(*rows: dict[str, object]) -> Page:
    return Page(tuple(map(as_line, rows or LINES)))


def elements(data: bytes, name: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(data).iter() if e.tag.endswith(f"}}{name}")]


def test_a_page_file_has_its_lines_in_reading_order() -> None:
    made = new_file(page(), (1000, 1400), Format.PAGE, NOW)
    assert problems(made.data) == []
    assert [e.get("id") for e in elements(made.data, "TextLine")] == ["a", "b", "c"]
    assert [e.get("id") for e in elements(made.data, "TextRegion")] == ["r1", "r2"]
    assert [e.get("regionRef") for e in elements(made.data, "RegionRefIndexed")] == ["r1", "r2"]
    (whole,) = elements(made.data, "Page")
    assert whole.attrib == {"imageFilename": "page.jpg", "imageWidth": "1000", "imageHeight": "1400"}
    assert [e.text for e in elements(made.data, "Created")] == ["2026-01-02T02:04:05Z"]
    assert [e.get("points") for e in elements(made.data, "Coords")] == [
        "90,0 410,0 410,345 90,345",  # around both lines; PAGE has no negative numbers
        "100,200 400,200 400,240 100,240",
        "90,290 410,0 400,345",
        "100,200 400,200 400,240 100,240",
        "100,200 400,200 400,240 100,240",
    ]
    assert [e.get("points") for e in elements(made.data, "Baseline")] == ["100,230 400,230"]


def test_an_alto_file_has_its_lines_in_reading_order() -> None:
    made = new_file(page(), (1000, 1400), Format.ALTO, NOW)
    assert problems(made.data) == []
    lines = elements(made.data, "TextLine")
    assert [e.get("ID") for e in lines] == ["a", "b", "c"]
    assert lines[0].attrib == {
        "ID": "a",
        "HPOS": "100",
        "VPOS": "200",
        "WIDTH": "300",
        "HEIGHT": "40",
        "BASELINE": "100,230 400,230",
    }
    assert [e.get("POINTS") for e in elements(made.data, "Polygon")] == ["90,290 410,0 400,345"]
    assert [e.get("CONTENT") for e in elements(made.data, "String")] == ["", "", ""]
    assert [e.text for e in elements(made.data, "fileName")] == ["page.jpg"]


@pytest.mark.parametrize("format", [Format.PAGE, Format.ALTO])
def test_ids_that_xml_refuses_and_ids_that_stand_twice_are_numbered(format: Format) -> None:
    wanted = ["1", "a b", "", "x", "x", "page", "l1", None, "é"]
    rows = [row(str(i), "t", xml_line_id=name, region_id=name) for i, name in enumerate(wanted)]
    made = new_file(page(*rows), (10, 10), format, NOW)
    assert problems(made.data) == []
    ids = [line.xml_line_id for line in made.lines]
    assert len(set(ids)) == len(wanted)
    assert [line.line_id for line in made.lines] == [f"page#{i}" for i in range(len(wanted))] or format


def test_names_are_escaped_and_cut_to_the_file() -> None:
    rows = [row("a", "t", image='s3://bucket/x/<"&\x01>.jpg')]
    made = new_file(page(*rows), (10, 10), Format.PAGE, NOW)
    assert elements(made.data, "Page")[0].get("imageFilename") == '<"&\ufffd>.jpg'


def test_a_new_file_is_a_pure_function() -> None:
    made = [new_file(page(), (1, 1), Format.PAGE, NOW.astimezone(UTC)) for _ in range(2)]
    assert made[0] == made[1]
    assert isinstance(made[0], NewFile)


def boxes(element: ElementTree.Element) -> str:
    return str(element.get("title"))


@pytest.mark.parametrize("detail", list(Detail))
def test_hocr_says_what_stands_where(detail: Detail) -> None:
    root = ElementTree.fromstring(hocr(page(), (1000, 1400), detail))
    by_class: dict[str, list[ElementTree.Element]] = {}
    for element in root.iter():
        by_class.setdefault(element.get("class", ""), []).append(element)
    assert [boxes(e) for e in by_class["ocr_page"]] == ['image "page.jpg"; bbox 0 0 1000 1400; ppageno 0']
    assert [boxes(e) for e in by_class["ocr_line"]] == [
        "bbox 100 200 400 240",
        "bbox 100 300 400 340",
        "bbox 100 200 400 240",
    ]
    words = [("".join(e.itertext()), boxes(e)) for e in by_class["ocrx_word"]]
    if detail is Detail.LINE:
        assert words[0] == ("first & <last>", "bbox 100 200 400 240; x_wconf 90")
    else:
        assert words[0] == ("first", "bbox 100 200 150 240; x_wconf 90")
        assert [text for text, _ in words] == ["first", "&", "<last>", "second"]
    chars = [(e.text, boxes(e)) for e in by_class.get("ocrx_cinfo", [])]
    assert chars[:1] == ([("f", "x_bboxes 100 200 110 240; x_conf 90.0")] if detail is Detail.CHAR else [])
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(set(ids)) == len(ids)


def test_hocr_escapes_names_and_texts() -> None:
    made = row("a", "<b>\x00&", image="""a"';</div><script>.jpg""")
    root = ElementTree.fromstring(hocr(page(made), (1, 1), Detail.WORD))
    assert not list(root.iter("{http://www.w3.org/1999/xhtml}script"))
    assert [e.text for e in root.iter() if e.get("class") == "ocrx_word"] == ["<b>\ufffd&"]


def test_text_has_a_line_for_each_line() -> None:
    assert plain(page()) == "first & <last>\nsecond\n\n"
    assert plain(page(row("a", "two\r\nlines\u2028more"))) == "two lines more\n"


def test_lines_without_an_order_keep_the_manifests() -> None:
    rows = [
        row(name, name, reading_order=order) for name, order in (("a", None), ("b", 2), ("c", "1"), ("d", ""))
    ]
    assert plain(page(*rows)) == "c\nb\na\nd\n"
    frame = replace(as_line(rows[0]), frame=3)
    assert Page((frame,)).name == "page.jpg page 3"
