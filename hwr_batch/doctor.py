"""What this machine has, and what would go wrong: facts and warnings, names of secrets but never values."""

from __future__ import annotations

import math
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hwr_batch import __version__
from hwr_batch.cores import cpu_quota, usable_cores
from hwr_batch.engine import machine
from hwr_batch.storage import Store
from hwr_batch.zoo.cache import Cache, default_cache
from hwr_batch.zoo.listing import list_models

PACKAGES = (
    "ray",
    "openvino",
    "numpy",
    "opencv-python-headless",
    "pyarrow",
    "fsspec",
    "s3fs",
    "gcsfs",
    "adlfs",
)
CREDENTIALS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "abfs": ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
}
CREDENTIAL_FILES = {"s3": "~/.aws/credentials", "gs": "~/.config/gcloud/application_default_credentials.json"}
LEAST_MEMORY = 2 * 1024**3  # Ray and one actor
LEAST_SHM = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`facts`: section → name → value. `warnings`: one sentence each, with what to do."""

    facts: Mapping[str, Mapping[str, str]]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def examine(environ: Mapping[str, str], home: Path) -> Diagnosis:
    """Look at this machine. `environ` is the process environment, `home` the user's home folder."""
    cores, quota = usable_cores(), cpu_quota()
    memory, shm = _memory_bytes(), _free_bytes(Path("/dev/shm"))  # noqa: S108 - Ray's object store lies there
    facts = {
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processor": machine.processor(),
            "instruction set": machine.instruction_set(),
            "bf16 in hardware": "yes" if machine.has_bf16() else "no",
            "cores seen": str(os.cpu_count()),
            "cores usable": str(cores),
            "cgroup quota": "none" if quota == math.inf else f"{quota:g} cores",
            "memory": _gigabytes(memory),
            "shared memory free": _gigabytes(shm),
        },
        "threads": {
            "one actor on this machine": f"{cores} streams of one thread each, pinned",
            "several actors": "their cores divided, threads not pinned",
        },
        "packages": {"hwr-batch": __version__, **{name: _version(name) for name in PACKAGES}},
        "Ray": {"RAY_ADDRESS": environ.get("RAY_ADDRESS", "not set: a cluster on this machine is started")},
        "credentials": {store: _credentials(store, environ, home) for store in CREDENTIALS},
        "models": {"cache": default_cache(environ), **_models(environ)},
    }
    return Diagnosis(facts, tuple(warnings_for(cores, quota, memory, shm)))


def warnings_for(cores: int, quota: float, memory: int | None, shm: int | None) -> list[str]:
    """What would go wrong, a sentence each; sizes in bytes, None where unknown."""
    found = []
    if quota < 1:
        found.append(f"the container may use {quota:g} of a core: give it at least one")
    if memory is not None and memory < LEAST_MEMORY:
        found.append(f"{_gigabytes(memory)} of memory: Ray and one actor need about 2 GB")
    if shm is not None and shm < LEAST_SHM:
        found.append(f"shared memory has {_gigabytes(shm)}: start the container with --shm-size=1g")
    if not machine.has_bf16():
        found.append("this processor has no bf16: --precision bf16 would be slower, not faster")
    if cores == 1:
        found.append("one core: the driver and the actor share it; expect less than the benchmark's speed")
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _credentials(store: str, environ: Mapping[str, str], home: Path) -> str:
    found = [name for name in CREDENTIALS[store] if environ.get(name)]
    file = CREDENTIAL_FILES.get(store)
    if file and (home / file.removeprefix("~/")).exists():
        found.append(file)
    return ", ".join(found) + " found" if found else "none found by name (instance identity may still work)"


def _models(environ: Mapping[str, str]) -> dict[str, str]:
    listings = list_models(Cache(default_cache(environ), Store()))
    return {model.name: model.where if model.present else "not pulled yet" for model in listings}


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _free_bytes(folder: Path) -> int | None:
    return shutil.disk_usage(folder).free if folder.exists() else None


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1024**3:.1f} GB"
