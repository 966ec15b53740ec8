"""Names: parsed, joined, and printed without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.errors import ConfigError
from hwr_batch.storage import is_local, join, local_path, normalize, parent, redact, scheme
from hwr_batch.storage.uri import redact_text

CWD = Path("/home/me")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("m.csv", "/home/me/m.csv"),
        ("../m.csv", "/home/me/../m.csv"),
        ("/data/a#1 ?%20.csv", "/data/a#1 ?%20.csv"),
        ("file:///data/a%231.csv", "/data/a#1.csv"),
        ("file:/data/x", "/data/x"),
        ("file://localhost/data/x", "/data/x"),
        ("S3://Bucket/Key?x", "s3://Bucket/Key?x"),
        ("gcs://bucket/x", "gs://bucket/x"),
        (
            "abfs://container@account.dfs.core.windows.net/x",
            "abfs://container@account.dfs.core.windows.net/x",
        ),
        ("zip://x", "zip://x"),  # refused by the store, which knows the schemes it has
    ],
)
def test_normalize(typed: str, expected: str) -> None:
    assert normalize(typed, CWD) == expected


@pytest.mark.parametrize(
    "typed", ["s3://KEY:SECRET@bucket/x", "https://me:SECRET@host/x", "https://SECRET@host"]
)
def test_credentials_in_a_name_are_refused(typed: str) -> None:
    with pytest.raises(ConfigError, match="carries a credential") as caught:
        normalize(typed, CWD)
    assert "SECRET" not in str(caught.value)


def test_another_hosts_files_are_not_local() -> None:
    with pytest.raises(ConfigError, match="another host"):
        normalize("file://server/share/x", CWD)
    with pytest.raises(ValueError, match="not local"):
        local_path("s3://bucket/x")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/a/b", "/a"),
        ("/a", "/"),
        ("file:///a%20/b", "/a "),
        ("s3://b/k/x", "s3://b/k"),
        ("s3://b/x", "s3://b"),
        ("s3://b", "s3://b"),
        ("memory://x/y/", "memory://x"),
        ("https://h/d/m.csv?sig=/x/y", "https://h/d"),
    ],
)
def test_parent(uri: str, expected: str) -> None:
    assert parent(uri) == expected


@pytest.mark.parametrize(
    ("base", "name", "expected"),
    [
        ("/", "x", "/x"),
        ("/a b", "c#d", "/a b/c#d"),
        ("s3://b", "c#d?", "s3://b/c#d?"),
        ("s3://b/k/", "x/y", "s3://b/k/x/y"),
        ("https://h/d", "c#d 50%.png", "https://h/d/c%23d%2050%25.png"),
    ],
)
def test_join(base: str, name: str, expected: str) -> None:
    assert join(base, name) == expected


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name not in {".", ".."}
)


@given(NAMES, st.sampled_from(["/data", "s3://bucket/folder", "memory://x", "gs://bucket"]))
def test_parent_undoes_join(name: str, base: str) -> None:
    assert parent(join(base, name)) == base
    assert is_local(join(base, name)) == is_local(base)


@given(NAMES)
def test_a_file_uri_round_trips(name: str) -> None:
    assert local_path((Path("/data") / name).as_uri()) == Path("/data") / name


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/data/a#1 ?x=1.png", "/data/a#1 ?x=1.png"),
        ("s3://bucket/a#1 ?.png", "s3://bucket/a#1 ?.png"),
        ("s3://bucket/x?X-Amz-Signature=SECRET", "s3://bucket/x?…"),
        ("s3://KEY:SECRET@bucket/x", "s3://***@bucket/x"),
        ("https://SECRET@host/x", "https://***@host/x"),
        ("https://host/x?SECRET", "https://host/x?…"),
        ("https://host?sig=SECRET", "https://host"),
        ("https://host/x#SECRET", "https://host/x?…"),
        (
            "abfs://c@account.dfs.core.windows.net/x?sv=1&sig=SECRET",
            "abfs://c@account.dfs.core.windows.net/x?…",
        ),
        ("s3://b/new\nline", "s3://b/new�line"),
    ],
)
def test_redact(uri: str, expected: str) -> None:
    assert redact(uri) == expected


@given(
    st.sampled_from(["https", "s3", "abfs", "gs", "ftp"]),
    st.sampled_from(
        ["{0}://u:{1}@host/p", "{0}://host/p?sig={1}", "{0}://u:{1}@host", "{0}://host?a=b&sig={1}"]
    ),
    st.text(st.characters(categories=["L", "N"]), min_size=0, max_size=20),
)
def test_a_secret_is_never_printed(kind: str, form: str, padding: str) -> None:
    uri = form.format(kind, f"S3CRET{padding}")
    assert "S3CRET" not in redact(uri)
    assert "S3CRET" not in redact_text(f'Cannot connect to "{uri}": [Errno 111]')


def test_schemes() -> None:
    assert [scheme(uri) for uri in ("x", "C:x", "a://b", "S3A://b", "file:///x")] == [
        "file",
        "file",
        "a",
        "s3",
        "file",
    ]
