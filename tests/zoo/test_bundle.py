"""Models into memory: by name, by folder, by URL, and every way a folder can be wrong."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from hwr_batch.config import Precision
from hwr_batch.errors import ConfigError, ModelError
from hwr_batch.zoo import catalog
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.card import ModelBundle
from hwr_batch.zoo.card_file import render_card
from hwr_batch.zoo.entry import Entry
from hwr_batch.zoo.pull import pull
from hwr_batch.zoo.weights import read_tensors

from .conftest import BIN, IR, WatchedStore
from .file_server import FileHost
from .onnx_bytes import onnx_model

SHARED = Path(__file__).parents[2].parent / "shared"
GNHK = (*(chr(code) for code in range(32, 127) if chr(code) not in "\\`"), "£")


def read(name: str, cache: Cache, precision: Precision = Precision.F32) -> ModelBundle:
    return load(name, precision=precision, cache=cache)


def test_the_shipped_model(cache: Cache) -> None:
    bundle = read("english-open", cache)
    assert bundle.charset == GNHK
    assert len(bundle.charset) == 94
    assert set(bundle.files) == {"weights.npz"}
    assert set(bundle.digests) == {"weights.npz", "charset.txt", "card.toml"}
    tensors = read_tensors(bundle.files["weights.npz"], "weights.npz")
    assert tensors["fc.weight"].shape == (95, 512)
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float16"}


def test_the_shipped_model_is_the_same_by_name_and_by_folder(cache: Cache) -> None:
    assert read("english-open", cache) == read(pull("english-open", cache), cache)


def test_a_name_is_pulled_when_it_is_missing(tiny: Entry, cache: Cache, told: list[str]) -> None:
    bundle = read("tiny", cache)
    assert bundle.card == tiny.card
    assert bundle.charset == GNHK
    assert bundle.files == {"tiny.xml": IR, "tiny.bin": BIN}
    assert bundle.digests["tiny.bin"] == hashlib.sha256(BIN).hexdigest()
    assert told == ["tiny.xml: downloading 0.0 MB", "tiny.bin: downloading 0.2 MB"]


def test_a_cache_that_holds_the_model_is_only_read(tiny: Entry, cache: Cache, store: WatchedStore) -> None:
    folder = pull("tiny", cache)
    store.put(f"{folder}/card.toml", b"an older card")
    store.puts.clear()
    assert read("tiny", cache).card == tiny.card
    assert store.puts == []


def test_a_model_pulled_by_loading_it_is_a_whole_folder(
    tiny: Entry, cache: Cache, store: WatchedStore
) -> None:
    bundle = read("tiny", cache)
    assert store.puts[-1].endswith("/tiny/FP32/card.toml")
    assert read(store.puts[-1].removesuffix("card.toml"), cache) == bundle


def test_int8_reads_the_published_int8_files(tiny: Entry, cache: Cache, host: FileHost) -> None:
    read("tiny", cache, Precision.INT8)
    assert [path for path, _ in host.seen] == ["b/INT8/tiny.xml", "b/INT8/tiny.bin"]


def test_bf16_reads_the_f32_files(tiny: Entry, cache: Cache, host: FileHost) -> None:
    read("tiny", cache, Precision.BF16)
    assert host.seen[0][0] == "a/FP32/tiny.xml"


@pytest.mark.parametrize("name", ["english-open", "ppocr-v6-small"])
def test_int8_where_nothing_was_published_in_it(name: str, cache: Cache) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no published INT8 files; use f32 or bf16"):
        read(name, cache, Precision.INT8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An ONNX model of the user's own, with a list file."""
    path = tmp_path / "own model"
    path.mkdir()
    card = dataclasses.replace(
        catalog.entry("omz-english").card, name="own", weights="net.onnx", charset="l.txt"
    )
    (path / "card.toml").write_bytes(b"# mine\n" + render_card(card))
    (path / "net.onnx").write_bytes(onnx_model({"character": "x\ny"}))
    (path / "l.txt").write_bytes(b" \na\n")
    return path


def test_a_folder_with_a_card(folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read(str(folder), cache)
    assert bundle.card.name == "own"
    assert bundle.charset == (" ", "a")
    assert bundle.digests == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }
    monkeypatch.chdir(folder.parent)
    assert read("own model", cache) == read("own model/", cache) == read(folder.as_uri(), cache) == bundle


def test_a_folder_at_a_url(folder: Path, cache: Cache, memory: str) -> None:
    for path in folder.iterdir():
        cache.store.put(f"{memory}/my-model/{path.name}", path.read_bytes())
    assert read(f"{memory}/my-model", cache) == read(str(folder), cache)


def test_a_folder_on_a_web_host(folder: Path, cache: Cache, host: FileHost) -> None:
    host.files |= {f"own/{path.name}": path.read_bytes() for path in folder.iterdir()}
    assert read(f"{host.origin}/own", cache) == read(str(folder), cache)


def test_the_list_inside_the_onnx_file_needs_no_list_file(folder: Path, cache: Cache) -> None:
    (folder / "l.txt").unlink()
    edit(folder, "l.txt", "metadata:character")
    bundle = read(str(folder), cache)
    assert bundle.charset == ("x", "y")
    assert set(bundle.digests) == {"card.toml", "net.onnx"}


def edit(folder: Path, old: str, new: str) -> None:
    card = (folder / "card.toml").read_text()
    assert old in card
    (folder / "card.toml").write_text(card.replace(old, new))


@pytest.mark.parametrize("missing", ["net.onnx", "l.txt"])
def test_a_missing_file_is_named(missing: str, folder: Path, cache: Cache) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=rf"own model/{missing} is missing: card\.toml beside it names it"):
        read(str(folder), cache)


def test_an_ir_without_its_bin(folder: Path, cache: Cache) -> None:
    edit(folder, "net.onnx", "net.xml")
    (folder / "net.xml").write_bytes(IR)
    with pytest.raises(ModelError, match=r"net\.bin is missing"):
        read(str(folder), cache)


def test_a_card_cannot_reach_out_of_its_folder(folder: Path, cache: Cache) -> None:
    (folder.parent / "l.txt").write_bytes(b"secret\n")
    edit(folder, '"l.txt"', '"../l.txt"')
    with pytest.raises(ModelError, match="charset must be the plain name of a file"):
        read(str(folder), cache)


def test_entities_in_an_ir_are_refused(folder: Path, cache: Cache) -> None:
    edit(folder, "net.onnx", "net.xml")
    (folder / "net.xml").write_bytes(
        b'<!DOCTYPE net [<!ENTITY e SYSTEM "file:///etc/passwd">]><net>&e;</net>'
    )
    (folder / "net.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="document type declaration"):
        read(str(folder), cache)


def test_what_is_neither_a_name_nor_a_folder(folder: Path, cache: Cache) -> None:
    with pytest.raises(ModelError, match=r"no card\.toml there, nor is it a known model \(omz-english"):
        read("no-such-model", cache)
    with pytest.raises(ModelError, match="is a file; give the folder it lies in"):
        read(str(folder / "net.onnx"), cache)


@pytest.mark.parametrize(("characters", "says"), [(93, "has 93 characters"), (95, "has 95 characters")])
def test_a_list_must_have_one_character_for_each_class_but_blank(
    characters: int, says: str, tmp_path: Path, cache: Cache
) -> None:
    source = Path(pull("english-open", cache))
    for name in ("weights.npz", "card.toml"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "charset.txt").write_bytes(b"x\n" * characters)
    with pytest.raises(ModelError, match=f"{says}, the network has 95 classes; .* 94"):
        read(str(tmp_path), cache)


def test_a_blank_beyond_the_classes(tmp_path: Path, cache: Cache) -> None:
    source = Path(pull("english-open", cache))
    for name in ("weights.npz", "charset.txt"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    card = dataclasses.replace(catalog.entry("english-open").card, blank=95)
    (tmp_path / "card.toml").write_bytes(render_card(card))
    with pytest.raises(ModelError, match="blank is class 95, the network has 95 classes"):
        read(str(tmp_path), cache)


def test_the_trained_official_topology(cache: Cache) -> None:
    folder = SHARED / "models" / "omz-english-trained"
    if not folder.is_dir():
        pytest.skip("the shared model folder is not here")
    bundle = read(str(folder), cache)
    assert bundle.charset == GNHK
    assert {name.rpartition(".")[2] for name in bundle.files} == {"xml", "bin"}
    assert len(bundle.files["handwritten-english-recognition-0001.bin"]) == 22_225_016
