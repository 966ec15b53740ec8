"""Names from an untrusted manifest stay in DEST."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.export.names import Seen, copies, safe_name, with_extension

BASES = ("/data/in", "s3://bucket/in")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.xml", "a/b.xml"),
        ("./a//b.xml", "a/b.xml"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b.xml", "b.xml"),
        ("..\\..\\b.xml", "x.._.._b.xml"),
        ("/data/in/a/b.xml", "a/b.xml"),
        ("/data/input/b.xml", "data/input/b.xml"),
        ("/data/in/../../etc/b.xml", "etc/b.xml"),
        ("file:///data/in/a%20b.xml", "a b.xml"),
        ("s3://bucket/in/c/b.xml", "c/b.xml"),
        ("s3://other/in/b.xml", "other/in/b.xml"),
        ("https://host:8080/x/b.xml", "host_8080/x/b.xml"),
        ("_plan.json", "x_plan.json"),
        (".hidden/..", "page"),
        (".hidden/a", "x.hidden/a"),
        ("", "page"),
        ("a\x00\nb|?*.xml", "a__b___.xml"),
        ("ü/文.xml", "ü/文.xml"),
    ],
)
def test_known_names(name: str, safe: str) -> None:
    assert safe_name(name, BASES) == safe


@given(st.text(alphabet=st.sampled_from("ab./\\_:\x00 é~%"), max_size=40) | st.text(max_size=300))
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = safe_name(name, BASES)
    parts = PurePosixPath(safe).parts
    assert parts and not safe.startswith("/") and "\0" not in safe and "\\" not in safe
    assert all(part not in ("..", ".") and part[0] not in "._" for part in parts)
    assert all(len(os.fsencode(part.encode("utf-8", "replace").decode())) <= 255 for part in parts)
    assert os.path.normpath(f"/dest/{safe}").startswith("/dest/")


def test_long_names_stay_apart() -> None:
    names = {safe_name("x" * 500 + end + ".xml", ()) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) < 100 and name.endswith(".xml") for name in names)


def test_second_choices() -> None:
    assert list(islice(with_extension("f/a.jpg", None, "txt"), 3)) == [
        "f/a.txt",
        "f/a.jpg.txt",
        "f/a.jpg.2.txt",
    ]
    assert list(islice(with_extension("a", 0, "txt"), 2)) == ["a.page-0.txt", "a.page-0.txt"]
    assert list(islice(copies("f.x/a.xml"), 3)) == ["f.x/a.xml", "f.x/a.2.xml", "f.x/a.3.xml"]


@given(st.lists(st.text(max_size=3)))
def test_seen_is_a_set(texts: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for text in texts:
        assert seen.add(text) == (text not in known)
        known.add(text)


def test_seen_grows() -> None:
    seen = Seen()
    assert all(seen.add(str(i)) for i in range(20_000))
    assert not any(seen.add(str(i)) for i in range(20_000))
