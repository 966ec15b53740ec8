"""The whole job in one process: what comes out, what resumes, what is refused."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import duckdb
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from tiny import line_image, parts, write_lines, write_manifest, write_model

from hwr_batch import job
from hwr_batch.config import JobConfig, Padding, Precision, ReadingOptions, RunOptions, Wide
from hwr_batch.errors import ConfigError, ExitCode, ManifestError, PlanMismatchError
from hwr_batch.results.verify import verify
from hwr_batch.storage import Store
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache


class Silent:
    """A display that remembers."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.updates: list[tuple[int, int]] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def begin(self, lines: int, done: int, failed: int) -> None:
        self.updates.append((done, failed))

    def update(self, done: int, failed: int) -> None:
        self.updates.append((done, failed))

    def end(self) -> None:
        pass


class Stop:
    """Asks to stop once `after` questions were answered with no."""

    def __init__(self, after: int | None = None) -> None:
        self.after = after

    def install(self) -> None:
        pass

    def __call__(self) -> ExitCode | None:
        if self.after is None:
            return None
        self.after -= 1
        return ExitCode.TERMINATED if self.after < 0 else None


def run(
    manifest: Path | str,
    output: Path | str,
    model: Path,
    *,
    stop: Stop | None = None,
    shard_lines: int | None = 32,
    **settings: Any,
) -> job.Outcome:
    run_options = {
        name: settings.pop(name) for name in ("max_error_rate", "retry_failed") if name in settings
    }
    config = JobConfig(
        str(manifest),
        str(output),
        str(model),
        run=RunOptions(actors=0, **run_options),
        shard_lines=shard_lines,
        **settings,
    )
    bundle = load(str(model), precision=Precision.F32, cache=Cache("unused", Store()))
    return job.recognize(config, bundle, Silent(), stop or Stop())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    return write_manifest(folder / "manifest.csv", write_lines(folder, 70))


def rows_of(output: Path) -> list[dict[str, Any]]:
    return list(ds.dataset(output, format="parquet").to_table().to_pylist())


def test_every_row_comes_out_in_manifest_order(lines: Path, model: Path, tmp_path: Path) -> None:
    outcome = run(lines, tmp_path / "out", model)
    assert outcome.code is ExitCode.COMPLETE
    found = rows_of(tmp_path / "out")
    assert [row["line_id"] for row in found] == [f"{n:05d}.png" for n in range(70)]
    assert [row["reference_text"] for row in found] == [f"line {n}" for n in range(70)]
    assert all(row["status"] == "ok" and row["text"] is not None for row in found)
    assert all(len(row["char_scores"]) == len(row["char_spans"]) == len(row["text"]) for row in found)
    assert len(parts(tmp_path / "out")) == 3
    assert verify(str(tmp_path / "out"), Store()).ok


def test_trimmed_lines_come_in_larger_shards_unless_their_size_is_given(
    lines: Path, model: Path, tmp_path: Path
) -> None:
    """Only lines of equal width share a batch there: the more there are, the more share one."""
    trim = ReadingOptions(padding=Padding.TRIM)
    run(lines, tmp_path / "exact", model, shard_lines=None)
    run(lines, tmp_path / "trim", model, reading=trim, shard_lines=None)
    run(lines, tmp_path / "given", model, reading=trim)
    assert [len(parts(tmp_path / name)) for name in ("exact", "trim", "given")] == [2, 1, 3]


def test_the_record_adds_up(lines: Path, model: Path, tmp_path: Path) -> None:
    outcome = run(lines, tmp_path / "out", model)
    record = json.loads((tmp_path / "out" / "_run.json").read_text())
    assert record == json.loads(json.dumps(outcome.record))
    assert (record["state"], record["exit_code"]) == ("complete", 0)
    assert record["manifest_rows"] == record["result_rows"] == record["by_status"]["ok"] == 70
    assert record["this_run"]["lines"] == 70
    assert set(record["this_run"]["seconds_by_stage"]) == {"read", "decode", "infer", "text", "write"}


