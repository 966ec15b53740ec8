"""Manifests as they come out, read back by the room that reads manifests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from hwr_batch.config import AccessOptions, Limits
from hwr_batch.errors import ManifestError
from hwr_batch.image import open_page
from hwr_batch.manifest import open_manifest
from hwr_batch.plan import cut_shards, mark_spacing
from hwr_batch.records import Row, ShardSpec
from hwr_batch.region import crop
from hwr_batch.sources import BuildOptions, LineFormat, Problem, Summary, build
from hwr_batch.sources import alto as alto_format
from hwr_batch.sources.ahead import ahead
from hwr_batch.sources.layout import points
from hwr_batch.sources.manifest_writer import points_text
from hwr_batch.sources.xml_tree import parse
from hwr_batch.storage import AccessPolicy, ImageSource, Store, join

from .drawn import LINES, alto, file_of, page_image, page_line, page_xml, save_page


def make(output: str, *sources: str, told: list[Problem] | None = None, **options: Any) -> Summary:
    heard = [] if told is None else told
    return build(
        [str(source) for source in sources], str(output), Store(), BuildOptions(**options), heard.append
    )


def rows_of(uri: str) -> list[Row]:
    manifest = open_manifest(uri, Store())
    scan = manifest.scan(mark_spacing(None), None, None)
    return [row for spec in cut_shards(scan.marks, scan.rows, None) for row in manifest.read(spec).rows]


def line_pixels(uri: str, row: Row) -> np.ndarray[Any, Any]:
    """What the job would see of a row, in grey."""
    source = ImageSource(Store(), AccessPolicy.for_manifest(uri, AccessOptions()), Limits())
    data = row.embedded if row.embedded is not None else source.fetch(row.image)
    return crop(open_page(data, page=row.page), row)[0]


def layout_folder(folder: Path) -> None:
    for number, xml in enumerate([page_xml(), alto(2), alto(4)]):
        save_page(folder / f"b{number}", seed=number)
        (folder / f"b{number}" / "p1.xml").write_text(xml)


def test_a_folder_of_line_images(tmp_path: Path) -> None:
    for name in ("2.png", "1.png", "sub/1.png", "readme.txt"):
        save_page(tmp_path / Path(name).parent, Path(name).name)
    output = str(tmp_path / "m.parquet")
    found = make(output, str(tmp_path))
    assert [(row.line_id, row.image) for row in rows_of(output)] == [
        (n, n) for n in ("1.png", "2.png", "sub/1.png")
    ]
    assert (found.rows, found.pages, found.by_kind, found.allow_options()) == (3, 3, {}, [])


def test_a_folder_of_layout_keeps_pages_together_and_names_unique(tmp_path: Path) -> None:
    layout_folder(tmp_path)
    save_page(tmp_path / "b0", "unknown.png")
    output = str(tmp_path / "m.parquet")
    found = make(output, str(tmp_path))
    rows = rows_of(output)
    assert [row.line_id for row in rows] == [f"b{b}/p1/{name}" for b in range(3) for name in LINES]
    assert [row.image for row in rows] == [f"b{b}/p1.png" for b in range(3) for _ in LINES]
    assert (found.rows, found.pages, found.with_text, found.images_without_layout) == (9, 3, 6, 1)
    table = pq.read_table(output).to_pydict()
    assert table["source_xml"][0] == "b0/p1.xml"
    assert table["reading_order"] == [0, 1, 2] * 3
    assert table["page_id"][3] == "b1/p1"
    assert (table["page_width"][0], table["page_height"][0]) == (400, 300)


@pytest.mark.parametrize("kind", list(LineFormat))
def test_embedded_lines_show_what_the_page_shows(tmp_path: Path, kind: LineFormat) -> None:
    layout_folder(tmp_path)
    plain, embedded = str(tmp_path / "m.parquet"), str(tmp_path / "e.parquet")
    make(plain, str(tmp_path))
    make(embedded, str(tmp_path), embed=kind)
    for left, right in zip(rows_of(plain), rows_of(embedded), strict=True):
        assert (left.line_id, left.image) == (right.line_id, right.image)
        assert right.box is None and right.polygon is None
        difference = np.abs(line_pixels(plain, left).astype(int) - line_pixels(embedded, right))
        assert difference.max() <= (0 if kind is LineFormat.PNG else 60)
    cells = pq.read_table(embedded).to_pylist()[1]
    assert (cells["x"], cells["polygon"]) == (None, None)
    assert [cells[f"source_{n}"] for n in ("x", "y", "width", "height")] == [20, 100, 331, 41]
    assert cells["source_polygon"] == "20,100 350,100 350,140 20,140"


def test_grey_of_a_colour_jpeg_is_the_very_grey_that_the_page_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    colour = cv2.GaussianBlur(rng.integers(0, 256, (300, 400, 3), np.uint8), (9, 9), 0)
    (tmp_path / "p1.png").write_bytes(cv2.imencode(".jpg", colour)[1].tobytes())
    (tmp_path / "p1.xml").write_text(page_xml())
    plain, grey, full = (str(tmp_path / f"{name}.parquet") for name in "pgf")
    make(plain, str(tmp_path))
    make(grey, str(tmp_path), embed=LineFormat.PNG)
    make(full, str(tmp_path), embed=LineFormat.PNG, colour=True)
    for page, line, coloured in zip(rows_of(plain), rows_of(grey), rows_of(full), strict=True):
        assert (line_pixels(plain, page) == line_pixels(grey, line)).all()
        in_colour = crop(open_page((tmp_path / "p1.png").read_bytes(), channels=3), page)[0]
        assert coloured.embedded is not None
        assert (open_page(coloured.embedded, channels=3) == in_colour).all()


def test_files_without_a_region_are_embedded_as_they_are(tmp_path: Path) -> None:
    path = save_page(tmp_path)
    output = str(tmp_path / "m.parquet")
    make(output, str(path), embed=LineFormat.JPEG)
    assert [row.embedded for row in rows_of(output)] == [path.read_bytes()]


def test_an_image_that_cannot_be_embedded_keeps_its_row(tmp_path: Path) -> None:
    save_page(tmp_path)
    (tmp_path / "p2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "p1.xml").write_text(page_xml(image="p1.png"))
    told: list[Problem] = []
    (tmp_path / "p1.png").write_bytes((tmp_path / "p1.png").read_bytes()[:-40])  # header whole, end missing
    output = str(tmp_path / "m.parquet")
    found = make(output, str(tmp_path / "p1.xml"), embed=LineFormat.PNG, told=told)
    assert (found.rows, found.left_out, [problem.kind.value for problem in told]) == (
        3,
        0,
        ["image_unreadable"],
    )
    assert [(row.embedded, row.image) for row in rows_of(output)] == [(None, "p1.png")] * 3


def counted(folder: Path) -> tuple[Path, dict[str, bytes]]:
    """300 small line images."""
    images = {f"{i:04d}.png": file_of(page_image((40, 20), seed=i)) for i in range(300)}
    for name, data in images.items():
        (folder / name).write_bytes(data)
    return folder, images


def test_a_shard_of_an_embedded_manifest_is_one_read(tmp_path: Path) -> None:
    folder, images = counted(tmp_path)
    output = str(tmp_path / "m.parquet")
    make(output, str(folder), embed=LineFormat.PNG)

    class Counting:
        def __init__(self) -> None:
            self.spans: list[tuple[int, int]] = []

        def open(self, uri: str) -> Any:
            counting = self

            class File(io.FileIO):
                def readinto(self, buffer: Any) -> int | None:
                    counting.spans.append((self.tell(), len(memoryview(buffer))))
                    return super().readinto(buffer)

                def read(self, size: int | None = -1) -> Any:
                    counting.spans.append((self.tell(), size or 0))
                    return super().read(size)

            return io.BufferedReader(File(uri))

    store = Counting()
    manifest = open_manifest(output, store)
    scan = manifest.scan(mark_spacing(None), None, None)
    shards = cut_shards(scan.marks, scan.rows, None)
    metadata = pq.ParquetFile(output).metadata
    starts = np.cumsum([0] + [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)])
    assert len(shards) > 4 and set(shards.first_rows) <= set(starts.tolist())
    for spec in [shards[3], *shards]:  # in any order
        store.spans.clear()
        rows = manifest.read(spec).rows
        assert [row.embedded for row in rows] == [images[row.image] for row in rows]
        assert len(store.spans) == 1
    for beyond in (ShardSpec(0, 290, 20), ShardSpec(0, 300, 1), ShardSpec(0, 5000, 10)):
        with pytest.raises(ManifestError, match="fewer rows"):
            manifest.read(beyond)
    # Reads of shards in order touch every byte of the images once.
    store.spans.clear()
    for spec in shards:
        manifest.read(spec)
    assert all(a + n <= b for (a, n), (b, _) in zip(store.spans, store.spans[1:], strict=False))


def test_frames_tar_and_iiif_become_rows(tmp_path: Path) -> None:
    page_image().save(
        tmp_path / "t.tif", "TIFF", save_all=True, append_images=[page_image(seed=i) for i in (1, 2)]
    )
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        archive.add(save_page(tmp_path / "in", "a.png"), "a.png")
    manifest = {
        "type": "Manifest",
        "items": [{"id": "c", "items": [{"items": [{"body": {"id": "https://i.org/1.jpg"}}]}]}],
    }
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    output = str(tmp_path / "m.parquet")
    found = make(output, *(str(tmp_path / name) for name in ("t.tif", "s.tar", "m.json")))
    rows = rows_of(output)
    assert [row.line_id for row in rows] == [
        *(f"t.tif#page={n}" for n in range(3)),
        "s.tar/a.png",
        "m.json/canvas-0001",
    ]
    assert [row.page for row in rows] == [0, 1, 2, None, None]
    assert (line_pixels(output, rows[2]) == open_page(file_of(page_image(seed=2)))).all()
    assert (line_pixels(output, rows[3]) == open_page(file_of(page_image()))).all()
    assert found.allow_options() == ["--allow-url", "https://i.org:443"]


def test_pages_of_another_host_are_fetched_only_where_allowed(tmp_path: Path) -> None:
    manifest = {
        "type": "Manifest",
        "items": [{"id": "c", "items": [{"items": [{"body": {"id": "https://i.org/1.jpg"}}]}]}],
    }
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    told: list[Problem] = []
    with pytest.raises(ManifestError, match="no line"):
        make(str(tmp_path / "m.parquet"), str(tmp_path / "m.json"), embed=LineFormat.PNG, told=told)
    assert "allow https://i.org:443 with --allow-url" in told[0].sentence


def test_what_lies_elsewhere_is_named_whole_and_the_way_to_allow_it_told(tmp_path: Path) -> None:
    a, b = save_page(tmp_path / "data" / "a"), save_page(tmp_path / "data" / "b")
    (tmp_path / "out").mkdir()
    output = str(tmp_path / "out" / "m.parquet")
    found = make(output, str(a), str(b))
    assert [row.image for row in rows_of(output)] == [str(a), str(b)]
    assert [row.line_id for row in rows_of(output)] == ["a/p1.png", "b/p1.png"]
    assert found.allow_options() == ["--allow-root", str(tmp_path / "data")]


def test_the_same_line_from_two_sources_is_refused_and_nothing_written(tmp_path: Path) -> None:
    save_page(tmp_path / "a")
    output = tmp_path / "m.parquet"
    with pytest.raises(ManifestError, match=r"'p1.png' twice; name each file or folder once"):
        make(str(output), str(tmp_path / "a"), str(tmp_path / "a" / "*.png"))
    assert not output.exists()
    make(str(output), str(tmp_path / "a"), str(tmp_path / "a"))  # the same words twice are one source
    assert len(rows_of(str(output))) == 1


def test_nothing_usable_is_a_bad_manifest(tmp_path: Path) -> None:
    (tmp_path / "p1.xml").write_text(page_xml())
    told: list[Problem] = []
    with pytest.raises(ManifestError, match="no line was found"):
        make(str(tmp_path / "m.parquet"), str(tmp_path), told=told)
    assert [problem.kind.value for problem in told] == ["image_missing"]
    with pytest.raises(ManifestError):
        make(str(tmp_path / "m.parquet"), str(tmp_path / "none.png"), str(tmp_path / "notes.md"), told=told)
    assert [problem.kind.value for problem in told[1:]] == ["source_missing", "not_an_image"]


def test_problems_are_counted_where_they_are_too_many_to_keep(tmp_path: Path) -> None:
    save_page(tmp_path)
    bad = "\n".join(page_line(f"x{i}", points="a") for i in range(1500))
    (tmp_path / "p1.xml").write_text(page_xml(lines=page_line("l1") + bad))
    told: list[Problem] = []
    found = make(str(tmp_path / "m.parquet"), str(tmp_path), told=told)
    assert (found.rows, found.left_out, found.by_kind["not_numbers"]) == (1, 1500, 1500)
    assert (len(found.problems), len(told)) == (1000, 1500)


@pytest.mark.parametrize("place", ["memory", "s3"])
def test_sources_and_manifest_on_an_object_store(request: pytest.FixtureRequest, place: str) -> None:
    base = "memory://build-test" if place == "memory" else f"{request.getfixturevalue('s3').bucket}/build"
    store = Store()
    for number in range(3):
        store.put(join(base, f"in/b{number}/p #1.png"), file_of(page_image(seed=number)))
        store.put(join(base, f"in/b{number}/p #1.xml"), page_xml(image="p #1.png").encode())
    output = join(base, "m.parquet")
    make(output, join(base, "in"), embed=None)
    rows = rows_of(output)
    assert [row.line_id for row in rows] == [f"b{b}/p #1/{name}" for b in range(3) for name in LINES]
    assert rows[0].image == "in/b0/p #1.png"
    assert (line_pixels(output, rows[8]) == crop(open_page(file_of(page_image(seed=2))), rows[8])[0]).all()


SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "pages"


@pytest.mark.parametrize(
    ("collection", "lines"), [("alto_copiste_2024_fr", 95), ("alto_stanford_1905_en", 39)]
)
def test_real_pages(tmp_path: Path, collection: str, lines: int) -> None:
    folder = SHARED / collection
    if not folder.is_dir():
        pytest.skip("the shared page scans are not here")
    told: list[Problem] = []
    output = str(tmp_path / "m.parquet")
    found = make(output, str(folder), told=told)
    written = "".join(path.read_text() for path in folder.glob("*.xml"))
    assert found.rows == written.count("<TextLine") == lines and told == []
    for row, cells in zip(rows_of(output), pq.read_table(output).to_pylist(), strict=True):
        assert row.problem is None and row.polygon is not None
        assert f'ID="{cells["xml_line_id"]}"' in written
        assert cells["polygon"].replace(",", " ") in written  # the very points


def test_only_so_much_is_read_ahead() -> None:
    begun = 0

    def items() -> Iterator[int]:
        nonlocal begun
        for number in range(500):
            begun += 1
            yield number

    for done, result in enumerate(ahead(lambda number: number * 2, items(), window=5)):
        assert result == done * 2 and begun <= done + 5
    assert begun == 500


def test_what_fails_while_reading_ahead_is_raised_in_its_place() -> None:
    results = ahead(lambda number: 6 // number, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def as_page_xml(alto_file: Path) -> str:
    """The PAGE variant of a real ALTO file."""
    page = next(alto_format.pages(parse(alto_file.read_bytes())))
    lines = "\n".join(
        f'<TextLine id="{line.id}"><Coords points="{points_text(points(line.polygon))}"/>'
        f'<Baseline points="{points_text(points(line.baseline))}"/>'
        f"<TextEquiv><Unicode>{escape(line.text or '')}</Unicode></TextEquiv></TextLine>"
        for line in page.lines
    )
    size = (int(page.width), int(page.height))
    return page_xml("2017-07-15", image=page.image, size=size, lines=lines)


@pytest.mark.parametrize("collection", ["alto_copiste_2024_fr", "alto_stanford_1905_en"])
def test_page_variants_of_real_pages_give_the_same_rows(tmp_path: Path, collection: str) -> None:
    folder = SHARED / collection
    if not folder.is_dir():
        pytest.skip("the shared page scans are not here")
    for alto_file in folder.glob("*.xml"):
        (tmp_path / alto_file.name).write_text(as_page_xml(alto_file))
        image = alto_file.with_suffix(".jpg")
        (tmp_path / image.name).symlink_to(image)
    make(str(tmp_path / "alto.parquet"), str(folder))
    make(str(tmp_path / "page.parquet"), str(tmp_path))
    left, right = (pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("alto", "page"))
    same = ("line_id", "polygon", "baseline", "text", "page_id", "xml_line_id", "reading_order", "page_width")
    assert [[row[name] for name in same] for row in left] == [[row[name] for name in same] for row in right]
    assert {row["image"] for row in right} == {path.name for path in folder.glob("*.jpg")}
