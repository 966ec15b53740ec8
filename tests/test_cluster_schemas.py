"""What the schemas of `cluster_schemas` accept, and what they refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cluster_schemas import SCHEMAS

MANIFESTS = sorted((Path(__file__).parents[1] / "cluster" / "kubernetes").glob("*.yaml"))
Document = dict[str, Any]


def load(name: str) -> Document:
    path = next(path for path in MANIFESTS if path.name == name)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_files_follow_the_published_fields(path: Path) -> None:
    document = load(path.name)
    jsonschema.validate(document, SCHEMAS[document["kind"]])


def _spec(document: Document) -> Document:
    spec = document["spec"]
    assert isinstance(spec, dict)
    return spec


def _runtime_env_as_mapping(job: Document) -> None:
    _spec(job)["runtimeEnvYAML"] = {"env_vars": {}}


def _ttl_without_shutdown(job: Document) -> None:
    del _spec(job)["shutdownAfterJobFinishes"]


def _ttl_with_shutdown_off(job: Document) -> None:
    _spec(job)["shutdownAfterJobFinishes"] = False


def _number_among_start_params(job: Document) -> None:
    _spec(job)["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def _unknown_field(job: Document) -> None:
    _spec(job)["runtimeEnv"] = "{}"


def _no_head(job: Document) -> None:
    del _spec(job)["rayClusterSpec"]["headGroupSpec"]


def _no_cluster(job: Document) -> None:
    del _spec(job)["rayClusterSpec"]


def _worker_without_name(job: Document) -> None:
    del _spec(job)["rayClusterSpec"]["workerGroupSpecs"][0]["groupName"]


def _quantity_in_words(job: Document) -> None:
    _spec(job)["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["resources"][
        "requests"
    ]["cpu"] = "four"


@pytest.mark.parametrize(
    "spoil",
    [
        _runtime_env_as_mapping,
        _ttl_without_shutdown,
        _ttl_with_shutdown_off,
        _number_among_start_params,
        _unknown_field,
        _no_head,
        _no_cluster,
        _worker_without_name,
        _quantity_in_words,
    ],
)
def test_the_schema_refuses_what_a_server_would_drop_or_refuse(spoil: Callable[[Document], None]) -> None:
    job = copy.deepcopy(load("rayjob.yaml"))
    spoil(job)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMAS["RayJob"])


def _no_schedule(job: Document) -> None:
    del _spec(job)["schedule"]


def _policy_misspelt(job: Document) -> None:
    _spec(job)["concurrencyPolicy"] = "forbid"


@pytest.mark.parametrize("spoil", [_no_schedule, _policy_misspelt])
def test_the_schema_refuses_a_wrong_cron_job(spoil: Callable[[Document], None]) -> None:
    job = copy.deepcopy(load("cronjob.yaml"))
    spoil(job)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMAS["CronJob"])
