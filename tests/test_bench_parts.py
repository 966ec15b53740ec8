"""The benchmark's parts, one by one, with answers known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

from hwr_batch.bench import arithmetic, chart, contenders, limit_way, rounds
from hwr_batch.bench.benchmark import BenchOptions
from hwr_batch.bench.contenders import Contender
from hwr_batch.bench.lines import LineSet, gathered_lines, made_lines, write_manifest
from hwr_batch.bench.published import network_input, padded_together, text_of
from hwr_batch.bench.report import Machine, ModelReport, Report
from hwr_batch.bench.rounds import Outcome
from hwr_batch.bench.setting import BenchLine, Measured, Setting
from hwr_batch.config import AccessOptions, Padding, Precision
from hwr_batch.errors import ConfigError
from hwr_batch.storage import Store
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.card import Context, ModelBundle
from tests import tiny

F32_EXACT = (Precision.F32, Padding.EXACT)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    folder = tmp_path_factory.mktemp("tiny")
    return load(str(tiny.write_model(folder)), precision=Precision.F32, cache=Cache(str(folder), Store()))


def _setting(bundle: ModelBundle, lines: LineSet, folder: Path) -> Setting:
    return Setting(bundle, lines.lines, write_manifest(lines.lines, folder / "m.csv"), str(folder), cores=1)


# Lines


def test_made_lines_are_as_wide_as_real_ones_and_always_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    lines = made_lines(320, first)
    assert len(lines.lines) == 320
    assert 800 <= lines.mean_columns(96) <= 900
    assert all(line.columns(96) < 2000 for line in lines.lines)
    again = made_lines(320, second)
    for one, other in zip(lines.lines, again.lines, strict=True):
        assert Path(one.path).read_bytes() == Path(other.path).read_bytes()


def test_gathered_lines_are_cut_out_and_bad_rows_are_left_out(tmp_path: Path) -> None:
    page = np.tile(np.arange(200, dtype=np.uint8), (50, 1))
    cv2.imwrite(str(tmp_path / "page.png"), page)
    (tmp_path / "m.csv").write_text(
        "image,line_id,x,y,width,height\npage.png,whole,,,,\npage.png,cut,20,10,100,30\nnone.png,missing,,,,\n"
    )
    out = tmp_path / "out"
    out.mkdir()
    found = gathered_lines(str(tmp_path / "m.csv"), 10, AccessOptions(), out)
    assert [(line.line_id, line.width, line.height) for line in found.lines] == [
        ("whole", 200, 50),
        ("cut", 100, 30),
    ]
    assert found.left_out == 1
    assert Path(found.lines[0].path).read_bytes() == (tmp_path / "page.png").read_bytes()
    cut = cv2.imread(found.lines[1].path, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(cut, page[10:40, 20:120])


def test_gathered_lines_obey_the_limit(tmp_path: Path) -> None:
    rows = tiny.write_lines(tmp_path, 5)
    manifest = tiny.write_manifest(tmp_path / "m.csv", rows)
    out = tmp_path / "out"
    out.mkdir()
    assert len(gathered_lines(str(manifest), 3, AccessOptions(), out).lines) == 3


def test_a_manifest_without_a_readable_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("image\nnone.png\n")
    with pytest.raises(ConfigError, match="can be read"):
        gathered_lines(str(tmp_path / "m.csv"), 3, AccessOptions(), tmp_path)


def test_lines_wider_than_the_network_are_left_out() -> None:
    lines = LineSet("", (BenchLine("a", "", 500, 50), BenchLine("b", "", 500, 20)), left_out=1)
    fitting = lines.fitting(96, 2000)
    assert [line.line_id for line in fitting.lines] == ["a"]
    assert fitting.left_out == 2
    assert lines.fitting(96, 0).lines == lines.lines
    with pytest.raises(ConfigError, match="none of the 2 lines"):
        lines.fitting(96, 100)


# The published way


def test_network_input_repeats_the_last_column(bundle: ModelBundle) -> None:
    line = np.tile(np.array([10, 200], np.uint8), (bundle.card.height, 1))
    array = network_input(line, bundle.card)
    assert array.shape == (1, 1, bundle.card.height, bundle.card.width)
    assert array[0, 0, 0, :3].tolist() == [10.0, 200.0, 200.0]
    assert (array[0, 0, :, 1:] == 200).all()


def test_inputs_padded_together_end_in_zeros() -> None:
    batch = padded_together([np.ones((1, 3, 2, 4), np.float32), np.ones((1, 3, 2, 1), np.float32)])
    assert batch.shape == (2, 3, 2, 4)
    assert batch.sum(axis=(1, 2, 3)).tolist() == [24, 6]


def test_greedy_text_collapses_runs_and_drops_blanks(bundle: ModelBundle) -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 0]  # class 1 is "a", 2 is "b"
    scores = np.zeros((len(path), 2, len(bundle.charset) + 1), np.float32)
    scores[np.arange(len(path)), 1, path] = 1
    assert text_of(scores, 1, bundle.card, bundle.charset) == "aab"
    assert text_of(scores, 0, bundle.card, bundle.charset) == ""


# Limits


def test_operations_of_known_networks() -> None:
    image = ops.parameter([1, 2, 8, 10], np.float32)
    kernel = ops.constant(np.zeros((5, 2, 3, 3), np.float32))
    convolved = ops.convolution(image, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    assert arithmetic.operations(ov.Model([convolved], [image], "")) == 2 * (5 * 8 * 10) * (2 * 3 * 3)
    left = ops.parameter([7, 11], np.float32)
    product = ops.matmul(left, ops.constant(np.zeros((11, 13), np.float32)), False, False)
    assert arithmetic.operations(ov.Model([product], [left], "")) == 2 * 7 * 11 * 13


def test_operations_grow_with_the_content_but_not_the_recurrence(bundle: ModelBundle) -> None:
    from hwr_batch.engine.source import open_network

    count = arithmetic.operations_by_width(open_network(ov.Core(), bundle), bundle.card)
    frames = bundle.card.width // 8
    width = 8 * tiny.HIDDEN  # 2 directions of 4 gates
    features = tiny.CONVS[-1]
    recurrent = sum(width * (size + tiny.HIDDEN) for size in (features, *[2 * tiny.HIDDEN] * 3))
    answer = 2 * tiny.HIDDEN * (len(tiny.CHARACTERS) + 1)
    assert count(0) == 2 * frames * (recurrent + answer)
    assert count(1000) - count(0) == pytest.approx(2 * (count(500) - count(0)))


def test_the_limit_replays_what_the_engine_feeds(bundle: ModelBundle, tmp_path: Path) -> None:
    lines = made_lines(20, tmp_path)
    fitting = lines.fitting(bundle.card.height, bundle.card.width)
    setting = _setting(bundle, fitting, tmp_path)
    noted: list[limit_way.NotedModel] = []
    form = limit_way._form(setting, noted)
    limit_way._read_all(form, limit_way._pieces(setting, step=1), 1)
    columns, *sequences = noted
    assert len(columns.inputs) == 20
    assert all(
        array.shape[3] >= min(line.columns(bundle.card.height), bundle.card.width)
        for array, line in zip(columns.inputs, fitting.lines, strict=True)
    )
    assert sum(len(array) for sequence in sequences for array in sequence.inputs) >= 20
    measured = limit_way.read(setting)
    assert measured.lines == 20
    assert measured.seconds > 0


# Rounds


def _measured(speed: float, texts: tuple[str, ...] | None = None) -> Measured:
    return Measured(seconds=2 / speed, lines=2, peak_bytes=int(speed), texts=texts)


def test_rounds_are_interleaved_and_their_medians_reported(
    monkeypatch: pytest.MonkeyPatch, bundle: Any
) -> None:
    speeds = {"demo": iter((10.0, 30.0, 20.0)), "hwr-batch": iter((5.0, 100.0, 50.0))}
    texts = {"demo": ("a", "b"), "hwr-batch": ("a", "c")}
    asked: list[tuple[str, Padding]] = []

    def instead(work: Callable[[Setting], Measured], setting: Setting) -> Measured:
        way = next(name for name, read in contenders.WAYS.items() if read is work)
        asked.append((way, setting.padding))
        return _measured(next(speeds[way]), texts[way])

    monkeypatch.setattr(rounds, "in_own_process", instead)
    chosen = [
        Contender("published", "demo", ""),
        Contender("ours", "hwr-batch", "", {"padding": Padding.TRIM}),
    ]
    setting = Setting(bundle, (), "", "", cores=1)
    found = rounds.measure(chosen, setting, rounds=3, tell=lambda text: None)
    ours, demo = ("hwr-batch", Padding.TRIM), ("demo", Padding.EXACT)
    assert asked == [demo, ours, ours, demo, demo, ours]
    assert found["published"].lines_per_second == pytest.approx(20)
    assert found["ours"].lines_per_second == pytest.approx(50)
    assert found["ours"].peak_bytes == 100
    assert found["ours"].texts_differing == 1
    assert found["published"].texts_differing == 0


def test_contenders_can_be_left_out_and_varied(bundle: ModelBundle) -> None:
    names = [c.name for c in contenders.compared(bundle.card, (), F32_EXACT, ("bf16", "trim"))]
    assert names == [
        "demo",
        "ray-data",
        "ray-data-16",
        "hwr-batch",
        "limit",
        "arithmetic",
        "hwr-batch bf16",
        "limit bf16",
        "hwr-batch trim",
        "limit trim",
    ]
    fewer = contenders.compared(bundle.card, ("ray-data", "limit"), F32_EXACT, ())
    assert [c.name for c in fewer] == ["demo", "hwr-batch", "arithmetic"]
    varied = contenders.compared(bundle.card, (), F32_EXACT, ("bf16",))
    assert varied[-2].changes == {"precision": Precision.BF16, "padding": Padding.EXACT}


def test_a_network_of_any_width_meets_the_ray_data_job_sorted_and_not(bundle: ModelBundle) -> None:
    card = replace(bundle.card, context=Context.GLOBAL, width=0)
    found = {c.name: c.changes for c in contenders.compared(card, (), F32_EXACT, ())}
    assert list(found) == ["demo", "ray-data", "ray-data-unsorted", "hwr-batch", "limit", "arithmetic"]
    assert (found["ray-data"], found["ray-data-unsorted"]) == ({}, {"sort_widths": False})


@pytest.mark.parametrize(
    ("cores", "names"),
    [
        (1, ["1 cores"]),
        (2, ["1x2", "2x1", "1 cores", "2 cores"]),
        (6, ["1x6", "6x1", "1 cores", "2 cores", "4 cores", "6 cores"]),
    ],
)
def test_the_actor_sweep_shares_the_cores_out(cores: int, names: list[str]) -> None:
    assert [contender.name for contender in contenders.actor_sweep(cores)] == names


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lines": 0}, "--lines must be at least 1"),
        ({"rounds": 0}, "--rounds must be at least 1"),
        ({"cores": 0}, "--cores is from 1"),
        ({"also": ("f32",)}, "--also takes bf16, trim, full"),
        ({"without": ("c",)}, "--without takes demo"),
    ],
)
def test_options_are_checked(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        BenchOptions(**wrong)


# The report


def _report() -> Report:
    speeds = {"demo": 50.0, "ray-data": 60.0, "hwr-batch": 120.0, "limit": 125.0, "hwr-batch bf16": 200.0}
    outcomes = {
        name: Outcome(Contender(name, name.split()[0], f"<{name}>"), (speed,), (0.1,), 1 << 20, 0, {})
        for name, speed in speeds.items()
    }
    model = ModelReport("m & n", 96, 2000, 10, 0, 850.0, outcomes)
    versions = {"openvino": "2026.4.1-1", "hwr-batch": "1"}
    return Report(Machine("a CPU", 2, versions, (0.1, 0.2)), "made", 3, (model,))


def test_ratios_of_what_was_measured() -> None:
    ratios = _report().models[0].ratios()
    assert ratios == {
        "hwr-batch / demo": pytest.approx(2.4),
        "hwr-batch / ray-data": pytest.approx(2.0),
        "hwr-batch / limit": pytest.approx(0.96),
        "hwr-batch bf16 / demo": pytest.approx(4.0),
        "hwr-batch bf16 / hwr-batch": pytest.approx(5 / 3),
    }


def test_the_report_is_json_with_its_configuration() -> None:
    content = json.loads(json.dumps(_report().to_json()))
    assert content["machine"]["cores"] == 2
    assert content["rounds"] == 3
    assert content["models"][0]["ways"]["hwr-batch"]["lines_per_second"] == 120.0


def test_the_chart_is_svg_with_a_bar_for_every_way() -> None:
    drawn = chart.draw(_report())
    root = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    bars = {rect.get("class"): float(str(rect.get("width"))) for rect in root.iter(f"{space}rect")}
    assert bars["other"] == pytest.approx(bars["bound"] * 60 / 125, abs=0.1)
    said = [text.text for text in root.iter(f"{space}text")]
    assert "m & n" in said
    assert "<hwr-batch>" in said
    assert "prefers-color-scheme: dark" in drawn
