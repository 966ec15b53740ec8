"""Which file is which table, by the end of its name."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa

from hwr_batch.errors import ManifestError
from hwr_batch.manifest.contract import Manifest, ManifestStore
from hwr_batch.manifest.delimited import Delimited
from hwr_batch.manifest.jsonl import JsonLines
from hwr_batch.manifest.lines import PlainLines
from hwr_batch.manifest.parquet import ParquetManifest
from hwr_batch.manifest.stream import Codec
from hwr_batch.manifest.text import TextFormat, TextManifest
from hwr_batch.storage import redact

_TEXT_FORMATS: dict[str, TextFormat] = {
    ".csv": Delimited(","),
    ".tsv": Delimited("\t"),
    ".jsonl": JsonLines(),
    ".ndjson": JsonLines(),
    ".txt": PlainLines(),
}
_PARQUET = (".parquet", ".pq")


def open_manifest(uri: str, store: ManifestStore, *, carried: pa.Schema | None = None) -> Manifest:
    """The manifest at `uri`, its header or footer read and checked.

    `carried`: the carried columns as the plan has them; needed to `read` JSON Lines without a scan.
    Raises ManifestError where the file is missing, of no known kind, or has no `image` column.
    """
    name = _file_name(uri)
    if name.endswith(_PARQUET):
        return ParquetManifest(uri, store)
    codec = next((codec for codec in (Codec.GZIP, Codec.ZSTD) if name.endswith(codec.value)), Codec.PLAIN)
    name = name.removesuffix(codec.value)
    for ending, form in _TEXT_FORMATS.items():
        if name.endswith(ending):
            return TextManifest(uri, store, form, codec, carried=carried)
    if name.endswith(_PARQUET):
        raise ManifestError(f"{redact(uri)}: Parquet compresses its own columns; give it uncompressed")
    raise ManifestError(
        f"{redact(uri)}: is no manifest by its name; "
        f"use {', '.join(_TEXT_FORMATS)} (each also .gz or .zst) or .parquet, "
        "or make one of images, folders and layout files: hwr-batch manifest SOURCE -o lines.parquet"
    )


def _file_name(uri: str) -> str:
    """Lower case; of a web address without its query."""
    path = urlsplit(uri).path if uri.startswith(("http://", "https://")) else uri
    return path.rpartition("/")[2].lower()
