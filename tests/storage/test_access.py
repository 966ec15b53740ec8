"""Attacks by the writer of a manifest, each answered with `access_denied`."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from hwr_batch.config import AccessOptions
from hwr_batch.errors import ConfigError, LineError, Status
from hwr_batch.storage import AccessPolicy


def policy(manifest: str, *, roots: tuple[Path, ...] = (), urls: tuple[str, ...] = ()) -> AccessPolicy:
    return AccessPolicy.for_manifest(manifest, AccessOptions(allow_roots=roots, allow_urls=urls))


def denied(rules: AccessPolicy, image: str) -> str:
    with pytest.raises(LineError) as caught:
        rules.resolve(image)
    assert caught.value.status is Status.ACCESS_DENIED
    return caught.value.sentence


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A manifest's folder with an image, beside a folder that is none of its business."""
    for name in ("archive/images", "archive-secret", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "archive/images/a#1 ?.png").write_bytes(b"x")
    (tmp_path / "secret/key.png").write_bytes(b"x")
    (tmp_path / "archive/link.png").symlink_to("../secret/key.png")
    (tmp_path / "archive/linked").symlink_to("../secret")
    (tmp_path / "archive/inside.png").symlink_to("images/a#1 ?.png")
    return tmp_path / "archive"


@pytest.mark.parametrize(
    "image",
    [
        "images/a#1 ?.png",
        "images/../images/a#1 ?.png",
        "{archive}/images/a#1 ?.png",
        "file://{archive}/images/a%231%20%3F.png",
        "inside.png",
    ],
)
def test_files_under_the_manifest(archive: Path, image: str) -> None:
    rules = policy(f"{archive}/manifest.csv")
    assert rules.resolve(image.format(archive=archive)) == f"{archive}/images/a#1 ?.png"


@pytest.mark.parametrize(
    "image",
    [
        "../secret/key.png",
        "images/../../secret/key.png",
        "../archive-secret/key.png",
        "{archive}/../secret/key.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "FILE:///etc/passwd",
        "file://localhost/etc/passwd",
        "file://{archive}/%2e%2e/secret/key.png",
        "file://other-host/share/x.png",
        "link.png",
        "linked/key.png",
        "s3://bucket/x.png",
        "http://127.0.0.1/x.png",
        "zip://x.png::https://host/x.zip",
        "ftp://host/x.png",
        "memory://x/y.png",
    ],
)
def test_everything_else_is_refused(archive: Path, image: str) -> None:
    sentence = denied(policy(f"{archive}/manifest.csv"), image.format(archive=archive))
    assert "\n" not in sentence


def test_an_allowed_root(archive: Path) -> None:
    rules = policy(f"{archive}/manifest.csv", roots=(archive.parent / "secret",))
    assert rules.resolve("../secret/key.png") == f"{archive.parent}/secret/key.png"
    assert rules.resolve("link.png") == f"{archive.parent}/secret/key.png"
    denied(rules, "../archive-secret/key.png")


def test_an_allowed_root_may_itself_be_a_link(archive: Path) -> None:
    (archive.parent / "mount").symlink_to("secret")
    rules = policy(f"{archive}/manifest.csv", roots=(archive.parent / "mount",))
    assert rules.resolve(f"{archive.parent}/mount/key.png").endswith("/secret/key.png")


def test_what_names_no_file(archive: Path) -> None:
    for image in ("", "a\0b.png"):
        with pytest.raises(LineError) as caught:
            policy(f"{archive}/manifest.csv").resolve(image)
        assert caught.value.status is Status.IMAGE_MISSING


REMOTE = "s3://bucket/manifests/2024/m.csv"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a#1 ?.png", "s3://bucket/manifests/2024/a#1 ?.png"),
        ("./a.png", "s3://bucket/manifests/2024/a.png"),
        ("../../images/a.png", "s3://bucket/images/a.png"),
        ("s3://bucket/images/a.png", "s3://bucket/images/a.png"),
        ("s3a://bucket/images/a%2F.png", "s3://bucket/images/a%2F.png"),
    ],
)
def test_objects_of_the_manifests_bucket(image: str, expected: str) -> None:
    assert policy(REMOTE).resolve(image) == expected


