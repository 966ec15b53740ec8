"""PAGE and ALTO of every version say the same of the same page; what is wrong is told by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwr_batch.records import Box
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.layout_files import LayoutSource
from hwr_batch.storage import Store

from .drawn import LINES, TEXTS, alto, corners, page_line, page_xml, save_page


def read(folder: Path, xml: str | bytes, name: str = "p1.xml") -> list[Item]:
    path = folder / name
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return LayoutSource(Store(), lambda uri: "p1").lines(str(path))


def lines(items: list[Item]) -> list[FoundLine]:
    return [item for item in items if isinstance(item, FoundLine)]


def problems(items: list[Item]) -> list[tuple[ProblemKind, int | None, bool]]:
    return [(item.kind, item.line, item.left_out) for item in items if isinstance(item, Problem)]


def expected(name: str) -> dict[str, object]:
    left, _, right, bottom = LINES[name]
    return {
        "line_id": f"p1/{name}",
        "xml_line_id": name,
        "region_id": "r1",
        "page_id": "p1",
        "text": TEXTS[name] or None,
        "polygon": tuple(corners(LINES[name])),
        "baseline": ((left, bottom - 8), (right, bottom - 8)),
        "page_size": (400, 300),
    }


@pytest.mark.parametrize(
    "xml",
    [page_xml(version) for version in ("2013-07-15", "2016-07-15", "2017-07-15", "2018-07-15", "2019-07-15")]
    + [alto(3), alto(4)],
)
def test_every_version_says_the_same(tmp_path: Path, xml: str) -> None:
    image = save_page(tmp_path)
    found = read(tmp_path, xml)
    assert problems(found) == []
    for order, (line, name) in enumerate(zip(lines(found), LINES, strict=True)):
        assert {key: getattr(line, key) for key in expected(name)} == expected(name)
        assert (line.image, line.reading_order, line.page) == (str(image), order, None)
        assert line.source_xml == str(tmp_path / "p1.xml")


def test_alto_2_has_boxes_and_one_y_for_the_baseline(tmp_path: Path) -> None:
    save_page(tmp_path)
    first = lines(read(tmp_path, alto(2)))[0]
    assert (first.box, first.polygon) == (Box(20, 20, 280, 40), None)
    assert first.baseline == ((20, 52), (300, 52))


def test_alto_in_tenths_of_millimetres_is_scaled_to_the_image(tmp_path: Path) -> None:
    save_page(tmp_path)
    found = read(tmp_path, alto(4, unit="mm10", scale=2.5))
    assert [line.polygon for line in lines(found)] == [tuple(corners(box)) for box in LINES.values()]


def test_page_of_2010_writes_points_as_elements(tmp_path: Path) -> None:
    save_page(tmp_path)
    points = '<Point x="20" y="20"/><Point x="300" y="20"/><Point x="300" y="60"/>'
    found = read(
        tmp_path, page_xml("2010-03-19", lines=f'<TextLine id="a"><Coords>{points}</Coords></TextLine>')
    )
    assert lines(found)[0].polygon == ((20, 20), (300, 20), (300, 60))


def test_the_best_of_several_texts_is_the_one_with_the_lowest_index(tmp_path: Path) -> None:
    save_page(tmp_path)
    texts = "".join(
        f'<TextEquiv index="{index}"><Unicode>{text}</Unicode></TextEquiv>'
        for index, text in ((2, "worse"), (0, ""), (1, "better"))
    )
    word = '<Word id="w"><TextEquiv><Unicode>no</Unicode></TextEquiv></Word>'
    line = f'<TextLine id="a"><Coords points="1,1 50,1 50,50"/>{texts}{word}</TextLine>'
    assert lines(read(tmp_path, page_xml(lines=line)))[0].text == "better"


def test_alto_strings_without_sp_are_joined_by_spaces_and_a_hyphen_stays(tmp_path: Path) -> None:
    save_page(tmp_path)
    box = 'HPOS="1" VPOS="1" WIDTH="50" HEIGHT="20"'
    words = '<String CONTENT="two"/><String CONTENT="words"/><HYP CONTENT="-"/>'
    line = f'<TextLine ID="a" {box}>{words}</TextLine>'
    assert lines(read(tmp_path, alto(lines=line)))[0].text == "two words-"


def region(name: str, body: str, extra: str = "") -> str:
    return f'<TextRegion id="{name}"{extra}><Coords points="0,0 9,0 9,9"/>{body}</TextRegion>'


def order_of(folder: Path, regions: str, order: str = "") -> list[str | None]:
    xml = page_xml(lines="", order=order).replace("</Page>", regions + "</Page>")
    return [line.xml_line_id for line in lines(read(folder, xml))]


def test_page_reading_order(tmp_path: Path) -> None:
    save_page(tmp_path)
    plain = region("ra", page_line("a1") + page_line("a2")) + region("rb", page_line("b1"))
    assert order_of(tmp_path, plain) == ["a1", "a2", "b1"]  # document order where nothing says otherwise
    swapped = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="ra"/>'
        '<RegionRefIndexed index="0" regionRef="rb"/></OrderedGroup></ReadingOrder>'
    )
    assert order_of(tmp_path, plain, swapped) == ["b1", "a1", "a2"]
    nested = (
        '<ReadingOrder><UnorderedGroup id="u"><OrderedGroup id="g"><UnorderedGroupIndexed index="3" id="v">'
        '<RegionRef regionRef="ra"/></UnorderedGroupIndexed><RegionRefIndexed index="0" regionRef="rb"/>'
        "</OrderedGroup></UnorderedGroup></ReadingOrder>"
    )
    assert order_of(tmp_path, plain, nested) == ["b1", "a1", "a2"]
    unnamed = swapped.replace('<RegionRefIndexed index="1" regionRef="ra"/>', "")
    assert order_of(tmp_path, plain, unnamed) == ["b1", "a1", "a2"]  # the rest follows
    custom = region("ra", page_line("a1"), ' custom="readingOrder {index:1;}"') + region(
        "rb",
        page_line("b1", extra=' custom="readingOrder {index:1;}"')
        + page_line("b2", extra=' custom="readingOrder {index:0;} structure {type:x;}"'),
        ' custom="readingOrder {index:0;}"',
    )
    assert order_of(tmp_path, custom) == ["b2", "b1", "a1"]


def test_a_table_stands_for_its_cells_in_the_reading_order(tmp_path: Path) -> None:
    save_page(tmp_path)
    table = (
        f'<TableRegion id="t"><Coords points="0,0 9,0 9,9"/>{region("cell", page_line("c1"))}</TableRegion>'
    )
    order = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="0" regionRef="t"/>'
        '<RegionRefIndexed index="1" regionRef="ra"/></OrderedGroup></ReadingOrder>'
    )
    assert order_of(tmp_path, region("ra", page_line("a1")) + table, order) == ["c1", "a1"]


def test_alto_reading_order(tmp_path: Path) -> None:
    save_page(tmp_path)
    refs = '<OrderedGroup><ElementRef REF="l3"/><ElementRef REF="l1"/></OrderedGroup>'
    order = f"<ReadingOrder>{refs}</ReadingOrder><Layout>"
    found = lines(read(tmp_path, alto().replace("<Layout>", order)))
    assert [line.xml_line_id for line in found] == ["l3", "l1", "l2"]


@pytest.mark.parametrize(
    ("line", "kind", "row"),
    [
        (page_line("bad", points="1,1 5,x 9,9"), ProblemKind.NOT_NUMBERS, False),
        (page_line("bad", points="1,1 5,5 9"), ProblemKind.NOT_NUMBERS, False),
        (page_line("bad", points="1,1 nan,5 9,9"), ProblemKind.NOT_NUMBERS, False),
        (page_line("bad", points="1,1 1e300,5 9,9"), ProblemKind.NOT_NUMBERS, False),
        (page_line("bad", points="1,1 5,5"), ProblemKind.NO_REGION, False),
        (page_line("bad", points="500,10 600,10 600,50"), ProblemKind.OUTSIDE_PAGE, False),
        (page_line("bad", points="-300,10 60,10 60,50 -300,50"), ProblemKind.OUTSIDE_PAGE, True),
        (page_line("bad", baseline="1,one 2,2"), ProblemKind.NOT_NUMBERS, True),
        (page_line("l1"), ProblemKind.DUPLICATE_ID, False),
        ('<TextLine id="bad"/>', ProblemKind.NO_REGION, False),
    ],
)
def test_a_bad_line_is_told_and_the_rest_goes_on(
    tmp_path: Path, line: str, kind: ProblemKind, row: bool
) -> None:
    save_page(tmp_path)
    found = read(tmp_path, page_xml(lines=f"{page_line('l1')}\n{line}\n{page_line('l2')}"))
    assert problems(found) == [(kind, 6, not row)]  # the sixth line of the file
    assert [found.xml_line_id for found in lines(found)] == ["l1", *(["bad"] if row else []), "l2"]
    assert [found.reading_order for found in lines(found)] == list(range(3 if row else 2))


def test_a_slight_overshoot_is_nothing_to_tell(tmp_path: Path) -> None:
    save_page(tmp_path)
    found = read(tmp_path, page_xml(lines=page_line("l1", points="-3,-2 404,-2 404,60 -3,60")))
    assert problems(found) == [] and len(lines(found)) == 1


@pytest.mark.parametrize("size", [(800, 600), (300, 400), (402, 300)])
def test_the_wrong_size_is_one_problem_for_the_page(tmp_path: Path, size: tuple[int, int]) -> None:
    save_page(tmp_path, size=size)
    assert problems(read(tmp_path, page_xml())) == [(ProblemKind.SIZE_DIFFERS, 3, True)]


def test_one_pixel_more_is_the_same_size(tmp_path: Path) -> None:
    save_page(tmp_path, size=(401, 299))
    assert problems(read(tmp_path, page_xml())) == []


def test_no_image_and_a_damaged_one(tmp_path: Path) -> None:
    assert problems(read(tmp_path, page_xml())) == [(ProblemKind.IMAGE_MISSING, 3, True)]
    (tmp_path / "p1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    assert problems(read(tmp_path, page_xml())) == [(ProblemKind.IMAGE_UNREADABLE, 3, True)]


@pytest.mark.parametrize(
    "said",
    [
        "p1.png",
        "C:\\scans\\box 3\\p1.png",
        "file:///srv/scans/p1.png",
        "../../../etc/p1.png",
        "other.tif",
        "",
    ],
)
def test_the_image_is_found_by_its_bare_name_or_by_the_name_of_the_xml(tmp_path: Path, said: str) -> None:
    image = save_page(tmp_path)
    assert {line.image for line in lines(read(tmp_path, page_xml(image=said)))} == {str(image)}


def test_transkribus_keeps_layout_in_a_folder_below_the_images(tmp_path: Path) -> None:
    image = save_page(tmp_path / "doc")
    (tmp_path / "doc" / "page").mkdir()
    found = read(tmp_path / "doc" / "page", page_xml())
    assert lines(found)[0].image == str(image)


BOMB = '<!DOCTYPE PcGts [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
LOCAL = '<!DOCTYPE PcGts [<!ENTITY f SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("doctype", [BOMB, LOCAL, '<!DOCTYPE PcGts SYSTEM "http://127.0.0.1:9/x.dtd">'])
def test_documents_with_a_doctype_are_refused(tmp_path: Path, doctype: str) -> None:
    save_page(tmp_path)
    xml = page_xml().replace("<PcGts", doctype + "<PcGts", 1)
    assert problems(read(tmp_path, xml)) == [(ProblemKind.NOT_XML, 1, True)]


def test_what_is_no_xml_is_told_with_the_line_where_it_ends(tmp_path: Path) -> None:
    save_page(tmp_path)
    assert problems(read(tmp_path, page_xml()[:-30])) == [(ProblemKind.NOT_XML, 8, True)]
    assert problems(read(tmp_path, b"")) == [(ProblemKind.NOT_XML, 1, True)]
    assert problems(read(tmp_path, "<mets/>")) == [(ProblemKind.NOT_LAYOUT, None, False)]


def test_messages_hold_no_text_of_the_document(tmp_path: Path) -> None:
    save_page(tmp_path)
    found = read(tmp_path, page_xml(lines=page_line("l2", points="secret")))
    assert [str(item) for item in found] == [
        f"{tmp_path}/p1.xml:5: line 'l2' its region holds a coordinate that is not a number"
    ]


def test_several_pages_are_frames_of_the_image(tmp_path: Path) -> None:
    from .drawn import page_image

    page_image().save(tmp_path / "p1.png", "TIFF", save_all=True, append_images=[page_image(seed=1)])
    page = alto().partition("<Layout>")[2].partition("</Layout>")[0]
    xml = alto().replace(page, page + page.replace('ID="l', 'ID="m') + page)
    found = read(tmp_path, xml)
    assert [line.page for line in lines(found)] == [0, 0, 0, 1, 1, 1]
    assert [kind for kind, _, _ in problems(found)] == [ProblemKind.IMAGE_MISSING]
