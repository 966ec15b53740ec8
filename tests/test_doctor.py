"""What `doctor` finds: credentials by name only, and the warnings that save a day."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwr_batch import doctor

SECRET = "do-not-show-me-7f3a"


def test_credentials_are_named_and_never_shown(tmp_path: Path) -> None:
    environ = {"AWS_ACCESS_KEY_ID": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "HWR_BATCH_CACHE": str(tmp_path)}
    found = doctor.examine(environ, tmp_path)
    assert SECRET not in json.dumps(found.to_json())
    assert found.facts["credentials"]["s3"] == "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY found"
    assert found.facts["credentials"]["gs"].startswith("none found")


def test_credential_files_are_found_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(SECRET)
    found = doctor.examine({"HWR_BATCH_CACHE": str(tmp_path)}, tmp_path)
    assert found.facts["credentials"]["s3"] == "~/.aws/credentials found"


def test_the_shipped_model_is_here_and_the_others_are_not(tmp_path: Path) -> None:
    models = doctor.examine({"HWR_BATCH_CACHE": str(tmp_path)}, tmp_path).facts["models"]
    assert models["cache"] == str(tmp_path)
    assert models["english-open"].endswith("english-open")
    assert models["omz-chinese"] == "not pulled yet"


@pytest.mark.parametrize(
    ("quota", "cores", "memory", "shm", "expected"),
    [
        (0.5, 1, 8 * 2**30, 2**30, "half"),
        (float("inf"), 2, 1 * 2**30, 2**30, "1.0 GB of memory"),
        (float("inf"), 2, 8 * 2**30, 64 * 2**20, "--shm-size"),
    ],
)
def test_warnings(quota: float, cores: int, memory: int, shm: int, expected: str) -> None:
    found = " ".join(doctor.warnings_for(cores, quota, memory, shm))
    assert expected.replace("half", "0.5 of a core") in found


def test_a_fit_machine_gets_no_warning_of_size() -> None:
    found = doctor.warnings_for(8, float("inf"), 32 * 2**30, 8 * 2**30)
    assert [sentence for sentence in found if "bf16" not in sentence] == []
