"""Files put without holding them, members fetched from servers that send too much, offsets beyond files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwr_batch.errors import StorageError
from hwr_batch.storage import Store, join

from .web import Reply, Web


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_file_is_put_whole(place: str, store: Store, tmp_path: Path, size: int) -> None:
    path = tmp_path / "made"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    store.put_file(join(place, "a/b.bin"), path)
    assert store.read(join(place, "a/b.bin")) == path.read_bytes()
    assert [name for name, _ in store.list(join(place, "a"))] == ["b.bin"]


def test_a_large_file_goes_to_s3_in_parts(
    s3: object, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwr_batch.storage.s3._IN_MEMORY", 1000)
    path = tmp_path / "made"
    path.write_bytes(b"0123456789" * 1000)
    store.put_file("s3://bucket/parts/b.bin", path)
    assert store.read("s3://bucket/parts/b.bin") == path.read_bytes()


def test_a_put_that_is_refused_is_a_storage_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError, match="cannot write"):
        store.put_file(str(tmp_path / "file" / "below"), tmp_path / "made")


def test_a_server_that_ignores_ranges_is_not_read_to_its_end(web: Web, store: Store) -> None:
    body = bytes(range(256)) * 400_000  # 100 MB
    web.replies["/a.tar"] = [Reply(body, ranges=False)]
    assert store.read_range(f"{web.url}/a.tar", 256, 266) == bytes(range(10))
    assert web.sent < len(body)


def test_a_range_beyond_any_file_is_empty(place: str, store: Store) -> None:
    store.put(join(place, "a.bin"), b"0123456789")
    assert store.read_range(join(place, "a.bin"), 10**18 - 10, 10**18) == b""
    assert store.read_range(join(place, "a.bin"), 8, 10**17) == b"89"
