"""The columns of the results, exactly as documented. Readers depend on every name and type here."""

from __future__ import annotations

from typing import TypeAlias

import pyarrow as pa

Schema: TypeAlias = pa.Schema

SCHEMA_VERSION = 1  # part of the fingerprint: raise it whenever a column's name, type or meaning changes

_SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])

_COLUMNS = pa.schema(
    [
        ("line_id", pa.string()),
        ("image", pa.string()),
        ("text", pa.string()),
        ("score", pa.float32()),
        ("min_char_score", pa.float32()),
        ("path_log_prob", pa.float32()),
        ("char_scores", pa.list_(pa.float32())),
        ("char_spans", pa.list_(_SPAN)),
        ("status", pa.dictionary(pa.int32(), pa.string())),
        ("error", pa.string()),
        ("image_width", pa.int32()),
        ("image_height", pa.int32()),
        ("pieces", pa.int16()),
    ]
)
_CALIBRATED_COLUMNS = pa.schema([("p_correct", pa.float32()), ("needs_review", pa.bool_())])

RESULT_NAMES: tuple[str, ...] = (*_COLUMNS.names, *_CALIBRATED_COLUMNS.names)
"""Names that no carried column may have."""


def result_schema(carried: Schema, *, calibrated: bool = False) -> Schema:
    """The result columns, `p_correct` and `needs_review` where `calibrated`, then the carried columns.

    Carried fields keep their order and types; schema-level metadata (such as pandas' own) is dropped,
    since it would describe another table. Raises ValueError where two columns share a name.
    """
    fields = [*_COLUMNS, *(_CALIBRATED_COLUMNS if calibrated else ()), *carried]
    taken = set(RESULT_NAMES)
    for name in carried.names:
        if name in taken:
            raise ValueError(f"carried column {name!r} has the name of another column")
        taken.add(name)
    return pa.schema(fields)


def has_calibrated_columns(schema: Schema) -> bool:
    """Whether a part of this schema was judged by a calibration. No carried column may have these names."""
    return set(_CALIBRATED_COLUMNS.names) <= set(schema.names)
