"""A whole benchmark in small: every way reads the same texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hwr_batch.cli.app import app
from tests import tiny

EVERY_WAY = ["demo", "ray-data", "ray-data-16", "hwr-batch", "limit", "arithmetic"]


@pytest.mark.timeout(300)
def test_every_way_reads_the_same_texts(tmp_path: Path) -> None:
    model = tiny.write_model(tmp_path / "model")
    lines = tmp_path / "lines"
    lines.mkdir()
    manifest = tiny.write_manifest(lines / "m.csv", tiny.write_lines(lines, 24))
    output = tmp_path / "out"
    command = [
        "bench",
        str(manifest),
        "--model",
        str(model),
        "--rounds",
        "1",
        "--output",
        str(output),
        "--json",
    ]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout) == json.loads((output / "bench.json").read_text())
    found = json.loads(ended.stdout)["models"][0]
    assert found["lines"] == 24
    assert list(found["ways"]) == EVERY_WAY
    for name in ("demo", "ray-data", "ray-data-16", "hwr-batch"):
        assert found["ways"][name]["texts_differing"] == 0, name
        assert found["ways"][name]["peak_bytes"] > 50 << 20
    assert all(way["lines_per_second"] > 0 for way in found["ways"].values())
    assert (output / "bench.svg").read_text().startswith("<svg")
    assert ended.stderr.splitlines()[-1].startswith("next: ")
