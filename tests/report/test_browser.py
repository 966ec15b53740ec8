"""The page in Chromium: it loads in silence, sorts, filters, opens a line, and stays harmless."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from .conftest import EVIL_ID

SCORE, CER = 1, 4


@pytest.fixture
def page(browser: Chrome, output: Path) -> Chrome:
    browser.get((output / "_report.html").as_uri())
    return browser


def all_of(page: Chrome, css: str) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, css)


def one(page: Chrome, css: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, css)


def column(page: Chrome, index: int) -> list[float]:
    """The values of a column, from the top down."""
    script = "return [...document.querySelectorAll('tr.line')].map(r => +r.cells[arguments[0]].dataset.v)"
    return list(page.execute_script(script, index))


def visible_lines(page: Chrome) -> list[WebElement]:
    return [body for body in all_of(page, "table.lines > tbody") if body.is_displayed()]


def test_it_loads_in_silence_and_needs_no_network(page: Chrome) -> None:
    assert page.get_log("browser") == []
    assert page.title.endswith("manifest.csv – hwr-batch")
    fetched = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []
    broken = page.execute_script("return [...document.images].filter(i => !i.naturalWidth).length")
    assert (len(all_of(page, "table.lines img")) > 30, broken) == (True, 0)


def test_texts_are_shown_not_run(page: Chrome) -> None:
    assert "owned" not in page.title
    names = [cell.text for cell in all_of(page, ".figures tbody th")] + [
        name.get_attribute("textContent") for name in all_of(page, ".lines .id")
    ]
    assert EVIL_ID in names
    assert len(all_of(page, "script")) == 1


@pytest.mark.parametrize("index", [SCORE, CER])
def test_headings_sort_both_ways(page: Chrome, index: int) -> None:
    heading = all_of(page, ".lines thead th")[index]
    button = heading.find_element(By.TAG_NAME, "button")
    button.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    rising = column(page, index)
    assert rising == sorted(rising)
    button.send_keys(Keys.ENTER)
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, index) == sorted(rising, reverse=True)
    assert len(all_of(page, ".lines th[aria-sort]")) == 1


def test_finding_and_grouping_filter(page: Chrome) -> None:
    every = len(visible_lines(page))
    one(page, "#find").send_keys("<SCRIPT>")
    assert len(visible_lines(page)) == 1
    assert one(page, "#shown").text == f"1 of {every} lines"
    one(page, "#find").clear()
    one(page, "#group").send_keys("most edits")
    found = visible_lines(page)
    assert 0 < len(found) < every
    assert all("most edits" in body.find_element(By.CSS_SELECTOR, ".tags").text for body in found)


def test_a_line_opens_by_keyboard_and_closes_again(page: Chrome) -> None:
    button = all_of(page, ".open")[0]
    details = one(page, f"#{button.get_attribute('aria-controls')}")
    assert (button.get_attribute("aria-expanded"), details.is_displayed()) == ("false", False)
    button.send_keys(Keys.SPACE)
    assert (button.get_attribute("aria-expanded"), details.is_displayed()) == ("true", True)
    assert details.find_elements(By.CSS_SELECTOR, ".characters li")
    button.click()
    assert not details.is_displayed()
    one(page, "#open-all").click()
    assert all(row.is_displayed() for row in all_of(page, "tr.details"))


def test_every_chart_says_in_words_what_it_shows(page: Chrome) -> None:
    """As Chromium's accessibility tree hands it to a screen reader."""
    tree: dict[str, Any] = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    nodes = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree["nodes"] if "role" in n]
    charts = [name for role, name in nodes if role in ("image", "img") and "Lines per second" in name]
    assert charts and re.search(r"the most was [\d.,]+ lines/s", charts[0])
    assert ("heading", "Errors by cause") in nodes
    roles = {role for role, _ in nodes}
    assert {"table", "columnheader", "rowheader", "navigation", "main", "search", "status"} <= roles


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_and_can_be_read(page: Chrome, width: int, scheme: str) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        page.refresh()
        wide = page.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
        for css in (":root", ".k0", ".k1", ".k2", ".k3", ".tiles dt", ".badge", ".open", ".summary"):
            assert contrast(page, css) >= 4.5, css
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(page: Chrome, css: str) -> float:
    """WCAG 2.2 contrast of an element's text against the nearest background below it."""
    script = """
      let element = document.querySelector(arguments[0]), below = element;
      const seen = (e) => getComputedStyle(e).backgroundColor;
      while (below && seen(below) === "rgba(0, 0, 0, 0)") below = below.parentElement;
      return [getComputedStyle(element).color, below ? seen(below) : seen(document.body)];
    """
    colours = page.execute_script(script, css)
    light, dark = sorted((_luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_prints_without_its_controls(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not one(page, "nav").is_displayed()
        assert not one(page, ".controls").is_displayed()
        assert one(page, ".lines img").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_script_every_detail_is_there(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        document = page.execute_cdp_cmd("DOM.getDocument", {"depth": -1})
        assert '"hidden"' not in json.dumps(document)
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
