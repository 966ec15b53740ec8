"""The job on real Ray clusters: parts equal to a run in one process whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tiny import line_image, parts, write_lines, write_manifest, write_model

pytestmark = pytest.mark.timeout(300)

LINES = 480


def command(manifest: Path | str, output: Path | str, model: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "hwr_batch", "recognize", str(manifest), str(output)),
        *("--model", str(model), "--shard-lines", "16", *options),
    ]


def recognize(
    manifest: Path | str, output: Path | str, model: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(manifest, output, model, *options), capture_output=True, text=True, check=False, timeout=240
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    return write_manifest(folder / "manifest.csv", write_lines(folder, LINES))


@pytest.fixture(scope="module")
def undisturbed(manifest: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a run in one process."""
    output = tmp_path_factory.mktemp("undisturbed")
    done = recognize(manifest, output, model, "--actors", "0")
    assert done.returncode == 0, done.stderr
    return parts(output)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of a head without CPUs and two nodes of one, three raylets on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 200 * 1024**2}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=100 * 1024**2)
    yield cluster.address
    cluster.shutdown()


def children_named(pid: int, name: str) -> list[psutil.Process]:
    """Living descendants of a process whose command line contains `name`."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if name in " ".join(child.cmdline()):
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def wait_for_parts(output: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while len(list(output.glob("part-*.parquet"))) < count:
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < deadline, "no parts appeared"
        time.sleep(0.05)


def test_two_actors_give_the_bytes_of_one_process(
    manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    done = recognize(manifest, tmp_path / "out", model, "--actors", "2")
    assert done.returncode == 0, done.stderr
    assert parts(tmp_path / "out") == undisturbed
    record = json.loads((tmp_path / "out" / "_run.json").read_text())
    assert record["this_run"]["workers"][0]["workers"] == 2
    assert done.stderr.splitlines()[-1].startswith("the results are in ")


def test_a_cluster_of_several_nodes(
    cluster: str, manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    done = recognize(manifest, tmp_path / "out", model, "--address", cluster)
    assert done.returncode == 0, done.stderr
    assert parts(tmp_path / "out") == undisturbed
    record = json.loads((tmp_path / "out" / "_run.json").read_text())
    assert record["this_run"]["workers"][0]["workers"] == 2


def test_killed_workers_cost_no_line(
    manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run = subprocess.Popen(
        command(manifest, output, model, "--actors", "2"), stderr=subprocess.PIPE, text=True
    )
    for finished in (1, 4):
        wait_for_parts(output, finished, run)
        victims = children_named(run.pid, "ray::ShardActor")
        if victims:
            victims[0].kill()
    _, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert parts(output) == undisturbed
    record = json.loads((output / "_run.json").read_text())
    assert record["this_run"]["retries"]["worker_lost"] >= 1


def test_a_killed_driver_is_resumed_without_reading_anything_twice(
    manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run = subprocess.Popen(command(manifest, output, model, "--actors", "0"), stderr=subprocess.DEVNULL)
    wait_for_parts(output, 4, run)
    run.kill()
    run.wait()
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*.parquet")}
    assert 4 <= len(before) < len(undisturbed)
    done = recognize(manifest, output, model, "--actors", "2")
    assert done.returncode == 0, done.stderr
    assert parts(output) == undisturbed
    assert {name: (output / name).stat().st_mtime_ns for name in before} == before
    record = json.loads((output / "_run.json").read_text())
    assert record["this_run"]["shards"] == len(undisturbed) - len(before)


def test_sigterm_drains_and_saves(
    manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run = subprocess.Popen(
        command(manifest, output, model, "--actors", "1"), stderr=subprocess.PIPE, text=True
    )
    wait_for_parts(output, 2, run)
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 143, errors
    assert errors.splitlines()[-1] == "interrupted, state saved: run the same command again to resume"
    assert json.loads((output / "_run.json").read_text())["state"] == "interrupted"
    assert not list(output.glob("*tmp*"))
    assert recognize(manifest, output, model, "--actors", "2").returncode == 0
    assert parts(output) == undisturbed


def test_two_drivers_on_one_output(
    manifest: Path, model: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    runs = [
        subprocess.Popen(command(manifest, output, model, "--actors", "0"), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [run.communicate(timeout=240)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert parts(output) == undisturbed


def test_a_line_that_kills_its_worker_is_found(model: Path, tmp_path: Path) -> None:
    """The fault is injected into the image room of every worker; everything else is real."""
    folder = tmp_path / "lines"
    rows = write_lines(folder, 40)
    (folder / "00017.png").write_bytes(b"kills the worker")
    manifest = write_manifest(folder / "manifest.csv", rows)
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_DEADLY)
    environment = {**os.environ, "PYTHONPATH": f"{hook}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        command(manifest, tmp_path / "out", model, "--actors", "2", "--max-error-rate", "0.1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "_run.json").read_text())
    assert record["by_status"] == {"ok": 39, "worker_crashed": 1}


_DEADLY = """
import os, sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

class Poison(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "hwr_batch.image":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            decode = module.open_page
            def open_page(data, **options):
                if data == b"kills the worker":
                    os._exit(139)
                return decode(data, **options)
            module.open_page = open_page
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Poison())
"""


def test_no_cluster_is_a_clear_sentence(manifest: Path, model: Path, tmp_path: Path) -> None:
    done = recognize(manifest, tmp_path / "out", model, "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert "no Ray cluster answers there" in done.stderr.splitlines()[-1]


def test_more_cores_than_there_are_is_refused(manifest: Path, model: Path, tmp_path: Path) -> None:
    done = recognize(manifest, tmp_path / "out", model, "--actors", "1", "--cpus-per-actor", "4096")
    assert done.returncode == 2
    assert "--cpus-per-actor" in done.stderr.splitlines()[-1]


def test_one_pixel_and_very_wide_lines_travel_too(model: Path, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "one.png"), line_image(1, width=400)[:1, :1])
    cv2.imwrite(str(tmp_path / "wide.png"), line_image(2, width=3000))
    manifest = write_manifest(tmp_path / "manifest.csv", [{"image": "one.png"}, {"image": "wide.png"}])
    done = recognize(manifest, tmp_path / "out", model, "--actors", "0")
    assert done.returncode == 0, done.stderr
