"""A job with a calibration: two more columns, the same bytes however it ran, and a fitting model only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from test_calibrate_fit import fitted, world
from test_job import run
from tiny import parts, write_lines, write_manifest, write_model
from typer.testing import CliRunner

from hwr_batch.calibrate import Calibration, LineFeatures
from hwr_batch.cli.app import app
from hwr_batch.config import ReadingOptions, Review, Wide
from hwr_batch.errors import ConfigError, ExitCode, PlanMismatchError, Status
from hwr_batch.records import LineResult, Reading
from hwr_batch.results import encode_part, read_part
from hwr_batch.results.reading import part_facts, read_columns
from hwr_batch.results.verify import verify
from hwr_batch.storage import Store


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 lines, of which one is missing."""
    folder = tmp_path_factory.mktemp("lines")
    manifest = write_manifest(folder / "manifest.csv", write_lines(folder, 40))
    (folder / "00007.png").unlink()
    return manifest


@pytest.fixture(scope="module")
def calibration(lines: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """Fitted on simulated lines, but as if on results of this model."""
    output = tmp_path_factory.mktemp("plain") / "out"
    run(lines, output, model, max_error_rate=1.0)
    return replace(fitted(world(3000, 1)), made_with=part_facts(str(output), Store()))


def reviewed(calibration: Calibration, precision: float = 0.9, **more: Any) -> ReadingOptions:
    return ReadingOptions(review=Review(calibration.dumps(), precision), **more)


def columns(output: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    joined: dict[str, list[Any]] = {name: [] for name in names}
    for batch in read_columns(str(output), Store(), names):
        for name in names:
            joined[name] += batch[name]
    return joined


def test_the_columns_are_what_the_calibration_says(
    lines: Path, model: Path, calibration: Calibration, tmp_path: Path
) -> None:
    run(lines, tmp_path / "out", model, reading=reviewed(calibration), max_error_rate=1.0)
    names = ds.dataset(tmp_path / "out", format="parquet").schema.names
    assert names[names.index("pieces") + 1 :] == ["p_correct", "needs_review", "reference_text"]
    got = columns(
        tmp_path / "out", ["text", "score", "min_char_score", "image_width", "p_correct", "needs_review"]
    )
    p, _ = calibration.apply(
        LineFeatures.from_columns(
            score=got["score"], weakest=got["min_char_score"], text=got["text"], width=got["image_width"]
        )
    )
    assert [None if np.isnan(one) else float(np.float32(one)) for one in p] == got["p_correct"]
    assert list(calibration.needs_review(p, 0.9)) == got["needs_review"]
    assert (got["p_correct"][7], got["needs_review"][7]) == (None, True)
    assert verify(str(tmp_path / "out"), Store()).ok


def test_failed_lines_are_judged_when_they_are_read_again(
    lines: Path, model: Path, calibration: Calibration, tmp_path: Path
) -> None:
    """`--retry-failed` gives the bytes of a run in which nothing ever failed."""
    folder = tmp_path / "lines"
    manifest = write_manifest(folder / "manifest.csv", write_lines(folder, 40))
    run(manifest, tmp_path / "whole", model, reading=reviewed(calibration))
    kept = (folder / "00007.png").read_bytes()
    (folder / "00007.png").unlink()
    first = run(manifest, tmp_path / "out", model, reading=reviewed(calibration))
    assert first.code is ExitCode.OVER_ERROR_BUDGET
    (folder / "00007.png").write_bytes(kept)
    again = run(manifest, tmp_path / "out", model, reading=reviewed(calibration), retry_failed=True)
    assert again.code is ExitCode.COMPLETE
    assert parts(tmp_path / "out") == parts(tmp_path / "whole")


@pytest.mark.parametrize(
    ("precision", "named"), [(0.95, "review precision was 0.9 and is 0.95 now"), (None, "calibration was")]
)
def test_another_calibration_or_precision_is_another_plan(
    lines: Path, model: Path, calibration: Calibration, tmp_path: Path, precision: float | None, named: str
) -> None:
    run(lines, tmp_path / "out", model, reading=reviewed(calibration), max_error_rate=1.0)
    other = ReadingOptions() if precision is None else reviewed(calibration, precision)
    with pytest.raises(PlanMismatchError, match=named):
        run(lines, tmp_path / "out", model, reading=other)


def test_a_calibration_of_another_model_is_refused(
    lines: Path, calibration: Calibration, tmp_path: Path
) -> None:
    other = write_model(tmp_path / "other", seed=2)
    with pytest.raises(ConfigError, match=r"made with other model files .* calibrate again"):
        run(lines, tmp_path / "out", other, reading=reviewed(calibration))
    assert not (tmp_path / "out").exists()


def test_a_calibration_of_another_way_of_reading_is_refused(
    lines: Path, model: Path, calibration: Calibration, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"other reading options .*wide split.*wide fit"):
        run(lines, tmp_path / "out", model, reading=reviewed(calibration, wide=Wide.FIT))
    precise = replace(calibration, made_with={**calibration.made_with, "hwr_batch.precision": "bf16"})
    with pytest.raises(ConfigError, match=r"another precision \(bf16; this run has f32\)"):
        run(lines, tmp_path / "out", model, reading=reviewed(precise))


def test_options_are_checked_on_construction(calibration: Calibration) -> None:
    with pytest.raises(ConfigError, match="--review-precision"):
        Review(calibration.dumps(), 1.5)
    with pytest.raises(ConfigError, match="--calibration is not a calibration file"):
        Review(b"{}", 0.9)


def test_a_part_is_judged_wholly_or_not_at_all() -> None:
    reading = Reading("a", 0.5, 0.5, -1.0, (0.5,), ((0, 3),))
    plain = LineResult("a", "a.png", Status.OK, None, reading, 9, 9, 1)
    judged = replace(plain, line_id="b", p_correct=0.25, needs_review=False)
    data = encode_part([judged], pa.table({}), {})
    assert read_part(data).results == (judged,)
    with pytest.raises(ValueError, match="a is not judged"):
        encode_part([judged, plain], pa.table({}), {})


def test_from_the_command_line(model: Path, tmp_path: Path) -> None:
    """`calibrate`, then `recognize --calibration`; half of the references are the tiny model's own noise."""
    folder = tmp_path / "lines"
    folder.mkdir()
    rows = write_lines(folder, 520)
    manifest = write_manifest(folder / "manifest.csv", rows)
    shell = CliRunner()
    plain = ["recognize", str(manifest), str(tmp_path / "out"), "--model", str(model), "--actors", "0"]
    assert shell.invoke(app, plain).exit_code == 0
    texts = columns(tmp_path / "out", ["text"])["text"]
    truth = [
        {**row, "text": text if number % 2 else f"{text}q"}
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    write_manifest(folder / "truth.csv", truth)
    to = str(tmp_path / "calibration.json")
    fit = shell.invoke(
        app, ["calibrate", str(tmp_path / "out"), "--truth", str(folder / "truth.csv"), "-o", to]
    )
    assert fit.exit_code == 0, fit.output
    assert "expected calibration error" in fit.output
    plain[2] = str(tmp_path / "judged")
    judged = shell.invoke(app, [*plain, "--calibration", to, "--review-precision", "0.4"])
    assert judged.exit_code == 0, judged.output
    assert None not in columns(tmp_path / "judged", ["p_correct"])["p_correct"]
