"""Runs to report on, and a browser to look at the report with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from test_calibrate_fit import fitted, world
from test_job import run
from tiny import write_lines, write_manifest, write_model

from hwr_batch.config import ReadingOptions, Review
from hwr_batch.results.reading import part_facts
from hwr_batch.storage import Store

EVIL_ID = "<script>document.title='owned'</script>"
EVIL_TEXT = "<img src=x onerror=\"document.title='owned'\"> & 'more'"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("report-model"))


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 lines: one is missing, one bears markup in its id, its reference and its group."""
    folder = tmp_path_factory.mktemp("report-lines")
    lines = write_lines(folder, 160)
    rows = [{"line_id": row["image"], **row, "hand": "ab"[n % 2]} for n, row in enumerate(lines)]
    rows[5] |= {"line_id": EVIL_ID, "text": EVIL_TEXT, "hand": EVIL_ID}
    (folder / "00007.png").unlink()
    return write_manifest(folder / "manifest.csv", rows)


@pytest.fixture(scope="session")
def output(manifest: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run with references; the run itself wrote its report."""
    out = tmp_path_factory.mktemp("report-out")
    run(manifest, out / "plain", model, max_error_rate=1.0)
    made_with = part_facts(str(out / "plain"), Store())
    calibration = replace(fitted(world(3000, 1)), made_with=made_with)
    judged = ReadingOptions(review=Review(calibration.dumps(), 0.5))
    run(manifest, out / "judged", model, reading=judged, max_error_rate=1.0)
    return out / "judged"


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Chromium without a window, that keeps what pages write to the console."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in _FLAGS:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


_FLAGS = (
    *("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-dev-shm-usage"),
    *("disable-background-networking", "disable-component-update", "disable-sync", "window-size=1280,900"),
)