@pytest.mark.parametrize(
    "image",
    [
        "../../../other/a.png",
        "s3://other/a.png",
        "s3://bucket2/a.png",
        "s3://bucket/../other/a.png",
        "s3://key:secret@bucket/a.png",
        "gs://bucket/a.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://bucket/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "memory://bucket/a.png",
    ],
)
def test_a_remote_manifest_gets_nothing_else(image: str) -> None:
    assert "secret" not in denied(policy(REMOTE), image)


def test_local_files_for_a_remote_manifest_need_an_allowed_root(archive: Path) -> None:
    rules = policy(REMOTE, roots=(archive,))
    assert rules.resolve(f"{archive}/inside.png") == f"{archive}/images/a#1 ?.png"
    denied(rules, f"{archive}/link.png")


WEB = "https://Iiif.Example.org/books/m.csv?sig=s3cret"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a#1 ?.png", "https://Iiif.Example.org/books/a%231%20%3F.png"),
        ("p%201.png", "https://Iiif.Example.org/books/p%201.png"),
        (
            "https://iiif.example.org:443/x/full/0/default.jpg",
            "https://iiif.example.org:443/x/full/0/default.jpg",
        ),
    ],
)
def test_the_manifests_web_host(image: str, expected: str) -> None:
    assert policy(WEB).resolve(image) == expected


@pytest.mark.parametrize(
    "image",
    [
        "http://iiif.example.org/x.jpg",
        "https://iiif.example.org:8443/x.jpg",
        "https://iiif.example.org.evil.net/x.jpg",
        "https://iiif.example.org@evil.net/x.jpg",
        "https://evil.net\\@iiif.example.org/x.jpg",
        "https://evil.net#@iiif.example.org/x.jpg",
        "https://iiif.example.org:99999/x.jpg",
        "https://iiif.example.org/../x.jpg",
        "https://iiif.example.org/a/%2e%2e/x.jpg",
        "https://iiif.example.org/a%2f..%2fx.jpg",
        "https://iiif.example.org/a/..%5cx.jpg",
        "https://iiif.example.org/a/..;/x.jpg",
        "https://iiif.éxample.org/x.jpg",
        "../../x.jpg",
        "..\\x.jpg",
        "%2e%2e/x.jpg",
    ],
)
def test_other_readings_of_a_web_address(image: str) -> None:
    denied(policy(WEB), image)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:a9fe:a9fe]", "2852039166", "0xA9FEA9FE", "0.0.0.0"]
)
def test_link_local_addresses_are_refused_even_when_allowed(host: str) -> None:
    denied(policy(WEB, urls=(f"http://{host}/",)), f"http://{host}/latest/meta-data/")


def test_an_allowed_prefix_ends_at_a_folder() -> None:
    rules = policy(REMOTE, urls=("s3://scans/2024/", "https://Host.example/iiif"))
    assert rules.resolve("s3://scans/2024/a.png") == "s3://scans/2024/a.png"
    assert rules.resolve("https://host.example/iiif/a.png") == "https://host.example/iiif/a.png"
    for image in ("s3://scans/2024-secret/a.png", "s3://scans/a.png", "https://host.example/iiif2/a.png"):
        denied(rules, image)


@pytest.mark.parametrize(
    "url", ["/mnt/scans", "file:///mnt", "ftp://host/", "https://u:p@host/", "https://h:x/"]
)
def test_an_allowed_prefix_must_be_one(url: str) -> None:
    with pytest.raises(ConfigError):
        policy(REMOTE, urls=(url,))


def test_a_sentence_is_short_whatever_the_cell() -> None:
    assert len(denied(policy(REMOTE), "/" + "x" * 10_000_000)) < 500


def test_a_policy_travels(archive: Path) -> None:
    rules = policy(f"{archive}/m.csv", urls=("s3://b",))
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert rules.roots == (os.path.realpath(archive),)
