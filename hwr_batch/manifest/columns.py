"""The manifest's own columns on their way to the results: under which names, of which types.

A carried schema says in its metadata which manifest column each field comes from, and which strings are
JSON text, so that a worker that never scanned the manifest builds the same table.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from hwr_batch.errors import ManifestError
from hwr_batch.results import RESULT_NAMES
from hwr_batch.storage import redact

NOT_CARRIED = ("image", "line_id")  # result columns already
REFERENCE = "reference_text"  # the manifest's `text`: `text` is what was read
_SHOWN_COLUMNS = 20  # in a message
_ORIGINS = b"hwr_batch.manifest_columns"


@dataclass(frozen=True, slots=True)
class CarriedColumn:
    """`source`: its name in the manifest. `as_json`: values of mixed or deep types, written as JSON text."""

    source: str
    type: pa.DataType
    as_json: bool = False


def check_image(uri: str, names: Sequence[str]) -> None:
    """Raises ManifestError where no column is called `image`."""
    if "image" not in names:
        found = ", ".join(names[:_SHOWN_COLUMNS]) or "none"
        raise ManifestError(f"{redact(uri)}: no column is named `image` (found: {found}); name it so")


def carried_names(sources: Sequence[str]) -> dict[str, str]:
    """Manifest column → name in the results, for every column that is carried, in the manifest's order.

    `text` is carried as `reference_text`; a name that the results use (upper or lower case: DuckDB and
    Spark do not tell them apart) gets `manifest_` in front; a nameless one is called after its place.
    """
    reserved = {name.casefold() for name in RESULT_NAMES} | ({REFERENCE} if "text" in sources else set())
    names = {name: name for name in sources if name and name.casefold() not in reserved}
    taken = reserved | {name.casefold() for name in names}
    for place, source in enumerate(sources, 1):
        if source not in names:
            names[source] = REFERENCE if source == "text" else _free(source or f"column_{place}", taken)
            taken.add(names[source].casefold())
    return {source: names[source] for source in sources if source not in NOT_CARRIED}


def _free(name: str, taken: set[str]) -> str:
    while name.casefold() in taken:
        name = f"manifest_{name}"
    return name


def carried_schema(columns: Sequence[CarriedColumn]) -> pa.Schema:
    """The schema of the columns that are carried, out of all `columns` of the manifest, in their order."""
    names = carried_names([column.source for column in columns])
    kept = [column for column in columns if column.source in names]
    origins = [{"column": column.source, "json": column.as_json} for column in kept]
    return pa.schema(
        [pa.field(names[column.source], column.type) for column in kept],
        metadata={_ORIGINS: json.dumps(origins, ensure_ascii=False).encode()},
    )


@dataclass(frozen=True, slots=True)
class FixedColumns:
    """All columns of a manifest whose types are known before its rows (see `text.ColumnSurvey`)."""

    columns: tuple[CarriedColumn, ...]

    def note(self, items: Sequence[object]) -> None:
        """Nothing to learn from the rows."""

    def found(self) -> tuple[CarriedColumn, ...]:
        return self.columns


def carried_columns(schema: pa.Schema) -> list[CarriedColumn]:
    """What `carried_schema` was made from."""
    origins = json.loads(schema.metadata[_ORIGINS])
    return [
        CarriedColumn(origin["column"], field.type, origin["json"])
        for origin, field in zip(origins, schema, strict=True)
    ]


def carried_table(schema: pa.Schema, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """The carried columns of some rows; `columns`: cells by manifest name, None where there is none.

    Raises ManifestError where a value is not of the type that the scan found.
    """
    try:
        arrays = [
            pa.array(_json_texts(columns[c.source]) if c.as_json else columns[c.source], c.type)
            for c in carried_columns(schema)
        ]
    except (pa.ArrowException, TypeError, OverflowError) as exc:
        raise ManifestError(f"the manifest has changed since it was planned: {exc}") from exc
    return pa.Table.from_arrays(arrays, schema=schema)


def _json_texts(cells: Sequence[object]) -> list[str | None]:
    dumps: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False).encode
    return [None if cell is None else dumps(cell) for cell in cells]


def schema_to_text(schema: pa.Schema) -> str:
    """A carried schema for the plan: Arrow's own serialisation, which no nested type defeats, in base64."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """What `schema_to_text` was given."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
