"""Pulling by name: what lands in the cache, when nothing is fetched, and two pulls at once."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from hwr_batch.config import Precision
from hwr_batch.errors import ConfigError, ModelError, StorageError
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache, default_cache
from hwr_batch.zoo.card_file import parse_card
from hwr_batch.zoo.entry import FP16_INT8, Entry
from hwr_batch.zoo.listing import describe
from hwr_batch.zoo.pull import bundle_to, pull

from .conftest import BIN, IR, WatchedStore
from .file_server import Answer, Drop, FileHost


def test_a_pulled_folder_is_a_whole_model_folder(tiny: Entry, cache: Cache, tmp_path: Path) -> None:
    folder = Path(pull("tiny", cache))
    assert folder == tmp_path / "cache" / "tiny" / "FP32"
    assert {path.name for path in folder.iterdir()} == {"tiny.xml", "tiny.bin", "gnhk.txt", "card.toml"}
    assert (folder / "tiny.xml").read_bytes() == IR
    assert (folder / "tiny.bin").read_bytes() == BIN
    assert (folder / "gnhk.txt").read_bytes().startswith(b" \n!\n")
    assert parse_card((folder / "card.toml").read_bytes(), "card") == tiny.card


def test_a_variant_has_its_own_folder(tiny: Entry, cache: Cache, host: FileHost, tmp_path: Path) -> None:
    assert pull("tiny", cache, variant=FP16_INT8) == str(tmp_path / "cache" / "tiny" / "FP16-INT8")
    assert [path for path, _ in host.seen] == ["b/INT8/tiny.xml", "b/INT8/tiny.bin"]


def test_what_is_there_is_not_fetched_again(tiny: Entry, cache: Cache, host: FileHost) -> None:
    pull("tiny", cache)
    host.seen.clear()
    pull("tiny", cache)
    assert host.seen == []


def test_a_damaged_cached_file_is_replaced(
    tiny: Entry, cache: Cache, host: FileHost, told: list[str]
) -> None:
    folder = Path(pull("tiny", cache))
    (folder / "tiny.bin").write_bytes(BIN[:-1])
    host.seen.clear()
    pull("tiny", cache)
    assert (folder / "tiny.bin").read_bytes() == BIN
    assert [path for path, _ in host.seen] == ["a/FP32/tiny.bin"]
    assert f"{folder / 'tiny.bin'} is not the published file; fetching it again" in told


def test_no_wrong_file_ever_gets_its_final_name(
    tiny: Entry, host: FileHost, cache: Cache, store: WatchedStore
) -> None:
    host.files["a/FP32/tiny.bin"] = BIN[::-1]
    with pytest.raises(ModelError, match="does not match"):
        pull("tiny", cache)
    assert [Path(uri).name for uri in store.puts] == ["tiny.xml"]


def test_an_interrupted_pull_goes_on_where_it_was(
    tiny: Entry, cache: Cache, host: FileHost, tmp_path: Path
) -> None:
    host.faults.extend([Drop(len(IR)), Drop(100_000), Answer(500), Answer(500)])  # .xml whole, .bin in part
    with pytest.raises(ModelError, match=r"tiny\.bin could not be fetched .* \(the host answered 500\)"):
        pull("tiny", cache)
    (kept,) = (tmp_path / "cache" / "_partial").glob("*.partial")
    size = kept.stat().st_size
    assert size > 0
    host.seen.clear()
    pull("tiny", cache)
    assert host.seen == [("a/FP32/tiny.bin", f"bytes={size}-")]
    assert not list((tmp_path / "cache" / "_partial").glob("*.partial"))


def test_two_pulls_at_once_fetch_each_file_once(tiny: Entry, cache: Cache, host: FileHost) -> None:
    host.faults.extend([Drop(20), Drop(100_000)])
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: pull("tiny", cache), range(4)))
    assert len(set(folders)) == 1
    assert (Path(folders[0]) / "tiny.bin").read_bytes() == BIN
    whole = [path for path, wanted in host.seen if wanted is None]
    assert len(whole) <= 3  # each of the two files once, and the .xml again after its first drop


def test_a_held_lock_ends_in_a_sentence(tiny: Entry, cache: Cache, tmp_path: Path) -> None:
    impatient = dataclasses.replace(cache.transport, lock_timeout_s=0.01)
    staging = tmp_path / "cache" / "_partial"
    staging.mkdir(parents=True)
    first = tiny.variants["FP32"][0]
    with (
        filelock.FileLock(staging / f"{first.digest[:16]}-{first.name}.partial.lock"),
        pytest.raises(ModelError, match=r"another pull of tiny\.xml holds"),
    ):
        pull("tiny", dataclasses.replace(cache, transport=impatient))


def test_a_download_is_kept_when_the_cache_refuses_it(
    tiny: Entry, cache: Cache, store: WatchedStore, memory: str, host: FileHost, tmp_path: Path
) -> None:
    remote = dataclasses.replace(cache, root=memory, staging=tmp_path / "staging")
    store.denied.add(f"{memory}/tiny/FP32/tiny.bin")
    with pytest.raises(StorageError, match="permission denied"):
        pull("tiny", remote)
    store.denied.clear()
    host.seen.clear()
    pull("tiny", remote)
    assert host.seen == []
    assert not list((tmp_path / "staging").glob("*.partial"))


def test_an_unwritable_staging_folder(tiny: Entry, cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot be made for unfinished downloads"):
        pull("tiny", dataclasses.replace(cache, staging=tmp_path / "file" / "below"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_remote_cache_is_filled_and_read_back(
    slash: str, tiny: Entry, cache: Cache, store: WatchedStore, memory: str, host: FileHost, tmp_path: Path
) -> None:
    remote = dataclasses.replace(cache, root=memory + slash, staging=tmp_path / "staging")
    assert pull("tiny", remote) == f"{memory}/tiny/FP32"
    assert store.puts[-1] == f"{memory}/tiny/FP32/card.toml"  # last: a folder with a card is whole
    host.files.clear()
    assert load("tiny", precision=Precision.F32, cache=remote).files["tiny.bin"] == BIN


@pytest.mark.parametrize("scheme", ["memory", "file", "path"])
def test_a_bundle_serves_as_cache_and_as_folder_without_the_host(
    scheme: str, tiny: Entry, cache: Cache, host: FileHost, memory: str, tmp_path: Path
) -> None:
    dest = {"memory": memory, "file": f"file://{tmp_path}/my%20models", "path": str(tmp_path / "my models")}[
        scheme
    ]
    folder = bundle_to("tiny", dest, cache)
    assert folder == f"{memory if scheme == 'memory' else tmp_path / 'my models'}/tiny/FP32"
    host.files.clear()
    host.seen.clear()
    by_name = load("tiny", precision=Precision.F32, cache=dataclasses.replace(cache, root=dest))
    by_folder = load(folder, precision=Precision.F32, cache=cache)
    assert by_name == by_folder
    assert by_name.files["tiny.bin"] == BIN
    assert host.seen == []


def test_a_mirror_on_a_web_host_serves_as_cache(
    tiny: Entry, cache: Cache, host: FileHost, tmp_path: Path
) -> None:
    folder = Path(bundle_to("tiny", str(tmp_path / "mirror"), cache))
    host.files.clear()
    host.files |= {f"mirror/tiny/FP32/{path.name}": path.read_bytes() for path in folder.iterdir()}
    mirror = dataclasses.replace(cache, root=f"{host.origin}/mirror")
    assert load("tiny", precision=Precision.F32, cache=mirror).files["tiny.bin"] == BIN
    assert describe("tiny", mirror).listing.present
    assert not describe("omz-english", mirror).listing.present


def test_the_shipped_model_needs_no_cache_and_bundles_with_its_licence(
    cache: Cache, store: WatchedStore, tmp_path: Path
) -> None:
    assert Path(pull("english-open", cache)).joinpath("card.toml").is_file()
    assert store.puts == []
    folder = tmp_path / "english-open" / "FP16"
    assert bundle_to("english-open", str(tmp_path), cache) == str(folder)
    assert {path.name for path in folder.iterdir()} == {
        "weights.npz",
        "charset.txt",
        "LICENSE.md",
        "card.toml",
    }


def test_a_cache_url_with_a_password_is_refused(tiny: Entry, cache: Cache) -> None:
    with pytest.raises(ConfigError, match="carries a credential") as refused:
        pull("tiny", dataclasses.replace(cache, root="s3://key:s3cret@bucket"))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("variant", ["FP16-INT8", "FP16", "FP32"])
def test_published_files_are_asked_for_at_their_published_path(
    variant: str, cache: Cache, host: FileHost
) -> None:
    with pytest.raises(ModelError, match="answered 404"):
        pull("omz-chinese", cache, variant=variant)
    release = "2022.3" if variant == "FP16-INT8" else "2023.0"
    name = "handwritten-simplified-chinese-recognition-0001"
    assert host.seen[0][0] == f"{release}/models_bin/1/{name}/{variant}/{name}.xml"


def test_names_and_variants_that_do_not_exist(cache: Cache) -> None:
    with pytest.raises(ModelError, match="no model named 'omz-klingon'; the named ones are omz-english"):
        pull("omz-klingon", cache)
    with pytest.raises(ConfigError, match="FP8: omz-english is published as FP32, FP16, FP16-INT8"):
        pull("omz-english", cache, variant="FP8")


def test_the_default_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache({}) == str(tmp_path / "hwr-batch" / "models")
    assert default_cache({"HWR_BATCH_CACHE": ""}) == str(tmp_path / "hwr-batch" / "models")
    assert default_cache({"HWR_BATCH_CACHE": "s3://b/m"}) == "s3://b/m"
    assert default_cache({"HWR_BATCH_CACHE": "~/m"}) == str(tmp_path / "m")


def test_a_relative_cache_is_made_absolute(
    tiny: Entry, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = dataclasses.replace(cache, root="here")
    assert pull("tiny", here) == str(tmp_path / "here" / "tiny" / "FP32")
    assert bundle_to("tiny", "there", here) == str(tmp_path / "there" / "tiny" / "FP32")
