"""Result rows → lines and pages, whatever a manifest's columns are typed as."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_results import FolderStore, write_part

from export.made import row, write_output
from hwr_batch.export.lines import by_image, by_source, line_box, read_pages
from hwr_batch.records import Box


@pytest.mark.parametrize(
    ("cells", "box"),
    [
        ({"x": 1, "y": 2, "width": 3, "height": 4, "polygon": "9,9 10,10 11,9"}, Box(1, 2, 3, 4)),
        ({"x": "1", "y": "2.0", "width": "3", "height": " 4 "}, Box(1, 2, 3, 4)),
        ({"x": 1.4, "y": 1.6, "width": 3.0, "height": 4.0}, Box(1, 2, 3, 4)),
        ({"x": None, "y": "", "polygon": "5,6 10.4,7 8,-20"}, Box(5, -20, 5, 27)),
        (
            {"x": "nan", "y": "inf", "width": "1", "height": "1", "image_width": 7, "image_height": 8},
            Box(0, 0, 7, 8),
        ),
        ({"polygon": "5 6 10 7 8 -20"}, Box(5, -20, 5, 27)),
        ({"polygon": "5,6 7", "image_width": 7, "image_height": 8}, Box(0, 0, 7, 8)),
        ({"image_width": None, "image_height": None}, Box(0, 0, 0, 0)),
    ],
)
def test_where_a_line_lies(cells: dict[str, object], box: Box) -> None:
    assert line_box(cells) == box


def test_pages_end_where_the_next_begins_across_parts(tmp_path: Path) -> None:
    rows = [row(str(i), "t", image=f"{i // 3}.jpg", source_xml=f"{i // 6}.xml") for i in range(18)]
    output = write_output(tmp_path, rows, per_part=4)
    by_image_ = [
        [line.line_id for line in page.lines] for page in read_pages(output, FolderStore(), by_image)
    ]
    assert by_image_ == [[f"page#{i}" for i in range(first, first + 3)] for first in range(0, 18, 3)]
    by_source_ = [page.source_xml for page in read_pages(output, FolderStore(), by_source)]
    assert by_source_ == ["0.xml", "1.xml", "2.xml"]
    (first, *_) = read_pages(output, FolderStore(), by_source)
    assert [page.image for page in first.by_image()] == ["0.jpg", "1.jpg"]


def test_a_line_that_was_cut_out_is_back_on_its_page(tmp_path: Path) -> None:
    region = {
        f"source_{name}": value
        for name, value in zip(("x", "y", "width", "height"), (7, 8, 90, 10), strict=True)
    }
    gone = dict.fromkeys(("x", "y", "width", "height"))
    spans = {"char_spans": [{"start": 3, "end": 5}], "source_page": 2, "source_polygon": "7,8 97,8 97,18"}
    cut = row("a", "x", **gone, **region, **spans)
    whole = row(
        "b",
        "y",
        **gone,
        **dict.fromkeys(region),
        char_spans=spans["char_spans"],
        source_page=None,
        source_polygon=None,
    )
    output = write_output(tmp_path, [cut, whole])
    (first,), (second,) = (page.lines for page in read_pages(output, FolderStore(), by_image))
    assert (first.box, first.frame, first.spans) == (Box(7, 8, 90, 10), 2, ((10, 12),))
    assert first.polygon == ((7, 8), (97, 8), (97, 18))
    assert (second.box, second.frame, second.spans) == (Box(0, 0, 400, 50), None, ((3, 5),))


def test_a_manifest_of_images_alone_is_enough(tmp_path: Path) -> None:
    columns = ("image_width", "image_height")
    bare = {
        name: value for name, value in row("a", "hi").items() if name not in ("x", "y", "width", "height")
    }
    wanted = [
        name for name in bare if name not in ("source_xml", "xml_line_id", "region_id", "reading_order")
    ]
    write_part(tmp_path, 0, [{name: bare[name] for name in wanted if name not in ("polygon", "baseline")}])
    (page,) = read_pages(str(tmp_path), FolderStore(), by_source)
    (line,) = page.lines
    assert line.box == Box(0, 0, *(bare[name] for name in columns))
    assert (line.source_xml, line.order, line.frame, line.page_size) == (None, None, None, None)
