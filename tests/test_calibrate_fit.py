"""From results to a calibration and back: what it says holds on lines it has not seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_results import FolderStore, line, write_output

from hwr_batch.calibrate import Calibration, LineFeatures
from hwr_batch.calibrate.calibration import Acceptance
from hwr_batch.calibrate.fit import (
    LEAST_LINES,
    CalibrateOptions,
    CalibrationReport,
    calibrate,
    fit,
    refuse_too_few,
)
from hwr_batch.calibrate.held_out import calibration_error, examine, reliability_curve
from hwr_batch.calibrate.sample import JudgedLines, LineSample, line_keys
from hwr_batch.errors import ConfigError, Status
from hwr_batch.evaluate import TruthTable
from hwr_batch.records import LineResult, Reading

STORE = FolderStore()


def world(lines: int, seed: int, *, level: float = 6.0, confidence: float = 2.0) -> JudgedLines:
    """Lines of a reader whose log-odds are `confidence` times what they should be, and noisy.

    Each line has a difficulty, each character its own chance to be right given that.
    """
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 60, lines)
    owner = np.repeat(np.arange(lines), lengths)
    true = random.normal(level, 2.5, lines)[owner] + random.normal(0, 1, len(owner))
    seen = np.maximum(1 / (1 + np.exp(-confidence * true - random.normal(0, 1, len(owner)))), 0.05)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    wrong = (random.random(len(owner)) > 1 / (1 + np.exp(-true))).astype(np.float64)
    features = LineFeatures(
        score=np.exp(np.add.reduceat(np.log(seen), starts) / lengths),
        weakest=np.minimum.reduceat(seen, starts),
        length=lengths.astype(np.float64),
        width=lengths * random.uniform(12, 25, lines),
    )
    keys = random.integers(0, 2**63, lines).astype(np.uint64)
    return JudgedLines(keys, features, np.add.reduceat(wrong, starts), lengths.astype(np.float64))


def fitted(lines: JudgedLines, **options: Any) -> Calibration:
    return fit(lines, CalibrateOptions(**options), made_with={"hwr_batch.model": "toy"})


@pytest.fixture(scope="module")
def toy() -> Calibration:
    return fitted(world(3000, 1))


@pytest.mark.parametrize("right_cer", [0.0, 0.1])
def test_held_out_lines_are_right_as_often_as_said(right_cer: float) -> None:
    report = examine(fitted(world(3000, 1), right_cer=right_cer), world(6000, 2))
    assert report.ece <= 0.05
    assert report.cer_error <= 0.02
    assert report.ece_before > 0.05  # the bare score is off, or there was nothing to do
    assert sum(point.lines for point in report.reliability) == 6000


def test_accepted_lines_are_right_as_often_as_asked() -> None:
    report = examine(fitted(world(12_000, 3)), world(20_000, 4))
    for point in report.review:
        assert point.precision is not None
        assert point.asked - 0.01 <= point.precision
        assert point.cer is not None
        assert point.cer < 0.05
    coverages = [point.coverage for point in report.review]
    assert coverages == sorted(coverages, reverse=True)  # the stricter, the fewer
    assert coverages[3] > 0.3  # at 0.98


def test_the_coverage_curve_ends_at_all_lines() -> None:
    lines = world(2000, 5)
    report = examine(fitted(world(3000, 1)), lines)
    assert [point.coverage for point in report.coverage][::19] == [0.05, 1.0]
    assert report.coverage[-1].error == pytest.approx(1 - report.right / 2000)
    assert report.coverage[-1].cer == pytest.approx(lines.edits.sum() / lines.characters.sum())
    assert report.coverage[0].error < 0.05 < report.coverage[-1].error


def test_temperature_tells_overconfidence() -> None:
    assert fitted(world(3000, 6, confidence=2.5)).temperature > 1.5
    assert fitted(world(3000, 6, confidence=0.6)).temperature < 1


def test_known_calibration_error() -> None:
    predicted = np.repeat(np.array([0.1, 0.9]), 400)
    outcome = np.concatenate([np.zeros(400), np.ones(400)])
    assert calibration_error(reliability_curve(predicted, outcome)) == pytest.approx(0.1)
    assert len(reliability_curve(predicted[:100], outcome[:100])) == 2  # 40 lines a bin at least


def test_a_surer_reading_is_never_less_likely_right(toy: Calibration) -> None:
    """Same length and width, score and weakest character rising together."""
    rising = np.linspace(0.3, 0.9999, 50)
    same = np.full(50, 20.0)
    p, cer = toy.apply(LineFeatures(rising, rising**2, same, same * 20))
    assert (np.diff(p) >= 0).all()
    assert (np.diff(cer) <= 0).all()
    assert p[0] < 0.2 < 0.8 < p[-1]


def result(text: str | None, score: float = 0.9) -> LineResult:
    reading = (
        text
        if text is None
        else Reading(text, score, score, -1.0, (score,) * len(text), ((0, 9),) * len(text))
    )
    status = Status.OK if reading else Status.IMAGE_MISSING
    return LineResult(
        "a", "a.png", status, None if reading else "gone", reading, 400 if reading else None, 50, 1
    )


def test_judging_results_one_by_one_or_together_is_the_same(toy: Calibration) -> None:
    results = [
        result("some text", 0.5),
        result(None),
        result("", 0.99),
        result("x" * 40, 1.0),
        result("a", 0.0),
    ]
    together = toy.judge(results, 0.9)
    assert together == tuple(toy.judge([one], 0.9)[0] for one in results)
    assert together[1].p_correct is None
    assert together[1].expected_cer is None
    assert together[1].needs_review
    for judged in (together[0], *together[2:]):
        assert judged.p_correct is not None
        assert 0 <= judged.p_correct <= 1


def test_features_of_results_and_of_columns_are_the_same() -> None:
    of_results = LineFeatures.of([result("abc", 0.7), result(None)])
    of_columns = LineFeatures.from_columns(
        score=[0.7, None], weakest=[0.7, None], text=["abc", None], width=[400, None]
    )
    for name in LineFeatures.__slots__:
        np.testing.assert_array_equal(getattr(of_results, name), getattr(of_columns, name))
    assert of_results.read.tolist() == [True, False]


def test_features_of_another_shape_are_refused() -> None:
    ones = np.ones(3)
    with pytest.raises(ValueError, match=r"width is float64 \(2,\)"):
        LineFeatures(ones, ones, ones, np.ones(2))


def test_acceptance_takes_the_lowest_threshold_that_is_good_enough() -> None:
    levels = Acceptance(np.array([0.99, 0.9, 0.5]), np.array([0.97, 0.98, 0.7]), np.array([0.1, 0.3, 1.0]))
    assert levels.least_p(0.98) == 0.9
    assert levels.least_p(0.975) == 0.9
    assert levels.least_p(0.5) == 0.5
    assert levels.least_p(0.99) == float("inf")


@pytest.mark.parametrize("precision", [0.0, -1.0, 1.5, float("nan")])
def test_an_impossible_precision_is_refused(toy: Calibration, precision: float) -> None:
    with pytest.raises(ConfigError, match="--review-precision"):
        toy.needs_review(np.array([0.5]), precision)


def test_the_file_round_trips_to_the_bit(toy: Calibration) -> None:
    read = Calibration.loads(toy.dumps())
    assert read.dumps() == toy.dumps()
    lines = world(500, 8).features
    for mine, theirs in zip(toy.apply(lines), read.apply(lines), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert read.made_with == {"hwr_batch.model": "toy"}


def change(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def apply(fields: dict[str, Any]) -> None:
        for name in path[:-1]:
            fields = fields[name]
        fields[path[-1]] = to

    return apply


@pytest.mark.parametrize(
    "harm",
    [
        change("format", to="something else"),
        change("version", to=2),
        change("temperature", to=0),
        change("temperature", to="warm"),
        change("right", "weight", to=[1.0]),
        change("right", "y", to=[]),
        change("acceptance", "precision", to=[0.5]),
        change("accurate", "bias", to=None),
        change("right", to={"x": [0, 1], "y": [0, 1]}),
    ],
)
def test_a_damaged_file_is_refused_by_name(toy: Calibration, harm: Callable[[dict[str, Any]], None]) -> None:
    fields = toy.to_json()
    harm(fields)
    with pytest.raises(ConfigError, match=r"cal\.json"):
        Calibration.loads(json.dumps(fields).encode(), name="cal.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b'{"format": NaN}'])
def test_what_is_no_calibration_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="not a calibration"):
        Calibration.loads(data)


def test_a_falling_curve_is_refused(toy: Calibration) -> None:
    fields = toy.to_json()
    fields["right"]["y"] = fields["right"]["y"][::-1]
    with pytest.raises(ConfigError, match="rise"):
        Calibration.loads(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (100, 20, rf"at least {LEAST_LINES} .* here are 120; transcribe 380 more"),
        (10, 990, r"only 10 of 1000 lines are right .*about 5000 lines in all, or raise --right-cer"),
        (975, 25, r"only 25 of 1000 lines are wrong .*about 2000 lines in all, or trust the model"),
    ],
)
def test_too_few_lines_are_refused_with_the_number_needed(right: int, wrong: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        refuse_too_few(np.repeat([1.0, 0.0], [right, wrong]), 0.0)


def test_just_enough_lines_are_not_refused() -> None:
    refuse_too_few(np.repeat([1.0, 0.0], [50, 450]), 0.0)


@pytest.mark.parametrize("options", [{"right_cer": 1.0}, {"held_out": 0.95}, {"most_lines": 10}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CalibrateOptions(**options)


def test_a_line_s_side_follows_from_its_id_alone() -> None:
    lines = world(4000, 9)
    to_fit, to_test = lines.split(0.4)
    assert len(to_fit) + len(to_test) == 4000
    assert len(to_test) == pytest.approx(1600, abs=100)
    half = lines.taken(np.arange(0, 4000, 2))
    assert set(half.split(0.4)[1].keys.tolist()) <= set(to_test.keys.tolist())


def test_a_line_s_key_is_the_same_on_every_machine() -> None:
    """BLAKE2b-64 of the id, little-endian."""
    assert line_keys(["a", "é"]).tolist() == [3405396810240292928, 3394012004367669963]


def test_a_sample_is_bounded_and_does_not_depend_on_the_order() -> None:
    lines = world(1000, 10)
    forward, backward = LineSample(100), LineSample(100)
    for batch in np.arange(1000).reshape(20, 50):
        forward.add(lines.taken(batch))
        backward.add(lines.taken(999 - batch))
    assert forward.seen == 1000
    assert forward.lines().keys.tolist() == sorted(lines.keys.tolist())[:100]
    np.testing.assert_array_equal(forward.lines().edits, backward.lines().edits)


def rows_of(lines: JudgedLines) -> list[dict[str, Any]]:
    """Result rows whose text differs from its reference in as many characters as the line has edits."""
    rows = []
    for at in range(len(lines)):
        length, wrong = int(lines.characters[at]), int(lines.edits[at])
        rows.append(
            line(
                f"l{at}",
                "b" * wrong + "a" * (length - wrong),
                "a" * length,
                score=float(lines.features.score[at]),
                min_char_score=float(lines.features.weakest[at]),
                image_width=int(lines.features.width[at]),
            )
        )
    return rows


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    left_out = [line("failed", None, "text"), line("unknown", "text", None), line("blank", "text", "")]
    return write_output(tmp_path_factory.mktemp("out"), rows_of(world(2000, 11)) + left_out)


@pytest.fixture(scope="module")
def report(output: str) -> CalibrationReport:
    return calibrate(output, STORE)


def test_from_result_parts_to_a_calibration(report: CalibrationReport) -> None:
    assert (report.rows, report.lines, report.used) == (2003, 2000, 2000)
    assert report.calibration.fitted_lines + report.held_out.lines == 2000
    assert report.calibration.made_with == {"hwr_batch.fingerprint": "f0", "hwr_batch.model": "toy"}
    assert report.held_out.ece <= 0.05
    assert json.loads(json.dumps(report.to_json()))["held_out"]["lines"] == report.held_out.lines


def test_the_same_results_give_the_same_file(output: str, report: CalibrationReport) -> None:
    assert calibrate(output, STORE).calibration.dumps() == report.calibration.dumps()


def test_a_sample_of_the_lines_will_do(output: str) -> None:
    sampled = calibrate(output, STORE, CalibrateOptions(most_lines=1500))
    assert (sampled.lines, sampled.used) == (2000, 1500)


def test_the_truth_may_come_from_elsewhere(output: str) -> None:
    with (
        TruthTable([("l1", "a"), ("other", "b")], name="truth.csv") as truth,
        pytest.raises(ConfigError) as few,
    ):
        calibrate(output, STORE, truth=truth)
    assert "here are 1; transcribe 499 more" in str(few.value)
    with (
        TruthTable([("other", "b")], name="truth.csv") as truth,
        pytest.raises(ConfigError, match="stands in"),
    ):
        calibrate(output, STORE, truth=truth)


def test_a_worker_needs_numpy_only() -> None:
    code = "import sys, hwr_batch.calibrate; print({'pyarrow', 'rapidfuzz', 'fsspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
