"""What all text manifests share: marks, limits, digests, compression, the cursor."""

from __future__ import annotations

import gzip
import hashlib
from io import BytesIO
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.errors import ManifestError
from hwr_batch.manifest import open_manifest
from hwr_batch.plan import cut_shards
from hwr_batch.records import ShardSpec

from .memory_store import MemoryStore, all_shards, scanned

ROWS = 5000
CSV = b"image,text\n" + b"".join(b"%d.png,words %d\n" % (i, i) for i in range(ROWS))
GZIP = gzip.compress(CSV[:1000]) + gzip.compress(CSV[1000:])
ZSTD = zstandard.compress(CSV[:1000]) + zstandard.compress(CSV[1000:])
PACKED = [("m.csv.gz", GZIP), ("m.csv.zst", ZSTD)]


def store_of(name: str, data: bytes) -> MemoryStore:
    return MemoryStore(**{name.replace(".", "__"): data})


@pytest.mark.parametrize(("name", "data"), [("m.csv", CSV), *PACKED])
def test_rows_and_digest(name, data):
    store = store_of(name, data)
    manifest = open_manifest(name, store)
    told: list[int] = []
    scan = manifest.scan(32, None, told.append)
    assert scan.rows == ROWS == told[-1] and told == sorted(told)
    assert scan.digest == hashlib.sha256(data).hexdigest()
    assert [row for row, _ in scan.marks] == list(range(0, ROWS, 32))
    rows = [row for shard in all_shards(manifest, 300) for row in shard.rows]
    assert [row.image for row in rows] == [f"{i}.png" for i in range(ROWS)]


@pytest.mark.parametrize("limit", [1, 32, 33, ROWS, ROWS + 1])
def test_a_limit_ends_the_rows_but_not_the_digest(limit):
    scan = scanned(open_manifest("m.csv", store_of("m.csv", CSV)), None, limit)
    assert scan.rows == min(limit, ROWS) and scan.marks[-1][0] < limit
    assert scan.digest == hashlib.sha256(CSV).hexdigest()


def test_a_duplicate_beyond_the_limit_is_nobodys_business():
    manifest = open_manifest("m.txt", MemoryStore(m__txt=b"a\nb\na\n"))
    assert scanned(manifest, None, 2).rows == 2
    with pytest.raises(ManifestError, match="rows 1 and 3 are both line 'a'"):
        scanned(manifest)


def test_offsets_point_at_rows():
    scan = scanned(open_manifest("m.csv", store_of("m.csv", CSV)), 7)
    for row, offset in scan.marks:
        assert offset is not None and CSV[offset:].startswith(b"%d.png," % row)


@pytest.mark.parametrize(("name", "data"), PACKED)
def test_ascending_shards_read_a_compressed_file_once(name, data):
    store = store_of(name, data)
    manifest = open_manifest(name, store)
    specs = list(cut_shards(scanned(manifest, 100).marks, ROWS, 100))
    assert all(spec.offset is None for spec in specs)
    opened = store.opened
    for spec in specs[::3]:
        assert manifest.read(spec).rows[0].number == spec.first_row
    assert store.opened == opened + 1
    assert manifest.read(specs[1]).rows[0].image == "100.png"  # back again: from the beginning
    assert store.opened == opened + 2


def test_an_uncompressed_file_is_entered_at_the_offset():
    data = CSV + b"".join(b"more-%d.png,%s\n" % (i, b"x" * 1000) for i in range(3000))
    store = store_of("m.csv", data)
    manifest = open_manifest("m.csv", store)
    last = cut_shards(scanned(manifest, 100).marks, ROWS + 3000, 100)[-1]
    before = store.bytes_read
    assert manifest.read(last).rows[-1].image == "more-2999.png"
    assert store.bytes_read - before < 300_000


def test_a_shard_without_offset_is_found_by_counting():
    manifest = open_manifest("m.csv", store_of("m.csv", CSV))
    assert [row.image for row in manifest.read(ShardSpec(0, 4990, 2)).rows] == ["4990.png", "4991.png"]


def test_a_closed_manifest_opens_its_file_again():
    manifest = open_manifest("m.csv", store_of("m.csv", CSV))
    first = manifest.read(ShardSpec(0, 0, 10))
    manifest.close()
    manifest.close()
    assert manifest.read(ShardSpec(0, 0, 10)).rows == first.rows


def test_a_manifest_that_lost_rows_since_it_was_planned():
    manifest = open_manifest("m.csv", store_of("m.csv", CSV))
    with pytest.raises(ManifestError, match="fewer rows than when it was planned"):
        manifest.read(ShardSpec(0, 4990, 11))
    assert len(manifest.read(ShardSpec(0, 4990, 10)).rows) == 10


@pytest.mark.parametrize(("name", "data"), PACKED)
def test_a_truncated_or_damaged_file_is_refused(name, data):
    with pytest.raises(ManifestError, match="ends in the middle"):
        scanned(open_manifest(name, store_of(name, data[:-5])))
    with pytest.raises(ManifestError, match="compression is damaged"):
        scanned(open_manifest(name, store_of(name, data + b"garbage")))
    with pytest.raises(ManifestError, match="compression is damaged"):
        open_manifest(name, store_of(name, CSV))


def test_zero_padding_after_gzip_is_no_data():
    assert scanned(open_manifest("m.csv.gz", store_of("m.csv.gz", GZIP + bytes(512)))).rows == ROWS


def test_a_decompression_bomb_is_refused_at_the_row_limit():
    out = BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as packer:
        packer.write(b"image\n")
        for _ in range(200):
            packer.write(bytes(1 << 20))
    with pytest.raises(ManifestError, match="goes on for more than 40 MB"):
        scanned(open_manifest("m.csv.zst", store_of("m.csv.zst", out.getvalue())))


@given(
    runs=st.lists(st.integers(1, 30), min_size=1, max_size=30),
    every=st.integers(1, 6),
    shard_lines=st.integers(1, 12),
)
def test_one_images_rows_stay_together(runs, every, shard_lines):
    images = [image for image, run in enumerate(runs) for _ in range(run)]
    data = b"image,line_id\n" + b"".join(b"%d.png,%d\n" % (image, row) for row, image in enumerate(images))
    scan = open_manifest("m.csv", MemoryStore(m__csv=data)).scan(every, None, None)
    rows = [row for row, _ in scan.marks]
    assert rows[0] == 0 and all(b - a >= every for a, b in pairwise(rows))
    for row in rows[1:]:
        assert images[row] != images[row - 1] or runs[images[row]] > 4 * every
    shards = cut_shards(scan.marks, scan.rows, shard_lines)
    for spec in shards[1:]:
        if images[spec.first_row] == images[spec.first_row - 1]:
            assert runs[images[spec.first_row]] > 4 * shard_lines
    assert sum(spec.rows for spec in shards) == len(images)
