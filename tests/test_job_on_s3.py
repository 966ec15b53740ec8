"""The job between two buckets of a real S3 server, with the store failing under it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, FaultyProxy
from s3_server import S3Server
from tiny import parts, write_lines, write_manifest, write_model

from hwr_batch.results.verify import verify
from hwr_batch.storage import Store

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def lines(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 lines in the bucket, under lines/, and the same lines in a local folder (returned)."""
    (s3.folder.parent / "results").mkdir()
    time.sleep(0.5)  # the server looks at its folder every 100 ms
    local = tmp_path_factory.mktemp("lines")
    write_manifest(local / "manifest.csv", write_lines(local, 70))
    store = Store()
    for path in local.iterdir():
        store.put(f"{s3.bucket}/lines/{path.name}", path.read_bytes())
    return local


def recognize(output: str, model: Path, environment: dict[str, str], *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hwr_batch", "recognize", "s3://bucket/lines/manifest.csv", output),
            *("--model", str(model), "--actors", "0", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stderr


def test_images_in_one_bucket_results_in_another(
    s3: S3Server, lines: Path, model: Path, tmp_path: Path
) -> None:
    code, errors = recognize("s3://results/run-1", model, s3.env, "--actors", "2")
    assert code == 0, errors
    local = subprocess.run(
        [
            *(sys.executable, "-m", "hwr_batch", "recognize", str(lines / "manifest.csv")),
            *(str(tmp_path / "out"), "--model", str(model), "--actors", "0"),
        ],
        check=True,
    )
    assert local.returncode == 0
    there = parts(s3.folder.parent / "results" / "run-1")
    assert there == parts(tmp_path / "out")
    assert verify("s3://results/run-1", Store()).ok


def through(proxy: FaultyProxy, s3: S3Server) -> dict[str, str]:
    return {**s3.env, "AWS_ENDPOINT_URL": proxy.url}


def test_a_store_that_stumbles_is_asked_again(
    s3: S3Server, s3_proxy: FaultyProxy, lines: Path, model: Path
) -> None:
    s3_proxy.inject(
        Fault("status", times=3, method="GET", path=".png"),
        Fault("drop", times=2, method="GET", path=".png"),
        Fault("cut_answer", times=1, method="GET", path=".png"),
        Fault("status", times=2, method="PUT", path="part-"),
        Fault("cut_request", times=1, method="PUT", path="part-"),
    )
    code, errors = recognize("s3://results/stumbling", model, through(s3_proxy, s3))
    assert code == 0, errors
    assert {seen.fault for seen in s3_proxy.requests} >= {"status", "drop", "cut_answer", "cut_request"}
    assert verify("s3://results/stumbling", Store()).ok


def test_a_store_that_stays_away_is_exit_6_and_the_next_run_resumes(
    s3: S3Server, s3_proxy: FaultyProxy, lines: Path, model: Path, impatient: Callable[[], dict[str, str]]
) -> None:
    s3_proxy.inject(Fault("status", times=10_000, method="PUT", path="part-00001"))
    code, errors = recognize("s3://results/gone", model, {**through(s3_proxy, s3), **impatient()})
    assert code == 6, errors
    assert "run again to resume" in errors.splitlines()[-1]
    names = {name for name, _ in Store().list("s3://results/gone")}
    assert {name for name in names if name.startswith("part-")} == {"part-00000.parquet"}
    s3_proxy.clear()
    code, errors = recognize("s3://results/gone", model, through(s3_proxy, s3))
    assert code == 0, errors
    assert verify("s3://results/gone", Store()).ok


@pytest.fixture
def impatient(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """An environment in which stores are asked three times at short intervals, so that tests end."""

    def environment() -> dict[str, str]:
        (tmp_path / "sitecustomize.py").write_text(_IMPATIENT)
        return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    return environment


_IMPATIENT = """
import hwr_batch.storage.retry as retry
retry.RetryPolicy.__init__.__defaults__ = (3, 0.01, 0.02)
"""