def test_a_second_run_does_nothing_and_changes_no_byte(lines: Path, model: Path, tmp_path: Path) -> None:
    run(lines, tmp_path / "out", model)
    before = parts(tmp_path / "out")
    outcome = run(lines, tmp_path / "out", model)
    assert outcome.code is ExitCode.COMPLETE
    assert outcome.record["this_run"]["shards"] == 0  # type: ignore[index]
    assert parts(tmp_path / "out") == before


def test_an_interrupted_run_is_resumed_to_the_same_bytes(lines: Path, model: Path, tmp_path: Path) -> None:
    run(lines, tmp_path / "whole", model)
    outcome = run(lines, tmp_path / "out", model, stop=Stop(after=1))
    assert outcome.code is ExitCode.TERMINATED
    assert len(parts(tmp_path / "out")) == 1
    assert json.loads((tmp_path / "out" / "_run.json").read_text())["state"] == "interrupted"
    resumed = run(lines, tmp_path / "out", model)
    assert resumed.code is ExitCode.COMPLETE
    assert resumed.record["this_run"]["shards"] == 2  # type: ignore[index]
    assert parts(tmp_path / "out") == parts(tmp_path / "whole")


def test_a_removed_part_is_made_again_and_a_damaged_one_too(lines: Path, model: Path, tmp_path: Path) -> None:
    run(lines, tmp_path / "out", model)
    before = parts(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").unlink()
    run(lines, tmp_path / "out", model)
    assert parts(tmp_path / "out") == before
    damaged = tmp_path / "out" / "part-00000.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    (tmp_path / "out" / "_progress.json").unlink()
    assert run(lines, tmp_path / "out", model).code is ExitCode.COMPLETE
    assert parts(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"limit": 60}, "limit was none and is 60 now"),
        ({"shard_lines": 16}, "shard-lines was 32 and is 16 now"),
        ({"reading": ReadingOptions(wide=Wide.FIT)}, "wide was split and is fit now"),
        ({"reading": ReadingOptions(allowed_chars="abc")}, "allow-chars was all and is 20:abc now"),
    ],
)
def test_another_plan_in_the_same_output_is_refused(
    lines: Path, model: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    run(lines, tmp_path / "out", model)
    before = parts(tmp_path / "out")
    with pytest.raises(PlanMismatchError, match=named):
        run(lines, tmp_path / "out", model, **change)
    assert parts(tmp_path / "out") == before


def test_another_model_is_refused_and_named(lines: Path, model: Path, tmp_path: Path) -> None:
    run(lines, tmp_path / "out", model)
    other = write_model(tmp_path / "other", seed=2)
    with pytest.raises(PlanMismatchError, match=r"model was [0-9a-f]{12}… and is [0-9a-f]{12}… now"):
        run(lines, tmp_path / "out", other)


def test_a_changed_manifest_is_refused(model: Path, tmp_path: Path) -> None:
    rows = write_lines(tmp_path, 3)
    manifest = write_manifest(tmp_path / "manifest.csv", rows)
    run(manifest, tmp_path / "out", model)
    write_manifest(manifest, rows[:2])
    with pytest.raises(PlanMismatchError, match="manifest was"):
        run(manifest, tmp_path / "out", model)


def test_a_line_named_twice_is_refused_with_both_rows(model: Path, tmp_path: Path) -> None:
    rows = write_lines(tmp_path, 5)
    manifest = write_manifest(tmp_path / "manifest.csv", [*rows, rows[1]])
    with pytest.raises(ManifestError, match=r"rows 2 and 6 are both line '00001\.png'"):
        run(manifest, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises `width` × `height` pixels and holds none of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def bad_rows(folder: Path) -> list[tuple[dict[str, str], str]]:
    """Ten ways in which a row can be bad, with the status each must get."""
    (folder / "empty.png").write_bytes(b"")
    jpeg = cv2.imencode(".jpg", line_image(1, width=300))[1].tobytes()
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "text.png").write_text("this is not an image")
    (folder / "huge.png").write_bytes(png_header(30_000, 30_000))
    cv2.imwrite(str(folder / "good.png"), line_image(2))
    (folder.parent / "secret.png").write_bytes(cv2.imencode(".png", line_image(3))[1].tobytes())
    return [
        ({"image": "no-such-file.png"}, "image_missing"),
        ({"image": "empty.png"}, "image_unreadable"),
        ({"image": "cut.jpg"}, "image_unreadable"),
        ({"image": "text.png"}, "image_unreadable"),
        ({"image": "huge.png"}, "image_too_large"),
        ({"image": "good.png", "x": "3", "y": "3", "width": "0", "height": "20"}, "region_invalid"),
        ({"image": "good.png", "x": "9000", "y": "0", "width": "50", "height": "20"}, "region_invalid"),
        ({"image": "good.png", "page": "7"}, "image_unreadable"),
        ({"image": "../secret.png"}, "access_denied"),
        ({"image": "gopher://example.org/x.png"}, "access_denied"),
    ]


def test_a_thousand_rows_with_a_hundred_bad_in_ten_ways(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    good = write_lines(folder, 900)
    rows, expected = [], {}
    bad = bad_rows(folder)
    for number, row in enumerate(good):
        rows.append({"line_id": f"good-{number}", **row})
        expected[f"good-{number}"] = "ok"
        if number % 9 == 0:
            kind, status = bad[(number // 9) % len(bad)]
            rows.append({"line_id": f"bad-{number}", **kind})
            expected[f"bad-{number}"] = status
    manifest = write_manifest(folder / "manifest.csv", rows)

    outcome = run(manifest, tmp_path / "out", model)

    assert outcome.code is ExitCode.OVER_ERROR_BUDGET
    assert "--retry-failed" in outcome.next_step
    found = rows_of(tmp_path / "out")
    assert {row["line_id"]: row["status"] for row in found} == expected
    assert len(found) == 1000
    assert all(
        (row["text"] is None) == (row["status"] != "ok") == (row["error"] is not None) for row in found
    )
    assert verify(str(tmp_path / "out"), Store()).ok
    assert outcome.record["errors"] == {
        "access_denied": 20,
        "image_missing": 10,
        "image_too_large": 10,
        "image_unreadable": 40,
        "region_invalid": 20,
    }
    assert run(manifest, tmp_path / "out", model, max_error_rate=0.2).code is ExitCode.COMPLETE


def test_retry_failed_reads_failed_lines_and_nothing_else(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    rows = write_lines(folder, 70)
    manifest = write_manifest(folder / "manifest.csv", rows)
    run(manifest, tmp_path / "undisturbed", model)
    missing = [folder / "00005.png", folder / "00040.png"]
    kept = [path.read_bytes() for path in missing]
    for path in missing:
        path.unlink()
    assert run(manifest, tmp_path / "out", model, max_error_rate=0.5).code is ExitCode.COMPLETE
    untouched = parts(tmp_path / "out")["part-00002.parquet"]
    for path, data in zip(missing, kept, strict=True):
        path.write_bytes(data)

    outcome = run(manifest, tmp_path / "out", model, retry_failed=True)

    assert outcome.record["this_run"]["lines"] == 64  # type: ignore[index]  # rows of the two rewritten parts
    assert outcome.record["by_status"] == {"ok": 70}
    texts = [(row["line_id"], row["text"]) for row in rows_of(tmp_path / "out")]
    assert texts == [(row["line_id"], row["text"]) for row in rows_of(tmp_path / "undisturbed")]
    assert parts(tmp_path / "out")["part-00002.parquet"] == untouched


def test_results_open_from_the_folder_in_pyarrow_duckdb_and_pandas(
    lines: Path, model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run(lines, output, model)
    by_pyarrow = ds.dataset(output, format="parquet").to_table(columns=["line_id", "text"]).to_pylist()
    by_duckdb = duckdb.sql(f"select line_id, text from '{output}/*.parquet' order by line_id").fetchall()
    by_pandas = pd.read_parquet(output)
    assert [(row["line_id"], row["text"]) for row in by_pyarrow] == by_duckdb
    assert list(by_pandas["text"]) == [text for _, text in by_duckdb]


def test_designated_characters_hold_for_every_text(lines: Path, model: Path, tmp_path: Path) -> None:
    run(lines, tmp_path / "free", model)
    run(lines, tmp_path / "out", model, reading=ReadingOptions(allowed_chars="aeiou ", top_k=27))
    assert set("".join(row["text"] for row in rows_of(tmp_path / "free"))) - set("aeiou ")
    assert set("".join(row["text"] for row in rows_of(tmp_path / "out"))) <= set("aeiou ")


def test_wide_lines_are_read_in_pieces_or_refused(model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), line_image(4, width=2600))
    manifest = write_manifest(tmp_path / "manifest.csv", [{"image": "wide.png"}])
    run(manifest, tmp_path / "split", model)
    run(
        manifest,
        tmp_path / "refused",
        model,
        reading=ReadingOptions(wide=Wide.REJECT),
        max_error_rate=1.0,
    )
    (split,), (refused,) = rows_of(tmp_path / "split"), rows_of(tmp_path / "refused")
    assert split["status"] == "ok"
    assert split["pieces"] >= 3  # 5200 columns at the network's height, 2000 a piece
    assert split["char_spans"][-1]["end"] > 2000
    assert (refused["status"], refused["text"]) == ("line_too_wide", None)


def test_regions_are_cut_from_a_page_decoded_once(model: Path, tmp_path: Path) -> None:
    page = np.full((300, 600), 235, np.uint8)
    page[20:68, 50:350] = line_image(1, width=300)
    page[120:168, 50:350] = line_image(2, width=300)
    cv2.imwrite(str(tmp_path / "page.png"), page)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), line_image(number, width=300))
    box = {"image": "page.png", "x": "50", "width": "300", "height": "48"}
    boxed = [{**box, "y": "20"}, {**box, "y": "120"}]
    whole = [{"image": "1.png", "y": ""}, {"image": "2.png", "y": ""}]
    run(write_manifest(tmp_path / "boxed.csv", boxed), tmp_path / "a", model)
    run(write_manifest(tmp_path / "whole.csv", whole), tmp_path / "b", model)
    on_page, alone = rows_of(tmp_path / "a"), rows_of(tmp_path / "b")
    assert [row["text"] for row in on_page] == [row["text"] for row in alone]
    assert on_page[0]["line_id"] == "page.png#xywh=50,20,300,48"
    shifted = [[span["start"] + 50 for span in row["char_spans"]] for row in alone]
    assert [[span["start"] for span in row["char_spans"]] for row in on_page] == shifted


def test_memory_stores_serve_a_run_in_process_and_are_refused_on_ray(model: Path) -> None:
    store = Store()
    store.put("memory://lines/a.png", cv2.imencode(".png", line_image(1))[1].tobytes())
    store.put("memory://lines/manifest.csv", b"image\na.png\n")
    outcome = run("memory://lines/manifest.csv", "memory://results/out", model)
    assert outcome.code is ExitCode.COMPLETE
    assert verify("memory://results/out", store).ok
    config = JobConfig("memory://lines/manifest.csv", "memory://results/out", str(model))
    bundle = load(str(model), precision=Precision.F32, cache=Cache("unused", store))
    with pytest.raises(ConfigError, match="--actors 0"):
        job.recognize(config, bundle, Silent(), Stop())
