"""CSV and TSV: where records end, and what is said of those that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.errors import ManifestError
from hwr_batch.manifest import open_manifest
from hwr_batch.manifest import stream as streams
from hwr_batch.manifest import text as texts
from hwr_batch.plan import cut_shards

from .memory_store import MemoryStore, all_shards, scanned

CELL = st.text(st.sampled_from('ab",\n\r\t é𝄞'), max_size=6)


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> bytes:
    """As RFC 4180 has it: a cell is quoted where it must be (Python's csv forgets a lone return)."""

    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if set(cell) & {delimiter, '"', "\r", "\n"} else cell

    return "".join(delimiter.join(map(quoted, row)) + end for row in rows).encode()


def images(data: bytes, name: str = "m.csv", shard_lines: int = 1) -> list[str]:
    shards = all_shards(open_manifest(name, MemoryStore(**{name.replace(".", "__"): data})), shard_lines)
    return [row.image for shard in shards for row in shard.rows]


FILES = [
    (b"image\na.png\nb.png\n", ["a.png", "b.png"]),
    (b"image\na.png\nb.png", ["a.png", "b.png"]),
    (b"image\r\na.png\r\nb.png\r\n", ["a.png", "b.png"]),
    (b"\xef\xbb\xbfimage\na.png\n", ["a.png"]),
    (b'\xef\xbb\xbf"image"\r\na.png\r\n', ["a.png"]),
    (b"image\n\na.png\n\r\n\nb.png\n\n", ["a.png", "b.png"]),
    (b"\n\nimage\na.png\n", ["a.png"]),
    (b" image , text\na.png,x\n", ["a.png"]),
    (b'"image",t\n"a\n,""b"".png",x\nc.png,"\n\n"\n', ['a\n,"b".png', "c.png"]),
    (b'image,t\na"b.png,x\n', ['a"b.png']),  # a quote within an unquoted cell is a quote
]


@pytest.mark.parametrize(("data", "expected"), FILES)
def test_known_files(data, expected):
    assert images(data) == expected


@pytest.mark.parametrize(("data", "expected"), FILES)
def test_known_files_cut_into_chunks_of_one_byte(data, expected, monkeypatch):
    monkeypatch.setattr(texts, "SCAN_CHUNK", 1)
    monkeypatch.setattr(texts, "READ_CHUNK", 1)
    assert images(data) == expected


SEMICOLONS = [
    b"image;text\na.png;one, two\nb.png;\n",
    b'\xef\xbb\xbf"image";"text"\r\n"a.png";"x;y"\r\n"b.png";""\r\n',
]


@pytest.mark.parametrize("data", SEMICOLONS)
def test_a_csv_with_semicolons_is_read_as_spreadsheets_write_it(data):
    assert images(data) == ["a.png", "b.png"]


def test_a_semicolon_beside_commas_is_part_of_a_name():
    assert images(b"image,a;b\nx;y.png,1\n") == ["x;y.png"]
    assert images(b"image\nx;y.png\n") == ["x;y.png"]


def test_tabs():
    assert images(b'text\timage\n"a\tb"\ta,1.png\n', "m.tsv") == ["a,1.png"]


@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=30),
    delimiter=st.sampled_from([",", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 60),
    shard_lines=st.integers(1, 8),
)
def test_shards_by_offset_are_the_rows_of_one_read(rows, delimiter, end, chunk, shard_lines):
    content = [[f"{number}{a}", b] for number, (a, b) in enumerate(rows)]
    data = written([["image", "note"], *content], delimiter, end)
    name = "m.csv" if delimiter == "," else "m.tsv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "SCAN_CHUNK", chunk)
        patch.setattr(texts, "READ_CHUNK", chunk)
        manifest = open_manifest(name, MemoryStore(**{name.replace(".", "__"): data}))
        shards = all_shards(manifest, shard_lines)
        scan = scanned(manifest, shard_lines)
        backwards = [manifest.read(spec) for spec in reversed(_specs(scan, shard_lines))]
    read = [
        [row.image, note] for shard in shards for row, note in zip(shard.rows, _notes(shard), strict=True)
    ]
    assert read == content
    assert [row.number for shard in shards for row in shard.rows] == list(range(len(content)))
    assert [shard.rows for shard in backwards[::-1]] == [shard.rows for shard in shards]


def _specs(scan, shard_lines):
    return list(cut_shards(scan.marks, scan.rows, shard_lines))


def _notes(shard):
    return shard.carried.column("note").to_pylist()


BROKEN = [
    (b"", "is empty; begin it with a header"),
    (b"\n\n", "is empty; begin it with a header"),
    (b"image\n", "has no row"),
    (b"path,text\na.png,x\n", "no column is named `image` (found: path, text)"),
    (b"image,text,text\na,b,c\n", "the header names 'text' twice"),
    (b"image,text\na.png,x\nb.png\n", "line 3: the row has 1 cells and the header 2"),
    (b"image,text\na.png,x,y\n", "line 2: the row has 3 cells and the header 2"),
    (b'image,text\n\na.png,"x\ny"\nb.png\n', "line 5: the row has 1 cells"),
    (b'image,text\na.png,x\nb.png,"open\nc.png,x\n', "line 3: a quote opens in this row and is never closed"),
    (b'image,text\na.png,"x" y\nb.png,z\n', "line 2: ',' expected after '\"'"),
    (b"image\na.png\rb.png\n", "line 2: a carriage return stands outside quotes"),
    (b"image\na.png\n\xff.png\n", "line 3: is not UTF-8"),
    ("image\na.png\n".encode("utf-16"), "line 1: is not UTF-8"),
    (b"image\na.png\nb.png\na.png\n", "rows 1 and 3 are both line 'a.png'"),
]


@pytest.mark.parametrize(("data", "sentence"), BROKEN)
def test_a_broken_file_is_named_with_its_line(data, sentence):
    with pytest.raises(ManifestError) as caught:
        images(data)
    assert sentence in str(caught.value) and str(caught.value).startswith("m.csv")


def test_a_cell_of_any_size_is_refused_without_reading_it_all():
    store = MemoryStore(m__csv=b'image\na.png\n"' + b"x" * 100_000_000)
    with pytest.raises(ManifestError, match=r"line 3.*(goes on for more|a cell holds more)"):
        open_manifest("m.csv", store).scan(32, None, None)
    assert store.bytes_read < 60_000_000


def test_a_long_quoted_cell_of_many_lines():
    data = b'image,text\na.png,"' + b"line\n" * 1_000_000 + b'"\nb.png,x\n'
    assert images(data) == ["a.png", "b.png"]


def test_a_cell_over_the_limit_in_a_row_that_ends():
    data = b"image,text\na.png," + b"x" * 10_000_001 + b"\nb.png,y\n"
    with pytest.raises(ManifestError, match=r"line 2.*a cell holds more than 10 MB"):
        images(data)


def test_a_cell_longer_than_the_csv_module_would_take():
    row = all_shards(open_manifest("m.csv", MemoryStore(m__csv=b"image,text\na," + b"x" * 1_000_000)))[0]
    assert len(row.carried.column("reference_text")[0].as_py()) == 1_000_000


def test_carried_cells_stay_strings():
    table = all_shards(open_manifest("m.csv", MemoryStore(m__csv=b"image,x,note\na.png,,007\n")))[0].carried
    assert table.to_pylist() == [{"x": "", "note": "007"}]


def test_scan_chunk_is_what_the_stream_says():
    assert texts.SCAN_CHUNK == streams.SCAN_CHUNK
