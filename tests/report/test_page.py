"""The report as a file: what it says of a run, what it keeps to itself, and how large it may get."""

from __future__ import annotations

import json
import os
import re
from array import array
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from test_job import Stop, run
from tiny import write_lines, write_manifest
from typer.testing import CliRunner

from hwr_batch.cli.app import app
from hwr_batch.errors import ConfigError, ExitCode, Status
from hwr_batch.ledger import Ledger
from hwr_batch.manifest import schema_to_text
from hwr_batch.plan import Plan, Shards, fingerprint
from hwr_batch.records import LineResult, Reading
from hwr_batch.report import ReportOptions, write_report
from hwr_batch.report.lines import MOST_CHARACTERS
from hwr_batch.report.pictures import ALL_BYTES
from hwr_batch.results import FINGERPRINT, encode_part, part_name
from hwr_batch.storage import Store

from .conftest import EVIL_ID

MEGABYTE = 1_000_000


def page_of(output: Path) -> str:
    return (output / "_report.html").read_text(encoding="utf-8")


def words_of(html: str) -> str:
    """The page's words without its tags, white space collapsed."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


class Attributes(HTMLParser):
    """Every attribute of a page, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(name, value or "") for name, value in attrs]


def test_a_run_writes_its_report_and_the_account_adds_up(output: Path) -> None:
    words = words_of(page_of(output))
    assert "160 manifest rows = 160 result rows = 159 read + 1 failed, in 5 of 5 parts" in words
    assert "image_missing 1 0.6 %" in words
    assert "00007.png does not exist" in words
    assert "The run's own calibration, held against the references of 159 lines" in words
    assert re.search(r"Expected calibration error: 0\.\d{3}", words)
    assert "review precision 0.5" in words


def test_the_page_asks_for_nothing_and_runs_only_its_own_script(output: Path) -> None:
    html = page_of(output)
    attributes = Attributes(html).found
    policy = next(value for _, value in attributes if "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:; base-uri 'none'; form-action 'none';")
    assert "unsafe" not in policy
    assert EVIL_ID not in html
    assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
    linked = [value for name, value in attributes if name in ("src", "href", "action", "xlink:href")]
    assert all(value.startswith(("data:", "#")) for value in linked)


def test_the_same_results_give_the_same_page(output: Path) -> None:
    first = page_of(output)
    write_report(str(output), Store())
    assert page_of(output) == first


def test_figures_for_each_group_from_the_command_line(output: Path, manifest: Path) -> None:
    shell = CliRunner()
    result = shell.invoke(app, ["report", str(output), "--by", "hand", "--json"])
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)
    assert (written["looked_into"], written["parts"]) == (5, 5)
    assert written["size"] == (output / "_report.html").stat().st_size
    assert "a 79" in words_of(page_of(output)) or "a 80" in words_of(page_of(output))
    with_truth = shell.invoke(app, ["report", str(output), "--truth", str(manifest)])
    assert with_truth.exit_code == 0, with_truth.output
    assert "next: open" in with_truth.output


def test_no_output_no_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no _plan\.json"):
        write_report(str(tmp_path), Store())
    with pytest.raises(ConfigError, match="at least 1 part"):
        ReportOptions(parts=0)


def test_without_references_it_says_so(model: Path, tmp_path: Path) -> None:
    rows = [{"image": row["image"]} for row in write_lines(tmp_path, 5)]
    run(write_manifest(tmp_path / "manifest.csv", rows), tmp_path / "out", model)
    assert "Not measured. The manifest has no column `text`" in words_of(page_of(tmp_path / "out"))


@pytest.mark.parametrize("text", ["a", ""])
def test_when_every_line_failed(model: Path, tmp_path: Path, text: str) -> None:
    rows = [{"image": f"none-{n}.png", "text": text} for n in range(3)]
    run(write_manifest(tmp_path / "manifest.csv", rows), tmp_path / "out", model)
    words = words_of(page_of(tmp_path / "out"))
    assert "3 manifest rows = 3 result rows = 0 read + 3 failed" in words
    assert "0 of the 0 lines read" in words


def test_pictures_follow_the_rules_of_the_run(model: Path, tmp_path: Path) -> None:
    """Images outside the manifest's folder, or gone since: a sentence each, no error."""
    rows = write_lines(tmp_path / "lines", 5)
    manifest = write_manifest(tmp_path / "lines" / "manifest.csv", rows)
    run(manifest, tmp_path / "out", model)
    assert page_of(tmp_path / "out").count('src="data:image/webp') == 5
    (tmp_path / "lines" / "00001.png").unlink()
    (tmp_path / "lines" / "00002.png").unlink()
    (tmp_path / "lines" / "00002.png").symlink_to("/etc/hostname")
    write_report(str(tmp_path / "out"), Store())
    html = page_of(tmp_path / "out")
    assert html.count('src="data:image/webp') == 3
    assert "No picture: 00001.png does not exist" in html
    assert "No picture: 00002.png lies outside the manifest&#39;s folder" in html
    manifest.unlink()
    write_report(str(tmp_path / "out"), Store())
    assert page_of(tmp_path / "out").count("the manifest cannot be read again") == 5


