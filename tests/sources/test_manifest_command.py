"""`hwr-batch manifest` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .drawn import page_line, page_xml, save_page


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hwr_batch", "manifest", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_warnings_name_file_and_line_and_the_exit_code_is_0(tmp_path: Path) -> None:
    save_page(tmp_path / "in")
    (tmp_path / "in" / "p1.xml").write_text(
        page_xml(lines=page_line("l1") + "\n" + page_line("x", points="a,b"))
    )
    done = run("in", "-o", "m.parquet", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    warning, following = done.stderr.splitlines()
    assert warning.startswith(f"warning: {tmp_path}/in/p1.xml:6: line 'x' ")
    assert following == "next: hwr-batch recognize m.parquet OUTPUT"
    said = json.loads(done.stdout)
    assert (said["rows"], said["left_out"], said["problems_by_kind"]) == (1, 1, {"not_numbers": 1})
    assert said["problems"][0]["line"] == 6


def test_nothing_usable_exits_4_and_wrong_usage_2(tmp_path: Path) -> None:
    assert run("none.png", "-o", "m.parquet", folder=tmp_path).returncode == 4
    save_page(tmp_path)
    for words in (["-o", "m.csv"], ["-o", "m.parquet", "--draw", "x"]):
        assert run("p1.png", *words, folder=tmp_path).returncode == 2
    assert not (tmp_path / "m.parquet").exists()


def test_the_next_command_is_told_where_images_lie_elsewhere(tmp_path: Path) -> None:
    save_page(tmp_path / "scans")
    (tmp_path / "job").mkdir()
    done = run("../scans", "-o", "m.parquet", folder=tmp_path / "job")
    assert done.stdout == "1 lines of 1 images, 0 with text\n"
    assert done.stderr == f"next: hwr-batch recognize m.parquet OUTPUT --allow-root {tmp_path}/scans\n"
