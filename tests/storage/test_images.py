"""What is wrong with an image becomes a status; what is wrong with the store does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import Fault, FaultyProxy

from hwr_batch.config import AccessOptions, Limits
from hwr_batch.errors import LineError, Status, StorageError
from hwr_batch.storage import AccessPolicy, ImageSource, Store, join

from .web import Reply, Web


def source(
    store: Store, manifest: str, *, image_bytes: int = 1000, urls: tuple[str, ...] = ()
) -> ImageSource:
    rules = AccessPolicy.for_manifest(manifest, AccessOptions(allow_urls=urls))
    return ImageSource(store, rules, Limits(image_bytes=image_bytes))


def failure(images: ImageSource, image: str) -> tuple[Status, str]:
    with pytest.raises(LineError) as caught:
        images.fetch(image)
    return caught.value.status, caught.value.sentence


def test_images_beside_the_manifest(store: Store, place: str) -> None:
    store.put(join(place, "images/a#1 ?.png"), b"pixels")
    store.put(join(place, "empty.png"), b"")
    images = source(store, join(place, "m.csv"), image_bytes=6)
    assert images.fetch("images/a#1 ?.png") == b"pixels"
    assert failure(images, "no.png") == (Status.IMAGE_MISSING, "no.png does not exist")
    assert failure(images, "empty.png") == (Status.IMAGE_UNREADABLE, "empty.png is empty")
    assert failure(images, "ftp://host/x")[0] is Status.ACCESS_DENIED
    store.put(join(place, "images/a#1 ?.png"), b"pixels!")
    status, sentence = failure(images, "images/a#1 ?.png")
    assert status is Status.IMAGE_TOO_LARGE
    assert "7 bytes" in sentence


def test_local_things_that_are_no_image(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    images = source(store, f"{tmp_path}/m.csv")
    assert failure(images, "folder")[0] is Status.IMAGE_UNREADABLE
    assert failure(images, "file/x.png")[0] is Status.IMAGE_MISSING
    assert failure(images, "x" * 1000)[0] is Status.IMAGE_MISSING
    assert failure(images, "../x.png")[0] is Status.ACCESS_DENIED


def test_a_sparse_file_over_the_limit_is_not_read(store: Store, tmp_path: Path) -> None:
    with (tmp_path / "bomb.png").open("wb") as file:
        file.truncate(1 << 40)
    assert failure(source(store, f"{tmp_path}/m.csv"), "bomb.png")[0] is Status.IMAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(status=403), Status.ACCESS_DENIED),
        (Reply(status=302, headers={"Location": "http://169.254.169.254/"}), Status.ACCESS_DENIED),
        (Reply(status=404), Status.IMAGE_MISSING),
        (Reply(), Status.IMAGE_UNREADABLE),
        (Reply(bytes(2000), declare=False), Status.IMAGE_TOO_LARGE),
    ],
)
def test_images_on_the_web(store: Store, web: Web, tmp_path: Path, reply: Reply, status: Status) -> None:
    web.replies["/x.png"] = [reply]
    images = source(store, f"{tmp_path}/m.csv", urls=(web.url,))
    found, sentence = failure(images, f"{web.url}/x.png?sig=s3cret")
    assert found is status
    assert "s3cret" not in sentence


def test_a_store_without_an_answer_is_no_bad_line(s3_proxy: FaultyProxy, store: Store) -> None:
    s3_proxy.inject(Fault("status", 99))
    with pytest.raises(StorageError, match="run again to resume"):
        source(store, "s3://bucket/m.csv").fetch("x.png")
