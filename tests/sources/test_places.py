"""What a SOURCE stands for."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from hwr_batch.sources.places import FileKind, Place, common_root, kind_of, place_of, relative_name
from hwr_batch.storage import Store

FILES = ["a.png", "a.xml", "notes.txt", "x/b.JPG", "x/y/c.tif", "x/y/d.tar", "x/e.json", "x/f [1].png"]


@pytest.fixture(params=["file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name = uuid.uuid4().hex
    if request.param == "file":
        return str(tmp_path / name)
    return (
        f"memory://{name}/in"
        if request.param == "memory"
        else f"{request.getfixturevalue('s3').bucket}/{name}"
    )


@pytest.fixture
def store(place: str) -> Store:
    store = Store()
    for name in FILES:
        store.put(f"{place}/{name}", b"x")
    return store


def names(source: str, root: str, store: Store) -> list[str]:
    return sorted(uri.removeprefix(f"{root}/") for uri, _ in place_of(source, store).files(store))


def test_a_folder_is_everything_below_it_that_may_hold_lines(place: str, store: Store) -> None:
    found = {uri.removeprefix(f"{place}/"): kind for uri, kind in place_of(place, store).files(store)}
    assert found == {
        "a.png": FileKind.IMAGE,
        "a.xml": FileKind.LAYOUT,
        "x/b.JPG": FileKind.IMAGE,
        "x/y/c.tif": FileKind.FRAMED,
        "x/y/d.tar": FileKind.TAR,
        "x/f [1].png": FileKind.IMAGE,
    }


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png"]),
        ("**/*.png", ["a.png", "x/f [1].png"]),
        ("x/*", ["x/b.JPG", "x/f [1].png"]),
        ("x/**", ["x/b.JPG", "x/f [1].png", "x/y/c.tif", "x/y/d.tar"]),
        ("?/[a-c].JPG", ["x/b.JPG"]),
        ("x/[!b]*", ["x/f [1].png"]),
        ("x/f [1].png", ["x/f [1].png"]),  # there is such a file: taken literally
        ("z/*", []),
    ],
)
def test_globs(place: str, store: Store, pattern: str, expected: list[str]) -> None:
    assert names(f"{place}/{pattern}", place, store) == expected


def test_a_file_is_itself_and_ids_are_relative_to_its_folder(place: str, store: Store) -> None:
    assert place_of(f"{place}/x/b.JPG", store) == Place(f"{place}/x", file=f"{place}/x/b.JPG")


def test_a_walk_over_many_folders_finds_each_file_once(tmp_path: Path) -> None:
    made = [f"{i % 7}/{i % 3}/{i}.png" for i in range(100)]
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path)
    walked = list(Store().walk(str(tmp_path)))
    assert sorted(walked) == sorted((name, 1) for name in made)
    assert walked == list(Store().walk(str(tmp_path)))


def test_a_web_address_is_an_image_or_a_iiif_manifest() -> None:
    store = Store()
    url = "https://iiif.example.org/book/manifest?v=[2]"
    assert list(place_of(url, store).files(store)) == [(url, FileKind.IIIF)]
    assert kind_of("https://example.org/a.JP2?size=*") is FileKind.IMAGE


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        (["/a/b"], "/a/b"),
        (["/a/b", "/a/c/d"], "/a"),
        (["/a", "/b"], ""),
        (["s3://k/a/b", "s3://k/a/c"], "s3://k/a"),
        (["s3://k/a", "s3://k"], "s3://k"),
        (["s3://k/a", "s3://j/a"], ""),
        (["/a", "s3://k/a"], ""),
        (["/"], ""),
    ],
)
def test_ids_are_relative_to_what_all_sources_share(roots: list[str], expected: str) -> None:
    assert common_root([Place(root, file=f"{root}/f") for root in roots]) == expected


def test_relative_names() -> None:
    assert relative_name("/a/b/c.png", "/a") == "b/c.png"
    assert relative_name("/a/b/c.png", "") == "a/b/c.png"
    assert relative_name("s3://k/a#1?.png", "s3://k") == "a#1?.png"
    assert relative_name("https://h/m.json?token=secret", "") == "https://h/m.json"
