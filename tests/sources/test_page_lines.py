"""Lines found on whole pages: by a detector of the test's own, and by the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hwr_batch.errors import ConfigError, ManifestError
from hwr_batch.records import Pixels
from hwr_batch.sources import BuildOptions, PageFinder, Problem, Summary, build
from hwr_batch.sources.found import Points
from hwr_batch.sources.page_lines import PpOcrDetector
from hwr_batch.storage import Store

from .drawn import LINES, corners, file_of, save_page
from .test_build import rows_of

SAMPLE = Path(__file__).parents[2] / "hwr_batch" / "samples" / "page.jpg"


class DrawnLines:
    """Finds what `drawn` drew, bottom up."""

    def __call__(self, page: Pixels) -> list[Points]:
        assert page.ndim == 3 and page.shape[2] == 3
        if page.min() > 100:
            return []
        return [tuple((float(x), float(y)) for x, y in corners(box)) for box in reversed(LINES.values())]


def make(output: Path, *sources: Path, told: list[Problem], pictures: str | None = None) -> Summary:
    finder = PageFinder(DrawnLines(), pictures=pictures)
    chosen = BuildOptions(find_lines=finder)
    return build([str(source) for source in sources], str(output), Store(), chosen, told.append)


def test_pages_become_lines_in_reading_order(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_page(tmp_path / "in", name)
    (tmp_path / "in" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    told: list[Problem] = []
    output = tmp_path / "m.parquet"
    found = make(output, tmp_path / "in", told=told, pictures=str(tmp_path / "pictures"))
    rows = rows_of(str(output))
    assert [row.line_id for row in rows] == [f"{page}.png/line-{n:04d}" for page in "ab" for n in (1, 2, 3)]
    assert [row.polygon for row in rows[:3]] == [tuple(corners(box)) for box in LINES.values()]
    assert [problem.kind.value for problem in told] == ["image_unreadable"]
    assert (found.rows, found.pages) == (6, 2)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["page-01.jpg", "page-02.jpg"]


def test_a_page_without_lines_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(file_of(Image.new("L", (50, 50), 255)))
    told: list[Problem] = []
    with pytest.raises(ManifestError):
        make(tmp_path / "m.parquet", tmp_path / "empty.png", told=told)
    assert [problem.kind.value for problem in told] == ["no_lines"]


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(ConfigError, match=r"pip install 'hwr-batch\[pages\]'"):
        PpOcrDetector(1)


def test_the_real_detector_finds_the_four_lines_of_the_sample_page(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="the extra `pages` is not installed")
    finder = PageFinder(PpOcrDetector(1))
    output = str(tmp_path / "m.parquet")
    build([str(SAMPLE)], output, Store(), BuildOptions(find_lines=finder), lambda problem: None)
    polygons = [row.polygon for row in rows_of(output)]
    middles = [sum(y for _, y in polygon) / 4 for polygon in polygons if polygon]
    assert len(polygons) == 4
    assert middles == sorted(middles)
    assert all(
        max(x for x, _ in polygon) - min(x for x, _ in polygon) > 700 for polygon in polygons if polygon
    )
