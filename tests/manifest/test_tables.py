"""Which file is which table, JSON Lines, plain lines."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from hwr_batch.errors import ManifestError
from hwr_batch.manifest import open_manifest, schema_from_text, schema_to_text
from hwr_batch.records import ShardSpec
from hwr_batch.storage import Store

from .memory_store import MemoryStore, all_shards, scanned


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.txt", "m.parquet", "m.tsv.gz"])
def test_a_missing_file(name):
    with pytest.raises(ManifestError, match=r"m\..*: no such file; check the manifest's path"):
        open_manifest(name, MemoryStore())


def test_a_folder_and_a_missing_file_of_the_real_store(tmp_path: Path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="is a folder"):
        open_manifest(str(tmp_path / "folder.csv"), Store())
    with pytest.raises(ManifestError, match="no such file"):
        open_manifest(str(tmp_path / "none.csv"), Store())


@pytest.mark.parametrize("name", ["m.xlsx", "m", "m.csv.bz2", "csv", "m.gz"])
def test_an_unknown_ending(name):
    with pytest.raises(ManifestError, match=r"is no manifest by its name; use \.csv, \.tsv"):
        open_manifest(name, MemoryStore())


def test_compressed_parquet_is_refused():
    with pytest.raises(ManifestError, match="Parquet compresses its own columns"):
        open_manifest("m.parquet.gz", MemoryStore())


def test_a_web_address_is_known_by_its_path_and_its_query_stays_unsaid():
    uri = "https://host/M.CSV?signature=hush"
    store = MemoryStore()
    store.files[uri] = b"image\na.png\n"
    assert scanned(open_manifest(uri, store)).rows == 1
    with pytest.raises(ManifestError) as caught:
        open_manifest(uri.replace("CSV", "TSV"), store)
    assert "hush" not in str(caught.value)


def test_plain_lines_number_images_not_lines():
    data = b"\xef\xbb\xbfa b.png\r\n\r\n   \nsub/c.png\n\n d.png"
    shards = all_shards(open_manifest("m.txt", MemoryStore(m__txt=data)))
    rows = [row for shard in shards for row in shard.rows]
    assert [(row.number, row.image) for row in rows] == [(0, "a b.png"), (1, "sub/c.png"), (2, " d.png")]
    assert shards[0].carried.num_columns == 0


JSONL = b"""{"image": "a.png", "n": 1, "f": 1, "b": true, "text": "\\u00e9", "mixed": 1, "deep": {"k": [1]}}

{"image": "b.png", "n": null, "f": 2.5, "late": "x", "mixed": "1", "big": 9007199254740993}
{"line_id": "third", "x": 1, "y": "2", "width": 3.0, "height": 4, "image": "c.png", "big": 0.5}
"""
TYPES = {
    "n": pa.int64(),
    "f": pa.float64(),
    "b": pa.bool_(),
    "reference_text": pa.string(),
    "mixed": pa.string(),
    "deep": pa.string(),
    "late": pa.string(),
    "big": pa.string(),
}


def test_json_lines_columns_have_one_type():
    manifest = open_manifest("m.jsonl", MemoryStore(m__jsonl=JSONL))
    shards = all_shards(manifest)
    carried = pa.concat_tables(shard.carried for shard in shards)
    assert {name: carried.schema.field(name).type for name in TYPES} == TYPES
    columns = carried.to_pydict()
    assert columns["mixed"] == ["1", '"1"', None]
    assert columns["deep"] == ['{"k": [1]}', None, None]
    assert columns["big"] == [None, "9007199254740993", "0.5"]
    assert columns["f"] == [1.0, 2.5, None]
    assert columns["reference_text"] == ["é", None, None]
    assert [row.line_id for shard in shards for row in shard.rows] == ["a.png", "b.png", "third"]
    box = shards[2].rows[0].box
    assert box is not None and (box.x, box.y, box.width, box.height) == (1, 2, 3, 4)


def test_a_worker_reads_json_lines_with_the_plans_schema():
    store = MemoryStore(m__jsonl=JSONL)
    planner = open_manifest("m.jsonl", store)
    shards = all_shards(planner)
    carried = schema_from_text(schema_to_text(scanned(planner).carried))
    worker = open_manifest("m.jsonl", store, carried=carried)
    last = shards[2].rows[0]
    again = worker.read(ShardSpec(2, last.number, 1))
    assert again.rows == shards[2].rows and again.carried.equals(shards[2].carried)
    with pytest.raises(ValueError, match="carried schema"):
        open_manifest("m.jsonl", store).read(ShardSpec(0, 0, 1))


def test_types_beyond_the_limit_do_not_count():
    manifest = open_manifest("m.jsonl", MemoryStore(m__jsonl=b'{"image":"a","v":1}\n{"image":"b","v":"x"}\n'))
    assert scanned(manifest, 1, 1).carried.field("v").type == pa.int64()
    assert scanned(manifest, 1).carried.field("v").type == pa.string()


BROKEN = [
    (b'{"image": "a"}\n{"image": \n', "line 2: is not JSON"),
    (b'{"image": "a"}\n["b"]\n', "line 2: is not a JSON object"),
    (b'{"image": "a", "v": NaN}\n', "line 1: holds a value that is not plain JSON"),
    (b'{"image": "a", "v": ' + b"9" * 5000 + b"}\n", "line 1: holds a value that is not plain JSON"),
    (b'{"image": "a", "v": ' + b"[" * 200_000 + b"\n", "line 1: holds a value that is not plain JSON"),
    (b'{"image": "a\\ud800"}\n', "line 1: holds half a \\u escape pair"),
    (b'{"path": "a"}\n', "no column is named `image` (found: path)"),
    (b"\n\n", "has no row"),
    (b'{"image": "' + b"x" * 10_000_001 + b'"}\n', "line 1: a cell holds more than 10 MB"),
    (b'{"image": "a"}\n{"image": "\xff"}\n', "line 2: is not UTF-8"),
]


@pytest.mark.parametrize(("data", "sentence"), BROKEN, ids=range(len(BROKEN)))
def test_broken_json_lines(data, sentence):
    with pytest.raises(ManifestError) as caught:
        all_shards(open_manifest("m.jsonl", MemoryStore(m__jsonl=data)))
    assert sentence in str(caught.value)


def test_a_whole_surrogate_pair_is_one_character():
    data = b'{"image": "a.png", "text": "\\ud834\\udd1e"}\n'
    carried = all_shards(open_manifest("m.jsonl", MemoryStore(m__jsonl=data)))[0].carried
    assert carried.to_pylist() == [{"reference_text": "𝄞"}]


def test_a_row_without_image_among_others_is_a_failed_row():
    data = b'{"image": "a"}\n{"text": "no image"}\n{"text": "none either"}\n'
    rows = [
        row
        for shard in all_shards(open_manifest("m.jsonl", MemoryStore(m__jsonl=data)))
        for row in shard.rows
    ]
    assert [row.problem is None for row in rows] == [True, False, False]
