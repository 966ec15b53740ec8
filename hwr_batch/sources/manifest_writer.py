"""Lines → a Parquet manifest, in row groups as they come, published in one piece at the end.

Columns beyond those that every manifest knows: `page_id`, `region_id`, `xml_line_id`, `reading_order`,
`baseline`, `source_xml`, `page_width`, `page_height`. Where line images are cut out and embedded, `x` …
`polygon` are empty, as nothing is left to cut, and `source_x` … `source_polygon` say from where on the page
named by `image.path` the line comes: add `source_x` to a character's span to get page pixels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hwr_batch.errors import ManifestError
from hwr_batch.plan import auto_shard_lines
from hwr_batch.sources.found import FoundLine, Points
from hwr_batch.storage import Store, parent
from hwr_batch.unique import IdHashes, duplicates

PLAIN_GROUP = 1 << 14  # rows; a hundred bytes each
LARGEST_GROUP = 1 << 27  # bytes of embedded images; as much is held in memory while they come
_LAYOUT = (
    *("page_id", "region_id", "xml_line_id", "reading_order", "baseline", "source_xml"),
    *("page_width", "page_height"),
)
_REGION = ("page", "x", "y", "width", "height", "polygon")
_TYPES = {
    **dict.fromkeys(
        ("page", "x", "y", "width", "height", "reading_order", "page_width", "page_height"), pa.int32()
    ),
    **dict.fromkeys(("polygon", "text", "page_id", "region_id", "xml_line_id", "baseline"), pa.string()),
    "source_xml": pa.string(),
}
EMBEDDED_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns a manifest has: `embedded` images, `layout` of pages (regions, ids, texts)."""

    embedded: bool
    layout: bool

    def schema(self) -> pa.Schema:
        names = [*_REGION, "text", *_LAYOUT] if self.layout else ["page", "page_id"]
        if self.embedded:
            names += [f"source_{name}" for name in (_REGION if self.layout else ("page",))]
        image = pa.field("image", EMBEDDED_IMAGE if self.embedded else pa.string(), nullable=False)
        line_id = pa.field("line_id", pa.string(), nullable=False)
        types = {name: _TYPES.get(name) or _TYPES[name.removeprefix("source_")] for name in names}
        return pa.schema([image, line_id, *types.items()])


class ManifestWriter:
    """Use in a `with`; nothing is at `uri` before `finish`.

    Row groups of a manifest with images grow as `plan.auto_shard_lines` does, so that each shard of a plan
    is whole row groups, which lie together in the file.
    """

    def __init__(self, uri: str, store: Store, shape: Shape) -> None:
        self.rows = 0
        self._uri = uri
        self._store = store
        self._shape = shape
        self._schema = shape.schema()
        self._base = parent(uri)
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._hashes = IdHashes()

    def __enter__(self) -> ManifestWriter:
        self._folder = tempfile.TemporaryDirectory(prefix="hwr-batch-manifest-")
        self._path = Path(self._folder.name) / "manifest.parquet"
        self._file = pq.ParquetWriter(
            self._path, self._schema, compression="zstd", use_dictionary=_repeated(self._schema)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._hashes.__exit__(kind, error, trace)
        self._folder.cleanup()

    def add(self, line: FoundLine) -> None:
        self._waiting.append(self._cells(line))
        self._bytes += len(line.embedded or b"")
        self.rows += 1
        if len(self._waiting) >= self._group_rows() or self._bytes >= LARGEST_GROUP:
            self._flush()

    def finish(self) -> None:
        """Check that no id stands twice, and publish the file. Raises ManifestError, StorageError."""
        self._flush()
        self._file.close()
        for suspects in self._hashes.suspects():
            found = next(duplicates(self._written_ids(), suspects), None)
            if found is not None:
                raise ManifestError(
                    f"the sources name the line {found[0][:200]!r} twice; name each file or folder once"
                )
        self._store.put_file(self._uri, self._path)

    def _group_rows(self) -> int:
        return auto_shard_lines(self.rows) if self._shape.embedded else PLAIN_GROUP

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._hashes.add([cells["line_id"] for cells in self._waiting])
        table = pa.Table.from_pylist(self._waiting, self._schema)
        self._file.write_table(table, row_group_size=len(self._waiting))
        self._waiting, self._bytes = [], 0

    def _written_ids(self) -> Iterator[tuple[str, int]]:
        row = 0
        with pq.ParquetFile(self._path) as written:
            for batch in written.iter_batches(columns=["line_id"]):
                yield from ((line_id, row + i) for i, line_id in enumerate(batch.column(0).to_pylist()))
                row += batch.num_rows

    def _cells(self, line: FoundLine) -> dict[str, Any]:
        """`line` as cells; of a line that was cut out the region is told as its source."""
        where = "source_" if line.cropped else ""
        region = {f"{where}page": line.page, f"{where}polygon": points_text(line.polygon)}
        if line.box is not None:
            for name in ("x", "y", "width", "height"):
                region[f"{where}{name}"] = getattr(line.box, name)
        path = relative(line.image, self._base)
        return {
            "image": {"bytes": line.embedded, "path": path} if self._shape.embedded else path,
            "line_id": line.line_id,
            **region,
            "text": line.text,
            "page_id": line.page_id,
            "region_id": line.region_id,
            "xml_line_id": line.xml_line_id,
            "reading_order": line.reading_order,
            "baseline": points_text(line.baseline),
            "page_width": None if line.page_size is None else line.page_size[0],
            "page_height": None if line.page_size is None else line.page_size[1],
            "source_xml": None if line.source_xml is None else relative(line.source_xml, self._base),
        }


def relative(uri: str, base: str) -> str:
    """A name as the manifest in the folder `base` writes it: below the folder relative to it, else whole."""
    top = base.rstrip("/") + "/"
    name = uri[len(top) :] if uri.startswith(top) else uri
    # A relative name must not look like an absolute one, nor like a URI.
    return (
        uri
        if not name or name.startswith("/") or "://" in name or name.lower().startswith("file:/")
        else name
    )


def points_text(points: Points | None) -> str | None:
    """`x1,y1 x2,y2`, whole numbers without a fraction."""
    return None if points is None else " ".join(f"{_plain(x)},{_plain(y)}" for x, y in points)


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.2f}".rstrip("0").rstrip(".")


def _repeated(schema: pa.Schema) -> Collection[str]:
    """Columns whose values repeat from row to row."""
    names = [*schema.names, "image.path"]
    return [name for name in names if name in ("image", "image.path", "page_id", "region_id", "source_xml")]
