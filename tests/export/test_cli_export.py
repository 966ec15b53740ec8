"""The command: options, exit codes, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export.made import page_xml, row, text_line, write_output
from hwr_batch.cli.app import app
from hwr_batch.errors import ConfigError

runner = CliRunner()


def test_it_says_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a"), text_line("b")))
    output = write_output(tmp_path, [row("a", "x"), row("b", None)])
    done = runner.invoke(app, ["export", output, str(tmp_path / "dest"), "--to", "page"])
    assert done.exit_code == 0
    assert "lines 2, written 1, not read 1" in done.stdout
    assert "image_missing: 1" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("next: ")
    assert "_notes-00000.jsonl" in done.stderr


def test_json_for_machines_and_code_3_for_lines_without_a_place(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(page_xml(text_line("a")))
    output = write_output(tmp_path, [row("a", "x"), row("b", "y")])
    done = runner.invoke(
        app, ["export", output, str(tmp_path / "dest"), "--to", "page", "--json", "--detail", "line"]
    )
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert (found["written"], found["unplaced"], found["by_reason"]) == (1, 1, {"not_in_source": 1})
    assert "_notes-00000.jsonl" in done.stderr


def test_a_manifest_elsewhere_and_an_allowed_root(tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "page.xml").write_text(page_xml(text_line("a")))
    (tmp_path / "in").mkdir()
    output = write_output(tmp_path / "in", [row("a", "x", source=str(tmp_path / "layout" / "page.xml"))])
    command = ["export", output, str(tmp_path / "in" / "dest"), "--to", "page"]
    assert runner.invoke(app, command).exit_code == 3
    done = runner.invoke(app, [*command, "--allow-root", str(tmp_path / "layout")])
    assert done.exit_code == 0
    assert (tmp_path / "in" / "dest" / "page.xml").exists()


@pytest.mark.parametrize("arguments", [["--to", "docx"], []])
def test_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    done = runner.invoke(app, ["export", str(tmp_path), str(tmp_path / "dest"), *arguments])
    assert done.exit_code == 2


def test_what_is_no_output_is_a_config_error(tmp_path: Path) -> None:
    done = runner.invoke(app, ["export", str(tmp_path), str(tmp_path / "dest"), "--to", "txt"])
    assert isinstance(done.exception, ConfigError)
