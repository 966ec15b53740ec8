"""Parquet manifests, with images beside them and inside them."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwr_batch.errors import ManifestError, Status
from hwr_batch.manifest import open_manifest
from hwr_batch.plan import cut_shards

from .memory_store import MemoryStore, all_shards, scanned

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGE_BYTES = 20_000


def packed(columns: dict[str, Any], **options: Any) -> bytes:
    out = BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def store_of(data: bytes) -> MemoryStore:
    return MemoryStore(m__parquet=data)


def paths(count: int) -> list[str]:
    return [f"{i}.png" for i in range(count)]


def embedded(count: int, *, path: bool = True) -> pa.Array:
    """Incompressible images, so that reading them shows."""
    images = [hashlib.shake_128(b"%d" % i).digest(IMAGE_BYTES) for i in range(count)]
    rows = [{"bytes": data, "path": f"{i}.png" if path else None} for i, data in enumerate(images)]
    return pa.array(rows, STRUCT)


def test_rows_types_and_digest():
    columns = {
        "image": paths(1000),
        "line_id": pa.array(range(1000), pa.int64()),
        "x": pa.array([None, *range(999)], pa.int32()),
        "y": pa.array([None] + [0.0] * 999),
        "width": pa.array([None] + [5] * 999, pa.int16()),
        "height": pa.array([None] + [6] * 999, pa.uint8()),
        "text": [f"words {i}" for i in range(1000)],
        "tags": [[i] for i in range(1000)],
        "kind": pa.array(["a", "b"] * 500).dictionary_encode(),
    }
    data = packed(columns, row_group_size=170)
    manifest = open_manifest("m.parquet", store_of(data))
    scan = scanned(manifest)
    assert (scan.rows, scan.digest) == (1000, hashlib.sha256(data).hexdigest())
    assert [row for row, _ in scan.marks] == list(range(1000)) and scan.marks[3] == (3, None)
    shards = all_shards(manifest, 64)
    rows = [row for shard in shards for row in shard.rows]
    assert [(row.number, row.line_id, row.image) for row in rows] == [
        (i, str(i), f"{i}.png") for i in range(1000)
    ]
    assert rows[0].box is None and rows[8].box is not None
    assert (rows[8].box.x, rows[8].box.y, rows[8].box.width, rows[8].box.height) == (7, 0, 5, 6)
    carried = pa.concat_tables([shard.carried for shard in shards], promote_options="default")
    assert carried.schema.names == ["x", "y", "width", "height", "reference_text", "tags", "kind"]
    assert carried.column("tags").to_pylist() == columns["tags"]
    assert carried.schema.field("x").type == pa.int32() and carried.column("x")[0].as_py() is None
    assert carried.column("kind").to_pylist() == ["a", "b"] * 500


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_paths_of_every_text_type(kind):
    data = packed({"image": pa.array(["a.png", None, "c.png"]).cast(kind), "page": [1, 2, 3]})
    rows = all_shards(open_manifest("m.parquet", store_of(data)), 3)[0].rows
    assert [row.line_id for row in rows] == ["a.png#page=1", "#row=2#page=2", "c.png#page=3"]
    assert rows[1].problem is not None and rows[1].problem.status is Status.IMAGE_MISSING


def test_a_scan_never_loads_embedded_images():
    data = packed({"image": embedded(200), "text": paths(200)}, row_group_size=50)
    store = store_of(data)
    manifest = open_manifest("m.parquet", store)
    scan = scanned(manifest)
    assert scan.rows == 200 and scan.carried.names == ["reference_text"]
    assert store.bytes_read < IMAGE_BYTES * 20 and len(data) > IMAGE_BYTES * 200


def test_embedded_images_come_with_their_rows():
    images = embedded(200)
    data = packed({"image": images, "n": list(range(200))}, row_group_size=50)
    manifest = open_manifest("m.parquet", store_of(data))
    shards = all_shards(manifest, 30)
    rows = [row for shard in shards for row in shard.rows]
    assert [row.embedded for row in rows] == [image["bytes"] for image in images.to_pylist()]
    assert rows[17].image == rows[17].line_id == "17.png"


def test_only_the_row_groups_of_a_shard_are_read():
    data = packed({"image": embedded(200)}, row_group_size=50)
    store = store_of(data)
    manifest = open_manifest("m.parquet", store)
    spec = cut_shards(scanned(manifest, 50).marks, 200, 50)[2]
    before = store.bytes_read
    rows = manifest.read(spec).rows
    assert [row.image for row in rows] == [f"{i}.png" for i in range(100, 150)]
    assert store.bytes_read - before < IMAGE_BYTES * 50 * 1.5 + (2 << 20)


def test_shards_in_any_order():
    data = packed({"image": paths(500)}, row_group_size=70)
    manifest = open_manifest("m.parquet", store_of(data))
    specs = list(cut_shards(scanned(manifest, 20).marks, 500, 20))
    for index in (3, 4, 20, 1, 0, 24, 7, 8, 10):
        spec = specs[index]
        expected = list(range(spec.first_row, spec.first_row + spec.rows))
        assert [row.number for row in manifest.read(spec).rows] == expected
        assert manifest.read(spec).rows[0].image == f"{spec.first_row}.png"
    manifest.close()


def test_images_without_paths_are_named_by_their_place():
    binary = embedded(3, path=False).field("bytes")
    for column in (binary, embedded(3, path=False)):
        manifest = open_manifest("m.parquet", store_of(packed({"image": column})))
        rows = all_shards(manifest, 3)[0].rows
        assert [row.image for row in rows] == ["#row=1", "#row=2", "#row=3"]
        assert rows[2].embedded == binary[2].as_py() and rows[2].problem is None


def test_a_path_stands_in_for_missing_bytes():
    column = pa.array([{"bytes": None, "path": "a.png"}, {"bytes": b"x", "path": None}, None], STRUCT)
    rows = all_shards(open_manifest("m.parquet", store_of(packed({"image": column}))), 3)[0].rows
    assert [(row.image, row.embedded) for row in rows] == [("a.png", None), ("#row=2", b"x"), ("", None)]
    assert rows[2].problem is not None and rows[2].problem.status is Status.IMAGE_MISSING


def test_the_digest_of_embedded_images_sees_everything_else():
    def digest(images: pa.Array, texts: list[str]) -> str:
        return scanned(open_manifest("m.parquet", store_of(packed({"image": images, "text": texts})))).digest

    images = embedded(20)
    longer = pa.array([{"bytes": b"x" * 10, "path": "0.png"}, *images.to_pylist()[1:]], STRUCT)
    renamed = pa.array([{**image, "path": "z" + image["path"]} for image in images.to_pylist()], STRUCT)
    same = digest(images, paths(20))
    assert same == digest(images, paths(20))
    assert (
        len({same, digest(images, paths(20)[::-1]), digest(longer, paths(20)), digest(renamed, paths(20))})
        == 4
    )


def test_limits_and_duplicates():
    manifest = open_manifest("m.parquet", store_of(packed({"image": ["a", "b", "c", "b"]})))
    assert scanned(manifest, 1, 3).rows == 3
    with pytest.raises(ManifestError, match=r"m\.parquet: rows 2 and 4 are both line 'b'"):
        scanned(manifest)


BROKEN = [
    (b"not parquet", "cannot be read as Parquet"),
    (packed({"path": ["a"]}), "no column is named `image` (found: path)"),
    (packed({"image": [1]}), "the column `image` is int64; make it string, binary or struct"),
    (packed({"image": pa.array([], pa.string())}), "has no row"),
    (
        packed({"image": ["a"], "note": ["x" * 10_000_001]}),
        "a cell of the column 'note' holds more than 10 MB",
    ),
    (packed({"image": ["x" * 10_000_001]}), "a cell of the column 'image' holds more than 10 MB"),
    (packed({"image": pa.array([b"\xff\xfe"]).cast(pa.string(), safe=False)}), "cannot be read as Parquet"),
]


@pytest.mark.parametrize(("data", "sentence"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file(data, sentence):
    with pytest.raises(ManifestError) as caught:
        all_shards(open_manifest("m.parquet", store_of(data)))
    assert sentence in str(caught.value)


def test_damage_within_the_file():
    data = bytearray(packed({"image": paths(5000)}, compression="zstd"))
    data[200:4000] = bytes(3800)
    with pytest.raises(ManifestError, match="cannot be read as Parquet"):
        scanned(open_manifest("m.parquet", store_of(bytes(data))))


def test_a_fault_of_the_store_is_not_the_manifests():
    class GoneError(Exception):
        pass

    class Failing(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() < 1000:
                raise GoneError
            return super().read(size)

    class FailingStore:
        def open(self, uri: str) -> Any:
            return Failing(data)

    data = packed({"image": paths(5000), "line_id": paths(5000)})
    with pytest.raises(GoneError):
        scanned(open_manifest("m.parquet", FailingStore()))
