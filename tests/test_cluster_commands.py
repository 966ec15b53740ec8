"""The commands of `cluster/README.md` that can run on one machine, run as they stand there.

Ports, the home folder and OUTPUT are replaced, so that nothing else on the machine is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "cluster" / "README.md").read_text(encoding="utf-8")
ROWS = 41
START_SECONDS = 60


def block(name: str) -> str:
    """The commands under `<!-- runs: name -->`."""
    found = re.search(rf"<!-- runs: {name} -->\n```bash\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found.group(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commands run: a home folder, a folder of programs, and two ports of their own."""

    home: Path
    gcs: int
    dashboard: int

    def script(self, text: str) -> str:
        """README commands with this place's ports, programs and OUTPUT."""
        for old, new in (
            ("$PWD/.venv/bin", str(self.home / "bin")),
            (".venv/bin", str(self.home / "bin")),
            ("$PWD/out/", f"{self.home}/out/"),
            (" out/", f" {self.home}/out/"),
            ("6379", str(self.gcs)),
            ("8265", str(self.dashboard)),
        ):
            text = text.replace(old, new)
        return text

    @property
    def environment(self) -> dict[str, str]:
        """No RAY_* and no token from outside; the package from this checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", self.script(text)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    home = Path(tempfile.mkdtemp(prefix="hwr"))  # short: Ray's socket paths are limited to 107 bytes
    (home / "bin").mkdir()
    entry = 'from hwr_batch.cli import main; import sys; sys.argv[0] = "hwr-batch"; main()'
    for name, words in (("hwr-batch", f"-c '{entry}'"), ("ray", "-m ray.scripts.scripts"), ("python", "")):
        program = home / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        program.chmod(0o755)
    yield Place(home=home, gcs=free_port(), dashboard=free_port())
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def head(place: Place) -> Iterator[Place]:
    """The README's head node, in the foreground so that it can be ended without `ray stop`."""
    extra = f"--block --num-cpus=2 --temp-dir={place.home}/t --object-store-memory=100000000"
    ports = f"--dashboard-agent-listen-port={free_port()} --ray-client-server-port={free_port()}"
    text = block("head").replace("ray start --head", f"exec ray start --head {extra} {ports}")
    with (place.home / "head.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-e", "-c", place.script(text)],
            cwd=ROOT,
            env=place.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for_dashboard(process, place)
        yield place
    finally:
        process.send_signal(signal.SIGTERM)  # `ray start --block` takes its children with it
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)


def _wait_for_dashboard(process: subprocess.Popen[bytes], place: Place) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{place.dashboard}/api/jobs/", timeout=5).close()
        except urllib.error.HTTPError as refused:
            refused.close()
            if refused.code == 401:  # up, and it asks for the token
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError((place.home / "head.log").read_text(errors="replace")[-4000:])


def rows_in(output: Path) -> int:
    return int(pyarrow.dataset.dataset(output, format="parquet").count_rows())


def test_laptop(place: Place) -> None:
    done = place.run(block("laptop"))
    assert done.returncode == 0, done.stderr[-4000:]
    assert rows_in(place.home / "out" / "laptop") == ROWS


def test_submit_without_the_token_is_refused(head: Place) -> None:
    text = block("submit").replace("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=disabled")
    done = head.run(text)
    assert done.returncode != 0
    assert "authentication" in done.stderr.lower()
    assert not (head.home / "out" / "submitted").exists()


def test_submit(head: Place) -> None:
    done = head.run(block("submit"))
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert rows_in(head.home / "out" / "submitted") == ROWS


def test_a_failing_job_names_its_exit_code(head: Place) -> None:
    text = block("submit").replace("--max-error-rate 0.1", "--max-error-rate 0")
    done = head.run(text.replace("/submitted", "/strict"))
    assert done.returncode == 1
    assert "exit code 3" in done.stdout + done.stderr
    assert rows_in(head.home / "out" / "strict") == ROWS
