"""A run as those who watch see it: metrics, dashboard, log files; and that no secret is there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny import write_lines, write_manifest, write_model

pytestmark = pytest.mark.timeout(300)

DASHBOARD = json.loads(
    (Path(__file__).parents[1] / "cluster" / "grafana-dashboard.json").read_text(encoding="utf-8")
)
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalr-hunter2-secret",
    "AWS_SESSION_TOKEN": "FwoGZ-hunter2-session",
    "HTTPS_PROXY_PASSWORD": "hunter2-proxy",
}
DOCUMENT = "a sentence nobody else may read"
LINES = 96


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Observed:
    """One run of 96 lines, two of them unreadable, on a cluster with a dashboard, secrets in its environment.

    `metrics`, `dashboard`: URLs; `logs`: Ray's log folder; `events`: the driver's, as JSON lines on stderr.
    """

    metrics: str
    dashboard: str
    logs: Path
    output: Path
    stderr: str
    record: dict[str, Any]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.splitlines()[:-1]]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.dashboard}{path}", timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("observed")
    model = write_model(folder / "model")
    rows = [{**row, "text": DOCUMENT} for row in write_lines(folder / "lines", LINES)]
    (folder / "lines" / "00003.png").write_bytes(b"")
    rows[7]["image"] = f"https://user:{SECRETS['AWS_SECRET_ACCESS_KEY']}@127.0.0.1/x.png"
    rows[7]["line_id"] = "signed"
    manifest = write_manifest(folder / "lines" / "manifest.csv", rows)
    metrics, dashboard = free_port(), free_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in SECRETS.items():
            environment.setenv(name, value)
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 2,
                "object_store_memory": 100 * 1024**2,
                "include_dashboard": True,
                "dashboard_port": dashboard,
                "metrics_export_port": metrics,
                "_system_config": {"metrics_report_interval_ms": 500},
            },
        )
        try:
            output = folder / "out"
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "hwr_batch", "recognize", str(manifest), str(output)),
                    *("--model", str(model), "--shard-lines", "16", "--address", cluster.address),
                    *(
                        "--actors",
                        "1",
                        "--max-error-rate",
                        "0.5",
                        "--log-level",
                        "info",
                    ),  # so no second copies
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=240,
            )
            assert done.returncode == 0, done.stderr
            yield Observed(
                f"http://127.0.0.1:{metrics}/metrics",
                f"http://127.0.0.1:{dashboard}",
                Path(cluster.head_node.get_session_dir_path()) / "logs",
                output,
                done.stderr,
                json.loads((output / "_run.json").read_text()),
            )
        finally:
            cluster.shutdown()


def samples(text: str) -> dict[str, dict[str, float]]:
    """Our samples of a Prometheus page: name → labels as written → value."""
    found: dict[str, dict[str, float]] = {}
    for name, labels, value in re.findall(r"^(ray_hwr_batch_\w+){(.*)} (\S+)$", text, re.MULTILINE):
        found.setdefault(name, {})[labels] = float(value)
    return found


def eventually(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """What `look` gives once it is `enough`, or after 30 seconds."""
    until = time.monotonic() + 30
    while not enough(found := look()) and time.monotonic() < until:
        time.sleep(0.2)
    return found


def scraped(observed: Observed) -> dict[str, dict[str, float]]:
    with urllib.request.urlopen(observed.metrics, timeout=10) as answer:
        return samples(answer.read().decode())


def by_label(found: dict[str, float], label: str) -> dict[str, float]:
    """Sums over workers."""
    sums: dict[str, float] = {}
    for labels, value in found.items():
        key = re.search(rf'(?:^|,){label}="([^"]*)"', labels)
        assert key, labels
        sums[key[1]] = sums.get(key[1], 0.0) + value
    return sums


def test_what_a_run_does_is_seen_on_the_prometheus_endpoint(observed: Observed) -> None:
    def complete(found: dict[str, dict[str, float]]) -> bool:
        return sum(found.get("ray_hwr_batch_lines_total", {}).values()) >= LINES

    found = eventually(lambda: scraped(observed), complete)
    run = observed.record["this_run"]["id"]
    assert by_label(found["ray_hwr_batch_lines_total"], "run") == {run: LINES}
    assert by_label(found["ray_hwr_batch_lines_total"], "status") == observed.record["by_status"]
    assert by_label(found["ray_hwr_batch_shards_total"], "outcome") == {"written": LINES / 16}
    seconds = by_label(found["ray_hwr_batch_stage_seconds_total"], "stage")
    assert seconds == pytest.approx(observed.record["this_run"]["seconds_by_stage"], abs=0.01)
    assert all(value > 20e6 for value in found["ray_hwr_batch_rss_bytes"].values())
    assert by_label(found["ray_hwr_batch_queue_depth"], "run") == {run: 0}
    assert by_label(found["ray_hwr_batch_shards_in_flight"], "run") == {run: 0}


def test_every_metric_of_the_dashboard_is_one_that_exists(observed: Observed) -> None:
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    asked = {name for text in expressions for name in re.findall(r"ray_hwr_batch_\w+", text)}
    exported = set(scraped(observed)) | {"ray_hwr_batch_retries_total"}  # seen only where something was
    assert exported == asked


def test_the_drivers_events_are_json_lines_with_the_run(observed: Observed) -> None:
    events = observed.events
    run = observed.record["this_run"]["id"]
    named = {event["event"] for event in events}
    assert named >= {"run_begins", "worker_ready", "shard_done", "run_ended", "message"}
    assert {event["run"] for event in events if event["event"] != "message"} == {run}
    assert sorted(event["shard"] for event in events if event["event"] == "shard_done") == list(
        range(LINES // 16)
    )
    assert observed.stderr.splitlines()[-1].startswith("the results are in ")


def test_workers_write_their_events_to_rays_log_files(observed: Observed) -> None:
    text = "".join(path.read_text() for path in observed.logs.glob("worker-*.err"))
    events = [json.loads(line) for line in text.splitlines() if '"event"' in line]
    assert {event["run"] for event in events} == {observed.record["this_run"]["id"]}
    done = [event for event in events if event["event"] == "shard_done"]
    assert sorted(event["shard"] for event in done) == list(range(LINES // 16))
    assert sum(count for event in done for count in event["by_status"].values()) == LINES


def test_no_secret_and_no_text_reaches_files_logs_or_stderr(observed: Observed) -> None:
    written = [observed.output / name for name in ("_plan.json", "_run.json", "_progress.json")]
    logs = [path for path in observed.logs.rglob("*") if path.is_file()]
    assert len(logs) > 10
    for path in [*written, *logs]:
        assert leaks(path.read_bytes().decode(errors="replace")) == [], path
    report = (observed.output / "_report.html").read_text(encoding="utf-8")
    assert set(leaks(report)) <= {"document text"}
    assert leaks(observed.stderr) == []


def test_no_secret_reaches_an_error_column(observed: Observed) -> None:
    import pyarrow.dataset as ds

    errors = ds.dataset(observed.output, format="parquet").to_table(columns=["line_id", "error"]).to_pylist()
    found = {row["line_id"]: row["error"] for row in errors if row["error"]}
    assert set(found) == {"00003.png", "signed"}
    assert leaks(json.dumps(found)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/",
        "/api/v0/jobs?detail=true",
        "/api/v0/actors?detail=true",
        "/api/v0/tasks?detail=true&limit=10000",
        "/api/v0/workers?detail=true",
        "/api/v0/runtime_envs?detail=true",
        "/nodes?view=summary",
        "/logical/actors",
    ],
)
def test_no_secret_reaches_the_dashboard(observed: Observed, path: str) -> None:
    text = observed.get(path)
    assert leaks(text) == []
    assert len(text) > 20


def leaks(text: str) -> list[str]:
    """The names of what is in `text` and must not be."""
    found = [name for name, value in SECRETS.items() if value in text]
    return [*found, *(["document text"] if DOCUMENT in text else [])]
