"""What the report is put together from: known answers, bounds, and choices that depend on no order."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import FolderStore, line, write_output

from hwr_batch.calibrate.held_out import Bin
from hwr_batch.evaluate import Confusion
from hwr_batch.image_threads import ImageThreads
from hwr_batch.report import charts, drawings
from hwr_batch.report.confusion import MOST, matrix
from hwr_batch.report.lines import Run, runs
from hwr_batch.report.parts import SomeParts, spread
from hwr_batch.report.pictures import (
    ALL_BYTES,
    HEIGHT,
    PICTURE_BYTES,
    WIDTH,
    Picture,
    _made,
    _within,
    thumbnail,
)
from hwr_batch.report.survey import BINS, Survey, Wanted, survey
from hwr_batch.report.words import compact, cut, duration, number, percent, visible
from hwr_batch.results.reading import part_names
from hwr_batch.speed_curve import MOST_POINTS, SpeedCurve

# Parts


@given(st.integers(1, 400), st.integers(1, 200))
def test_parts_are_spread_evenly(parts: int, most: int) -> None:
    names = [f"{n:04d}" for n in range(parts)]
    chosen = spread(names, most)
    assert len(chosen) == min(parts, most)
    places = [names.index(name) for name in chosen]
    steps = set(np.diff(places).tolist())
    assert max(steps, default=1) - min(steps, default=1) <= 1
    assert spread(names, None) == tuple(names)


# Survey


def surveyed(folder: Path, scores: list[float | None], *, per_part: int, wanted: Wanted) -> Survey:
    rows = [line(f"l{n}", None if score is None else "abc", score=score) for n, score in enumerate(scores)]
    output = write_output(folder, rows, per_part=per_part)
    return survey(output, SomeParts(FolderStore(), part_names(output, FolderStore())), wanted)


def places(chosen: object, per_part: int) -> list[int]:
    """Rows of the whole run."""
    assert isinstance(chosen, tuple)
    return [int(one.part[5:10]) * per_part + one.row for one in chosen]


def test_known_survey(tmp_path: Path) -> None:
    scores = [0.99, None, 0.11, 1.0, 0.0, 0.5]
    found = surveyed(tmp_path, scores, per_part=2, wanted=Wanted(2, 9, frozenset({"l1", "l3"})))
    assert (found.lines, found.read, found.p_correct, found.to_review) == (6, 5, None, None)
    histogram = dict(enumerate(found.scores.tolist()))
    assert {k: n for k, n in histogram.items() if n} == {0: 1, 2: 1, 10: 1, BINS - 1: 2}
    assert places(found.least, 2) == [4, 2]
    assert sorted(places(found.random, 2)) == [0, 2, 3, 4, 5]
    assert places(found.named, 2) == [1, 3]


def test_the_random_lines_depend_on_no_cut(tmp_path: Path) -> None:
    scores: list[float | None] = [n / 200 for n in range(200)]
    wanted = Wanted(0, 20, frozenset())
    first, second = (
        places(surveyed(tmp_path / str(size), scores, per_part=size, wanted=wanted).random, size)
        for size in (7, 200)
    )
    assert first == second
    assert len({place // 50 for place in first}) == 4  # from all over the run


# Lines


def test_neighbours_of_one_shade_stand_together() -> None:
    scores = (0.499, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
    assert runs(list(zip("abcdefg", scores, strict=True))) == (
        Run("ab", 0, 0.3),
        Run("c", 1, 0.5),
        Run("d", 2, 0.7),
        Run("e", 3, 0.9),
        Run("fg", 4, 0.98),
    )


# Pictures


@pytest.mark.parametrize("size", [(3, 2), (40, 9000), (5000, 30), (300, 3000)])
def test_pictures_keep_their_bounds(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)  # nothing compresses worse
    picture = thumbnail(noise)
    assert picture.source.startswith("data:image/webp;base64,") != bool(picture.missing)
    assert len(picture.source) <= PICTURE_BYTES + 30
    assert picture.width <= WIDTH and picture.height <= HEIGHT


def test_a_picture_shows_the_colours_of_its_line() -> None:
    import base64
    import io

    from PIL import Image

    blue = np.zeros((20, 60, 3), np.uint8)
    blue[:, :, 0] = 255  # BGR
    data = base64.b64decode(thumbnail(blue).source.partition(",")[2])
    red, _, seen = Image.open(io.BytesIO(data)).convert("RGB").getpixel((30, 10))
    assert (red < 40, seen > 200) == (True, True)


def test_pictures_end_where_the_page_is_full() -> None:
    many = {("part", n): Picture("x" * 39_000, 1, 1) for n in range(100)}
    kept = [picture for picture in _within(many).values() if picture.source]
    assert sum(len(picture.source) for picture in kept) <= ALL_BYTES < 39_000 * (len(kept) + 1)


# Charts


@pytest.mark.parametrize(
    ("most", "step"), [(1, 0.2), (1.05, 0.5), (10, 2), (99, 20), (0.003, 0.001), (1e7, 2e6), (7, 2)]
)
def test_steps_of_an_axis(most: float, step: float) -> None:
    assert charts.nice_step(most) == pytest.approx(step)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_bars_stay_inside(heights: list[float]) -> None:
    edges = list(range(len(heights) + 1))
    for bar in charts.bars(edges, heights, [""] * len(heights)):
        assert charts.LEFT <= bar.x <= bar.x + bar.width <= charts.WIDTH - charts.RIGHT + 0.02
        assert charts.TOP <= bar.y <= bar.y + bar.height <= charts.HEIGHT - charts.BOTTOM + 0.02


def test_the_diagonal_is_the_diagonal() -> None:
    chart = drawings.reliability((Bin(40, 0.5, 0.5), Bin(40, 1.0, 0.0)), name="p", outcome="right")
    guide, drawn = chart.lines
    assert guide.points[0] == (charts.LEFT, charts.HEIGHT - charts.BOTTOM)
    assert guide.points[1] == (charts.WIDTH - charts.RIGHT, charts.TOP)
    middle = tuple((a + b) / 2 for a, b in zip(*guide.points, strict=True))
    assert drawn.points == (middle, (charts.WIDTH - charts.RIGHT, charts.HEIGHT - charts.BOTTOM))
    assert "the largest gap is 100.0 % expected against 0.0 % observed" in chart.summary


def test_speed_is_lines_over_seconds() -> None:
    chart = drawings.speed([[10, 100], [20, 100], [30, 400], [40, 500]])
    assert chart is not None
    assert [row[1] for row in chart.table.rows] == ["10 lines/s", "0 lines/s", "30 lines/s", "10 lines/s"]
    assert "the most was 30 lines/s, from 20.0 s to 30.0 s" in chart.summary
    assert drawings.speed([[1, 5], [2, 9]]) is None


def test_confusions_as_a_matrix() -> None:
    pairs = (Confusion("a", "o", 8), Confusion("a", "", 2), Confusion("", " ", 1))
    found = matrix(pairs)
    assert found is not None
    assert (found.head, [name for name, _ in found.rows]) == (("space", "o", "nothing"), ["a", "nothing"])
    assert [[cell.count for cell in cells] for _, cells in found.rows] == [[0, 8, 2], [1, 0, 0]]
    assert [cell.shade for cell in found.rows[0][1]] == [0, 4, 1]
    many = matrix([Confusion(chr(200 + n), chr(300 + n), 1) for n in range(90)])
    assert many is not None
    assert (len(many.head), len(many.rows)) == (MOST, MOST)
    assert matrix(()) is None


# Words


def test_words() -> None:
    assert [number(v) for v in (1234567, 12.345, 0.0123, 5.0, 0)] == ["1,234,567", "12.3", "0.012", "5", "0"]
    assert [compact(v) for v in (0, 0.2, 500, 1500, 2e6)] == ["0", "0.2", "500", "1.5k", "2M"]
    assert [percent(v) for v in (0, 1, 0.5, 0.00001, 0.99999, None)] == [
        *("0.0 %", "100.0 %", "50.0 %", "under 0.1 %", "over 99.9 %", "–")
    ]
    assert [duration(s) for s in (0.0123, 5, 65, 3723, 90061)] == [
        *("12 ms", "5.0 s", "1 min 5 s", "1 h 2 min", "1 d 1 h")
    ]
    assert [visible(c) for c in ("", " ", "a", "\u202e")] == ["nothing", "space", "a", "U+202E"]
    assert (cut("abcdef", 4), cut("abcd", 4), cut(None, 4)) == ("abc…", "abcd", "")


# The speed curve of `_run.json`


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), max_size=3000))
def test_the_curve_is_bounded_and_ends_with_the_latest(steps: list[tuple[float, int]]) -> None:
    curve, seconds, lines = SpeedCurve(), 0.0, 0
    for pause, more in steps:
        seconds, lines = seconds + pause, lines + more
        curve.add(seconds, lines)
    points = curve.to_json()
    assert len(points) <= MOST_POINTS + 1
    assert points == sorted(points)
    if steps:
        assert points[-1] == [round(seconds, 2), lines]


def test_a_month_is_drawn_as_finely_as_a_minute() -> None:
    curve = SpeedCurve()
    for shard in range(100_000):
        curve.add(shard * 26.0, shard * 1024)
    gaps = np.diff([seconds for seconds, _ in curve.to_json()])
    assert MOST_POINTS / 4 <= len(gaps) <= MOST_POINTS
    assert gaps.max() <= 4 * np.median(gaps)


def test_an_image_that_hangs_has_no_picture_and_holds_up_nothing() -> None:
    release = threading.Event()
    threads = ImageThreads(1, seconds=0.1)

    def hang(_: object) -> Picture:
        release.wait(30)
        return Picture(source="late")

    try:
        late, fine = threads.submit(hang), threads.submit(lambda _: Picture(source="fine"))
        assert "not done within" in _made(threads, late).missing
        assert _made(threads, fine) == Picture(source="fine")
    finally:
        release.set()


def test_closed_threads_finish_what_they_were_given_and_end() -> None:
    before = threading.active_count()
    threads = ImageThreads(3)
    tasks = [threads.submit(lambda _, n=n: n) for n in range(20)]
    threads.close()
    assert [threads.wait(task) for task in tasks] == list(range(20))
    ended = threading.Event()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        ended.wait(0.1)
    assert threading.active_count() <= before
