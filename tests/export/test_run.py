"""Whole exports: what is written where, what is refused, and what is said about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import hwr_batch.export.run as run_module
from export.made import alto_line, alto_xml, equiv, page_xml, row, text_line, write_output
from export.models import problems
from hwr_batch.config import AccessOptions
from hwr_batch.errors import ConfigError, StorageError
from hwr_batch.export import ExportOptions, ExportSummary, Format, export
from hwr_batch.storage import Store


def run(tmp_path: Path, rows: list[dict[str, Any]], format: Format, **options: Any) -> ExportSummary:
    output = write_output(tmp_path, rows, per_part=options.pop("per_part", 1000))
    dest = options.pop("dest", str(tmp_path / "dest"))
    return export(ExportOptions(output, dest, format, **options), Store())


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def notes(folder: Path) -> list[dict[str, str]]:
    return [
        json.loads(line) for path in sorted(folder.glob("_notes-*")) for line in path.read_text().splitlines()
    ]


def test_copies_keep_their_folders_and_failed_lines_their_content(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.xml").write_text(page_xml(text_line("a"), text_line("b", equiv("old"))))
    source = (tmp_path / "one" / "page.xml").read_bytes()
    rows = [
        row(name, text, source=f"{folder}/page.xml", line_id=f"{folder}{name}")
        for folder in ("one", "two")
        for name, text in (("a", "new"), ("b", None))
    ]
    summary = run(tmp_path, rows, Format.PAGE, per_part=3)
    assert files(tmp_path / "dest") == ["_export.json", "_notes-00000.jsonl", "one/page.xml", "two/page.xml"]
    assert (summary.pages, summary.files, summary.lines, summary.written, summary.failed) == (2, 2, 4, 2, 2)
    assert summary.unplaced == 0
    assert [note["reason"] for note in notes(tmp_path / "dest")] == ["image_missing"] * 2
    copied = (tmp_path / "dest" / "one" / "page.xml").read_bytes()
    assert text_line("b", equiv("old")).encode() in copied
    assert (tmp_path / "one" / "page.xml").read_bytes() == source
    record = json.loads((tmp_path / "dest" / "_export.json").read_text())
    assert (record["state"], record["format"], record["written"]) == ("complete", "page", 2)


def test_the_other_format_makes_new_files(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a", equiv("old"))))
    Image.new("L", (640, 480)).save(tmp_path / "page.jpg")
    summary = run(tmp_path, [row("a", "new")], Format.ALTO)
    data = (tmp_path / "dest" / "page.xml").read_bytes()
    assert summary.written == 1
    assert b'ID="a"' in data and b'CONTENT="new"' in data and b'WIDTH="640"' in data
    assert problems(data) == []


@pytest.mark.parametrize("format", [Format.PAGE, Format.ALTO])
def test_pages_without_a_layout_file_get_one_each(tmp_path: Path, format: Format) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "turned.jpg", exif=_turned())
    frames = [Image.new("L", size) for size in ((11, 12), (13, 14))]
    frames[0].save(tmp_path / "scans.tif", save_all=True, append_images=frames[1:])
    rows = [
        row("a", "x y", source=None, image="turned.jpg", xml_line_id=None),
        row("b", "z", source=None, image="turned.jpg", xml_line_id=None),
        row("c", "z", source=None, image="scans.tif", page=0),
        row("d", "z", source=None, image="scans.tif", page=1),
        row("e", "z", source=None, image="gone.png", page_width=70, page_height=80),
        row("f", "z", source=None, image="lost.png"),
        row("g", None, source=None, image="lost.jpg"),
    ]
    rows = [{"page": None, "page_width": None, "page_height": None, **made} for made in rows]
    summary = run(tmp_path, rows, format)
    expected = {
        "turned.xml": "20 30",
        "scans.page-0.xml": "11 12",
        "scans.page-1.xml": "13 14",
        "gone.xml": "70 80",
        "lost.xml": "400 240",  # as far as its line reaches
        "lost.jpg.xml": "400 240",
    }
    assert files(tmp_path / "dest") == sorted([*expected, "_export.json", "_notes-00000.jsonl"])
    width, height = ("imageWidth", "imageHeight") if format is Format.PAGE else ("WIDTH", "HEIGHT")
    for name, size in expected.items():
        data = (tmp_path / "dest" / name).read_bytes()
        assert problems(data) == []
        first, second = size.split()
        assert f'{width}="{first}" {height}="{second}"'.encode() in data
    assert (summary.written, summary.failed, summary.unplaced) == (6, 1, 0)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_one_layout_file_of_several_images(tmp_path: Path) -> None:
    (tmp_path / "book.xml").write_text(alto_xml(alto_line("a"), alto_line("b")))
    rows = [row(name, name, source="book.xml", image=f"{name}.jpg") for name in ("a", "b")]
    assert run(tmp_path, rows, Format.ALTO).files == 1
    assert run(tmp_path, rows, Format.PAGE, dest=str(tmp_path / "other")).files == 2
    assert files(tmp_path / "other") == ["_export.json", "a.xml", "b.xml"]


def test_text_files_number_their_lines_as_the_page_does(tmp_path: Path) -> None:
    rows = [
        row("b", "two", reading_order=1),
        row("a", None, reading_order=0),
        row("c", "three", reading_order=2),
    ]
    summary = run(tmp_path, rows, Format.TXT)
    assert (tmp_path / "dest" / "page.txt").read_text() == "\ntwo\nthree\n"
    assert (summary.written, summary.failed) == (2, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "missing"),
        ("<PcGts>", "not well-formed"),
        ("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "DOCTYPE"),
        ("<html/>", "neither PAGE"),
    ],
)
def test_an_unusable_source_is_noted_line_by_line(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "page.xml").write_text(content)
    (tmp_path / "good.xml").write_text(page_xml(text_line("c")))
    rows = [row("a", "x"), row("b", None), row("c", "z", source="good.xml")]
    summary = run(tmp_path, rows, Format.PAGE)
    assert files(tmp_path / "dest") == ["_export.json", "_notes-00000.jsonl", "good.xml"]
    assert (summary.written, summary.failed, summary.unplaced) == (1, 1, 1)
    assert summary.by_reason == {"source_unusable": 1, "image_missing": 1}
    (first, *_) = notes(tmp_path / "dest")
    assert (first["line_id"], first["reason"]) == ("page#a", "source_unusable")
    assert sentence in first["sentence"] and "x" not in first["sentence"].split()


def test_lines_without_a_place_are_noted(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a")))
    summary = run(tmp_path, [row("a", "x"), row("other", "y"), row("a", "z", line_id="again")], Format.PAGE)
    assert (summary.written, summary.unplaced) == (1, 2)
    assert summary.by_reason == {"not_in_source": 1, "stands_twice": 1}


def test_characters_xml_cannot_hold_are_noted_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a")))
    summary = run(tmp_path, [row("a", "x\x01y")], Format.PAGE)
    assert (summary.written, summary.by_reason) == (1, {"altered": 1})
    assert "x\ufffdy".encode() in (tmp_path / "dest" / "page.xml").read_bytes()


@pytest.mark.parametrize("source", ["../secret.xml", "{outside}/secret.xml", "file://{outside}/secret.xml"])
def test_sources_outside_what_may_be_read_are_refused(tmp_path: Path, source: str) -> None:
    inside, outside = tmp_path / "in", tmp_path
    inside.mkdir()
    (outside / "secret.xml").write_text(page_xml(text_line("a")))
    rows = [row("a", "x", source=source.format(outside=outside))]
    summary = run(inside, rows, Format.PAGE)
    assert summary.by_reason == {"source_unusable": 1}
    assert files(inside / "dest") == ["_export.json", "_notes-00000.jsonl"]


def test_a_source_behind_an_allowed_root_keeps_its_path_from_there(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "elsewhere"
    inside.mkdir()
    (outside / "vol").mkdir(parents=True)
    (outside / "vol" / "p.xml").write_text(page_xml(text_line("a")))
    rows = [row("a", "x", source=str(outside / "vol" / "p.xml"))]
    summary = run(inside, rows, Format.PAGE, access=AccessOptions(allow_roots=(outside,)))
    assert summary.written == 1
    assert (inside / "dest" / "vol" / "p.xml").exists()


@pytest.mark.parametrize("image", ["../../../up.jpg", "/abs/up.jpg", "a/../../up.jpg"])
def test_no_name_leads_out_of_dest(tmp_path: Path, image: str) -> None:
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    run(deep, [row("a", "x", source=None, image=image)], Format.TXT)
    assert list(tmp_path.rglob("up.txt")) == list((deep / "dest").rglob("up.txt")) != []


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "page.xml").write_text(page_xml(text_line("a")))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "real")
    before = (tmp_path / "real" / "page.xml").read_bytes()
    write_output(tmp_path / "in", [row("a", "x", source="link/page.xml")])
    dest = tmp_path / "in" / "dest"
    dest.mkdir()
    options = ExportOptions(
        str(tmp_path / "in" / "out"),
        str(dest),
        Format.PAGE,
        access=AccessOptions(allow_roots=(tmp_path / "real",)),
    )
    export(options, Store())  # claims DEST
    (dest / "link").rename(tmp_path / "moved")
    (dest / "link").symlink_to(tmp_path / "real")
    summary = export(options, Store())
    assert summary.by_reason == {"source_unusable": 1}
    assert (tmp_path / "real" / "page.xml").read_bytes() == before


@pytest.mark.parametrize(
    ("dest", "complaint"),
    [
        ("", "in or|around it"),
        ("..", "around it"),
        ("out", "lies in OUTPUT"),
        ("out/export", "lies in OUTPUT"),
        ("full", "holds other files"),
        ("of-folders", "holds other files"),
    ],
)
def test_dest_must_be_a_place_of_its_own(tmp_path: Path, dest: str, complaint: str) -> None:
    home = tmp_path / "home"
    (home / "full").mkdir(parents=True)
    (home / "full" / "letter.txt").write_text("mine")
    (home / "of-folders" / "more").mkdir(parents=True)
    with pytest.raises(ConfigError, match=complaint):
        run(home, [row("a", "x")], Format.TXT, dest=str(home / dest))


def test_the_same_export_may_run_again_and_no_other(tmp_path: Path) -> None:
    rows = [row("a", "x", source=None)]
    run(tmp_path, rows, Format.TXT)
    first = {name: (tmp_path / "dest" / name).read_bytes() for name in files(tmp_path / "dest")}
    run(tmp_path, rows, Format.TXT)
    assert {name: (tmp_path / "dest" / name).read_bytes() for name in files(tmp_path / "dest")} == first
    with pytest.raises(ConfigError, match="another export"):
        run(tmp_path, rows, Format.HOCR)
    (tmp_path / "dest" / "_export.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        run(tmp_path, rows, Format.TXT)


def test_an_output_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    output = write_output(tmp_path, [row(str(i), "x") for i in range(4)], per_part=2)
    options = ExportOptions(output, str(tmp_path / "dest"), Format.TXT)
    (Path(output) / "part-00001.parquet").unlink()
    with pytest.raises(ConfigError, match="1 of 2 parts are missing"):
        export(options, Store())
    (Path(output) / "_plan.json").unlink()
    with pytest.raises(ConfigError, match="no OUTPUT"):
        export(options, Store())
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("format", [Format.TXT, Format.PAGE])
def test_rows_of_a_page_that_do_not_stand_together_end_the_export(tmp_path: Path, format: Format) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a")))
    rows = [row("a", "x"), row("b", "y", source="other.xml", image="other.jpg"), row("c", "z")]
    with pytest.raises(ConfigError, match="do not stand together"):
        run(tmp_path, rows, format)


def test_a_moved_manifest_can_be_named(tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "page.xml").write_text(page_xml(text_line("a")))
    summary = run(tmp_path, [row("a", "x")], Format.PAGE, manifest=str(moved / "manifest.parquet"))
    assert summary.written == 1


def test_a_store_that_fails_ends_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dest").write_text("a file where a folder must be")
    with pytest.raises((StorageError, ConfigError)):
        run(tmp_path, [row("a", "x", source=None)], Format.TXT)


def test_pages_are_counted_as_they_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "PAGES_AT_ONCE", 2)
    rows = [row(str(i), str(i), source=None, image=f"{i}.jpg") for i in range(7)]
    heard: list[int] = []
    output = write_output(tmp_path, rows, per_part=3)
    export(ExportOptions(output, str(tmp_path / "dest"), Format.TXT), Store(), heard.append)
    assert heard == [1, 2, 3, 4, 5, 6, 7]
    assert [(tmp_path / "dest" / f"{i}.txt").read_text() for i in range(7)] == [f"{i}\n" for i in range(7)]


@pytest.mark.parametrize("where", ["memory", "s3"])
def test_everything_may_lie_in_an_object_store(
    tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    store = Store()
    root = "memory://export" if where == "memory" else f"{request.getfixturevalue('s3').bucket}/export"
    write_output(tmp_path, [row("a", "new"), row("b", None)])
    for path in (tmp_path / "out").iterdir():
        store.put(
            f"{root}/results/{path.name}", path.read_bytes().replace(str(tmp_path).encode(), root.encode())
        )
    store.put(f"{root}/page.xml", page_xml(text_line("a"), text_line("b")).encode())
    options = ExportOptions(f"{root}/results", f"{root}/dest/x", Format.PAGE)
    assert export(options, store).written == 1
    names = [name for name, _ in store.list(f"{root}/dest/x")]
    assert sorted(names) == ["_export.json", "_notes-00000.jsonl", "page.xml"]
    assert problems(store.read(f"{root}/dest/x/page.xml")) == []
    assert export(options, store).written == 1
    store.put(f"{root}/full/x", b"")
    for dest, format, complaint in (
        (f"{root}/full", Format.PAGE, "holds other files"),
        (f"{root}/full.csv", Format.CSV, "name a folder"),
        (root, Format.PAGE, "around it"),
        (f"{root}/results/x", Format.PAGE, "lies in OUTPUT"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            export(ExportOptions(f"{root}/results", dest, format), store)