def test_a_run_that_was_stopped_does_not_add_up_yet(manifest: Path, model: Path, tmp_path: Path) -> None:
    run(manifest, tmp_path / "out", model, stop=Stop(1), max_error_rate=1.0)
    assert not (tmp_path / "out" / "_report.html").exists()  # whoever drains has little time
    write_report(str(tmp_path / "out"), Store())
    words = words_of(page_of(tmp_path / "out"))
    found = re.search(
        r"does not add up 160 manifest rows ≠ (\d+) result rows = .*, in (\d) of 5 parts", words
    )
    assert found is not None
    assert 0 < int(found[1]) < 160 and 0 < int(found[2]) < 5
    assert "interrupted" in words


def test_a_report_in_a_bucket(manifest: Path, model: Path, s3: Any) -> None:
    run(manifest, f"{s3.bucket}/reported", model, max_error_rate=1.0)
    assert "160 manifest rows = 160 result rows" in words_of(page_of(s3.folder / "reported"))


def test_a_report_that_cannot_be_written_does_not_fail_the_run(model: Path, tmp_path: Path) -> None:
    rows = write_lines(tmp_path / "lines", 3)
    manifest = write_manifest(tmp_path / "lines" / "manifest.csv", rows)
    (tmp_path / "out" / "_report.html").mkdir(parents=True)
    outcome = run(manifest, tmp_path / "out", model)
    assert outcome.code is ExitCode.COMPLETE
    assert json.loads((tmp_path / "out" / "_run.json").read_text())["state"] == "complete"


SHARDS, LINES = 9_766, 1_024


def huge_output(folder: Path) -> Path:
    """An OUTPUT of ten million lines, each as unkind to the page as can be: one part, linked 9,766 times."""
    folder.mkdir()
    text = "<&'\"" * 75
    scores = tuple((0.3, 0.6, 0.8, 0.95)[n % 4] for n in range(len(text)))
    reading = Reading(text, 0.5, 0.3, -9.0, scores, ((0, 9),) * len(text))
    failed = [status for status in Status if status is not Status.OK]
    lines = [
        LineResult(f"https://user:{'x' * 30}@host/{n}?token=secret{'&' * 900}", "s3://b/" + "'" * 900, *end)
        for n in range(LINES)
        for end in [
            (failed[n % len(failed)], "<" * 900, None, None, None, 0)
            if n % 50 == 0
            else (Status.OK, None, reading, 9000, 90, 1)
        ]
    ]
    truth = pa.table(
        {"reference_text": [text[::-1]] * LINES, "hand": [f"{'&' * 90}{n}" for n in range(LINES)]}
    )
    components = {"precision": "f32", "allow-chars": "<" * 5000}
    print_ = fingerprint(components)
    (folder / part_name(0)).write_bytes(encode_part(lines, truth, {FINGERPRINT: print_}))
    for index in range(1, SHARDS):
        os.link(folder / part_name(0), folder / part_name(index))
    shards = Shards(array("q", range(0, SHARDS * LINES, LINES)), array("q"), SHARDS * LINES)
    plan = Plan(
        fingerprint=print_,
        components=components,
        manifest="/nowhere/manifest.csv",
        rows=SHARDS * LINES,
        limit=None,
        shards=shards,
        carried=schema_to_text(truth.schema),
        model={"name": "m", "license": "l"},
        digests={},
        versions={},
        options={},
    )
    (folder / "_plan.json").write_text(plan.to_json())
    ledger = Ledger()
    counts = {str(status): sum(line.status is status for line in lines) for status in Status}
    for index in range(SHARDS):
        ledger.add(index, counts)
    (folder / "_progress.json").write_bytes(ledger.to_json(print_))
    curve = [[second, second * 100] for second in range(401)]
    worker = {f"fact {n}": "&" * 900 for n in range(15)}
    this_run = {"lines_after_seconds": curve, "workers": [worker] * 500, "seconds_by_stage": {"read": 1.0}}
    (folder / "_run.json").write_text(
        json.dumps({"state": "complete", "next": "x" * 9000, "this_run": this_run})
    )
    return folder


def test_ten_million_lines_are_under_five_megabytes(tmp_path: Path) -> None:
    output = huge_output(tmp_path / "out")
    written = write_report(str(output), Store(), ReportOptions(parts=2, by="hand"))
    html = page_of(output)
    words = words_of(html)
    assert f"{SHARDS * LINES:,} manifest rows = {SHARDS * LINES:,} result rows" in words
    assert f"in 2 of {SHARDS:,} parts, evenly spread" in words
    assert "secret" not in html and "user:" not in html
    # The manifest is gone, so there are no pictures; they have a bound of their own.
    assert written.size + ALL_BYTES < 5 * MEGABYTE
    assert "…" in html and text_is_cut(html)


def text_is_cut(html: str) -> bool:
    """No line shows more characters one by one than it may."""
    lists = re.findall(r'<ol class="characters".*?</ol>', html, flags=re.DOTALL)
    return {shown.count("<li") for shown in lists} == {MOST_CHARACTERS}
