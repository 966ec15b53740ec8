"""Which manifest columns reach the results, and under which names."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hwr_batch.manifest import schema_from_text, schema_to_text
from hwr_batch.manifest.columns import CarriedColumn, carried_names, carried_schema, carried_table
from hwr_batch.results import result_schema

NAMES = [
    (["image", "line_id"], {}),
    (["image", "x", "shelf"], {"x": "x", "shelf": "shelf"}),
    (["image", "text"], {"text": "reference_text"}),
    (["score", "image"], {"score": "manifest_score"}),
    # DuckDB and Spark do not tell Score from score
    (["image", "Score"], {"Score": "manifest_Score"}),
    # a column keeps its name, whoever else would like it
    (
        ["image", "score", "manifest_score"],
        {"score": "manifest_manifest_score", "manifest_score": "manifest_score"},
    ),
    (
        ["image", "text", "reference_text"],
        {"text": "reference_text", "reference_text": "manifest_reference_text"},
    ),
    (["image", "reference_text"], {"reference_text": "reference_text"}),
    # pandas writes its index without a name
    (["", "image"], {"": "column_1"}),
    (["column_2", "", "image"], {"column_2": "column_2", "": "manifest_column_2"}),
]


@pytest.mark.parametrize(("sources", "names"), NAMES)
def test_carried_names(sources, names):
    assert carried_names(sources) == names
    assert list(carried_names(sources)) == list(names)
    schema = carried_schema([CarriedColumn(source, pa.string()) for source in sources])
    assert schema.names == list(names.values())
    result_schema(schema)  # refuses any name twice


def test_a_schema_of_any_type_survives_the_plan():
    deep = pa.struct([("a", pa.list_(pa.decimal128(9, 2))), ("b", pa.dictionary(pa.int8(), pa.string()))])
    schema = carried_schema([CarriedColumn("text", pa.string(), as_json=True), CarriedColumn("deep", deep)])
    again = schema_from_text(schema_to_text(schema))
    assert again.equals(schema, check_metadata=True)
    columns = {"text": ["a", None], "deep": [{"a": None, "b": "x"}, None]}
    assert carried_table(again, columns).to_pylist() == [
        {"reference_text": '"a"', "deep": {"a": None, "b": "x"}},
        {"reference_text": None, "deep": None},
    ]
