"""Parquet columns to cells, and which of them carry the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from hwr_batch.manifest.columns import CarriedColumn
from hwr_batch.manifest.contract import CELL_LIMIT

Array: TypeAlias = Any  # pa.Array
Batch: TypeAlias = Any  # pa.RecordBatch


@dataclass(frozen=True, slots=True)
class ImageColumn:
    """How the column `image` names or carries images.

    `path`: the Parquet column of paths, None where there is none; `data`: of the embedded files.
    """

    path: str | None
    data: str | None


def image_column(schema: pa.Schema) -> ImageColumn:
    """Raises ValueError where `image` is neither text, nor binary, nor struct<bytes, path>."""
    kind = schema.field("image").type
    if _is_text(kind):
        return ImageColumn(path="image", data=None)
    if _is_binary(kind):
        return ImageColumn(path=None, data="image")
    if pa.types.is_struct(kind):
        parts = {field.name: field.type for field in kind}
        path = "image.path" if "path" in parts and _is_text(parts["path"]) else None
        data = "image.bytes" if "bytes" in parts and _is_binary(parts["bytes"]) else None
        if path or data:
            return ImageColumn(path, data)
    raise ValueError(
        f"the column `image` is {kind}; make it string, binary or struct<bytes: binary, path: string>"
    )


def manifest_columns(schema: pa.Schema) -> tuple[CarriedColumn, ...]:
    """Every column with its own type."""
    return tuple(CarriedColumn(field.name, field.type) for field in schema)


def key_cells(batch: Batch, image: ImageColumn, names: Sequence[str]) -> dict[str, list[object]]:
    """The cells of the columns `names` in `batch`; an image without a path is None."""
    return {
        name: _image_cells(batch, image) if name == "image" else _cells(batch.column(name)) for name in names
    }


def _image_cells(batch: Batch, image: ImageColumn) -> list[object]:
    if image.path is None:
        return [None] * batch.num_rows
    return _cells(_part(batch.column("image"), image.path))


def embedded_bytes(batch: Batch, image: ImageColumn) -> list[bytes | None]:
    """The image files that the rows carry, None where one carries none."""
    if image.data is None:
        return [None] * batch.num_rows
    data: list[bytes | None] = _part(batch.column("image"), image.data).to_pylist()
    return data


def check_sizes(batch: Batch, image: ImageColumn) -> None:
    """Raises ValueError where a text or binary cell, embedded images aside, is longer than any may be."""
    for name in batch.schema.names:
        column = batch.column(name)
        if name == "image":
            if image.path is None:
                continue
            column = _part(column, image.path)
        if column.nbytes > CELL_LIMIT and _longest(column) > CELL_LIMIT:
            raise ValueError(f"a cell of the column {name!r} holds more than {CELL_LIMIT // 10**6} MB")


def _longest(column: Array) -> int:
    """Bytes of the longest cell; 0 for what is neither text nor binary."""
    if not (_is_text(column.type) or _is_binary(column.type)):
        return 0
    return pc.max(pc.binary_length(_dense(column).cast(pa.large_binary()))).as_py() or 0


def _part(column: Array, path: str) -> Array:
    """The column itself, or the field of a struct that `path` ends in, null where the struct is."""
    return pc.struct_field(column, path.partition(".")[2]) if "." in path else column


def _cells(column: Array) -> list[object]:
    """Python values. Numbers and text go through numpy, which is several times faster than pyarrow."""
    column = _dense(column)
    kind = column.type
    if pa.types.is_integer(kind) and column.null_count:
        column = column.cast(pa.string())  # numpy has no null among integers
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return list(column.to_numpy(zero_copy_only=False).tolist())
    if _is_text(column.type):
        return list(column.cast(pa.large_string()).to_numpy(zero_copy_only=False).tolist())
    return list(column.to_pylist())


def _dense(column: Array) -> Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )
