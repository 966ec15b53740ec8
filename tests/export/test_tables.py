"""CSV and JSON lines, read back by other readers."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hwr_batch.export.tables as tables
from export.made import row, write_output
from hwr_batch.errors import ConfigError
from hwr_batch.export import Detail, ExportOptions, Format, export
from hwr_batch.storage import Store

ROWS = [
    row("a", 'one, "two"\n=1+1', score=0.1, extra="é", day=date(1905, 3, 22), many=[1, 2], odd=float("nan")),
    row("b", None, extra=None, day=None, many=None, odd=0.5),
    row("c", "", extra="", day=None, many=[], odd=1.0),
]


def run(
    tmp_path: Path, rows: list[dict[str, Any]], format: Format, dest: str = "dest", **options: Any
) -> Path:
    output = write_output(tmp_path, rows, per_part=2)
    summary = export(ExportOptions(output, str(tmp_path / dest), format, **options), Store())
    assert (summary.lines, summary.written) == (len(rows), sum(made["text"] is not None for made in rows))
    return tmp_path / dest


def json_lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("lines-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().split("\n") if line]


def test_json_lines_hold_every_column(tmp_path: Path) -> None:
    first, second, third = json_lines(run(tmp_path, ROWS, Format.JSONL))
    assert set(first) == {*ROWS[0], "box"}
    assert first["text"] == 'one, "two"\n=1+1'
    assert first["score"] == 0.1
    assert first["char_scores"] == [0.9] * 15
    assert first["char_spans"][:2] == [[100, 110], [110, 120]]
    assert first["box"] == [100, 200, 300, 40]
    assert (first["day"], first["many"], first["odd"]) == ("1905-03-22", [1, 2], None)
    assert (second["text"], second["status"], second["char_scores"]) == (None, "image_missing", None)
    assert (third["text"], third["extra"], second["extra"], third["many"]) == ("", "", None, [])


def test_a_search_index_needs_no_characters(tmp_path: Path) -> None:
    (first, *_) = json_lines(run(tmp_path, ROWS, Format.JSONL, detail=Detail.LINE))
    assert set(first) == {*ROWS[0], "box"} - {"char_scores", "char_spans"}


def test_csv_comes_back_cell_for_cell(tmp_path: Path) -> None:
    folder = run(tmp_path, ROWS, Format.CSV)
    with (folder / "lines-00000.csv").open(newline="", encoding="utf-8") as file:
        first, second, third = csv.DictReader(file)
    assert list(first) == list(ROWS[0])
    assert first["text"] == 'one, "two"\n=1+1'
    assert json.loads(first["char_spans"])[0] == [100, 110]
    assert json.loads(first["char_scores"]) == [0.9] * 15
    assert json.loads(first["many"]) == [1, 2]
    assert (second["text"], second["char_scores"], second["error"]) == ("", "", "the file is not there")
    assert (third["text"], third["score"]) == ("", "0.9")
    table = pd.read_csv(folder / "lines-00000.csv", keep_default_na=False)
    assert list(table["line_id"]) == ["page#a", "page#b", "page#c"]


@pytest.mark.parametrize("format", [Format.CSV, Format.JSONL])
def test_large_tables_come_in_files(tmp_path: Path, format: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILE_BYTES", 1)
    rows = [row(str(i), "x") for i in range(5)]
    folder = run(tmp_path, rows, format)
    files = sorted(folder.glob(f"lines-*.{format}"))
    assert [file.name for file in files] == [f"lines-0000{i}.{format}" for i in range(3)]
    if format is Format.CSV:
        heads = {file.read_text().split("\n")[0] for file in files}
        assert len(heads) == 1 and heads.pop().startswith("line_id,image,text")
        assert sum(len(pd.read_csv(file)) for file in files) == 5
    else:
        assert [made["line_id"] for made in json_lines(folder)] == [f"page#{i}" for i in range(5)]


@pytest.mark.parametrize("format", [Format.CSV, Format.JSONL])
def test_one_file_where_dest_names_one(tmp_path: Path, format: Format) -> None:
    path = run(tmp_path, ROWS, format, f"new/lines.{format}")
    assert path.is_file()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with pytest.raises(ConfigError, match="exists"):
        export(ExportOptions(str(tmp_path / "out"), str(path), format), Store())


def test_an_interrupted_file_never_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = write_output(tmp_path, ROWS)
    monkeypatch.setattr(tables._Csv, "rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(ExportOptions(output, str(tmp_path / "new" / "a.csv"), Format.CSV), Store())
    assert list((tmp_path / "new").iterdir()) == []


def test_carried_values_of_any_type_are_json() -> None:
    assert tables._plain({"a": b"\x00\xff", "b": [float("inf"), True], "c": None}) == {
        "a": "AP8=",
        "b": [None, True],
        "c": None,
    }
