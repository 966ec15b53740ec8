"""Real ALTO pages (eScriptorium), and PAGE variants of them: lines in = lines out, all where it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from export.made import PAGE, row, spans, write_output
from export.models import problems
from hwr_batch.export import Detail, ExportOptions, Format, export
from hwr_batch.export.markup import in_attribute, in_text
from hwr_batch.storage import Store

PAGES = Path(__file__).parents[2].parent / "shared" / "data" / "pages"
COLLECTIONS = ("alto_copiste_2024_fr", "alto_stanford_1905_en")
ALTO_4 = "{http://www.loc.gov/standards/alto/ns-v4#}"


def sources(collection: str) -> list[Path]:
    if not PAGES.is_dir():
        pytest.skip("the shared page scans are not here")
    return sorted((PAGES / collection).glob("*.xml"))


def lines(data: bytes) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(data).iter() if e.tag.endswith("}TextLine")]


def rows(path: Path) -> list[dict[str, Any]]:
    """What a manifest and a run would make of a page: each line read as 'read <its old text>'."""
    made = []
    for order, line in enumerate(lines(path.read_bytes())):
        name, text = str(line.get("ID")), f"read {old_text(line)}"
        box = {key: int(line.get(key.upper()) or 0) for key in ("width", "height")}
        points = str(next(line.iter(f"{ALTO_4}Polygon")).get("POINTS")).split()
        polygon = " ".join(f"{x},{y}" for x, y in zip(points[::2], points[1::2], strict=True))
        x, y = int(line.get("HPOS") or 0), int(line.get("VPOS") or 0)
        place = {"x": x, "y": y, **box, "polygon": polygon, "reading_order": order}
        char_spans = spans(text, start=x, step=3)
        files = {"source": path.name, "image": f"{path.stem}.jpg", "line_id": f"{path.stem}#{name}"}
        made.append(row(name, text, char_spans=char_spans, **files, **place))
    return made


def old_text(line: ElementTree.Element) -> str:
    return " ".join(e.get("CONTENT", "") for e in line if e.tag == f"{ALTO_4}String")


def outline(data: bytes) -> list[tuple[str, str, str]]:
    """Everything of a file but what its lines say: each element, its attributes, its text."""
    content = ("String", "SP", "HYP", "Glyph", "ALTERNATIVE", "Word", "TextEquiv", "Unicode")
    root = ElementTree.fromstring(data)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag.rpartition("}")[2] in content]:
            parent.remove(child)
    return [(e.tag, json.dumps(e.attrib), (e.text or "").strip()) for e in root.iter()]


@pytest.mark.parametrize("detail", list(Detail))
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_alto_lines_in_are_lines_out(tmp_path: Path, collection: str, detail: Detail) -> None:
    paths = sources(collection)
    for path in paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    expected = {path: rows(path) for path in paths}
    everything = [made for page in expected.values() for made in page]
    output = write_output(tmp_path, everything, per_part=7)
    summary = export(ExportOptions(output, str(tmp_path / "dest"), Format.ALTO, detail), Store())
    assert (summary.written, summary.files, summary.notes_files) == (len(everything), len(paths), ())
    for path, page in expected.items():
        data = (tmp_path / "dest" / path.name).read_bytes()
        assert problems(data) == []
        assert outline(data) == outline(path.read_bytes())
        assert [line.get("ID") for line in lines(data)] == [made["xml_line_id"] for made in page]
        for line, made, before in zip(lines(data), page, lines(path.read_bytes()), strict=True):
            assert old_text(line).split() == made["text"].split()
            alternatives = " ".join(e.text or "" for e in line.iter(f"{ALTO_4}ALTERNATIVE"))
            assert alternatives == old_text(before)
            assert [e.attrib for e in line.iter(f"{ALTO_4}Polygon")] == [
                e.attrib for e in before.iter(f"{ALTO_4}Polygon")
            ]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_lines_that_were_not_read_leave_the_file_as_it_is(tmp_path: Path, collection: str) -> None:
    paths = sources(collection)
    unread = {"text": None, "score": None, "char_scores": None, "char_spans": None}
    everything = [
        {**made, **unread, "status": "image_missing", "error": "it is not there"}
        for path in paths
        for made in rows(path)
    ]
    everything[0] |= {"text": "x", "score": 0.5, "char_scores": [0.5], "status": "ok", "error": None}
    everything[0]["char_spans"] = spans("x", start=0)
    for path in paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    output = write_output(tmp_path, everything)
    export(ExportOptions(output, str(tmp_path / "dest"), Format.ALTO), Store())
    same = [(tmp_path / "dest" / path.name).read_bytes() == path.read_bytes() for path in paths]
    assert same == [False] + [True] * (len(paths) - 1)


def page_variant(path: Path, year: int) -> str:
    """The PAGE file that a converter would make of an ALTO page."""
    source = []
    for line in lines(path.read_bytes()):
        points = str(next(line.iter(f"{ALTO_4}Polygon")).get("POINTS")).split()
        polygon = " ".join(f"{x},{y}" for x, y in zip(points[::2], points[1::2], strict=True))
        text = f"<TextEquiv><Unicode>{in_text(old_text(line))}</Unicode></TextEquiv>"
        source.append(
            f'<TextLine id="{line.get("ID")}"><Coords points="{polygon}"/>\n  {text}\n  </TextLine>'
        )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="{PAGE.format(year)}"><Metadata/>
<Page imageFilename="{in_attribute(path.stem)}.jpg" imageWidth="5000" imageHeight="5000">
<TextRegion id="r"><Coords points="0,0 1,1"/>
{chr(10).join(source)}
</TextRegion></Page></PcGts>
"""


@pytest.mark.parametrize("year", [2013, 2016, 2019])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_page_lines_in_are_lines_out(tmp_path: Path, collection: str, year: int) -> None:
    paths = sources(collection)
    expected = {path: rows(path) for path in paths}
    for path in paths:
        (tmp_path / path.name).write_text(page_variant(path, year), encoding="utf-8")
    everything = [made for page in expected.values() for made in page]
    summary = export(
        ExportOptions(write_output(tmp_path, everything), str(tmp_path / "dest"), Format.PAGE), Store()
    )
    assert summary.written == len(everything)
    for path, page in expected.items():
        before, data = (tmp_path / path.name).read_bytes(), (tmp_path / "dest" / path.name).read_bytes()
        assert problems(data) == []
        namespace = f"{{{PAGE.format(year)}}}"
        for line, made in zip(lines(data), page, strict=True):
            texts = [str(e[-1].text or "") for e in line.findall(f"{namespace}TextEquiv")]
            old = made["text"].removeprefix("read ")
            assert line.get("id") == made["xml_line_id"]
            assert texts == [made["text"]] if year == 2013 else texts == [made["text"], *filter(None, [old])]
            if year == 2013:
                assert line.get("comments") == (f"previous text: {old}" if old else None)
            words = [str(e[-1][-1].text) for e in line.findall(f"{namespace}Word")]
            assert words == made["text"].split()
        without_comments = re.sub(rb' comments="[^"]*"', b"", data)
        assert outline(without_comments) == outline(before)
