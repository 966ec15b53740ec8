"""The columns of the results are a contract: names, order and types, one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hwr_batch.results import RESULT_NAMES, result_schema

NOTHING = pa.schema([])


def test_every_column_and_type() -> None:
    assert [(field.name, str(field.type)) for field in result_schema(NOTHING)] == [
        ("line_id", "string"),
        ("image", "string"),
        ("text", "string"),
        ("score", "float"),
        ("min_char_score", "float"),
        ("path_log_prob", "float"),
        ("char_scores", "list<item: float>"),
        ("char_spans", "list<item: struct<start: int32, end: int32>>"),
        ("status", "dictionary<values=string, indices=int32, ordered=0>"),
        ("error", "string"),
        ("image_width", "int32"),
        ("image_height", "int32"),
        ("pieces", "int16"),
    ]


def test_calibrated_columns_come_before_the_carried_ones() -> None:
    names = result_schema(pa.schema([("place", pa.string())]), calibrated=True).names
    assert names[-3:] == ["p_correct", "needs_review", "place"]
    assert tuple(names[:-1]) == RESULT_NAMES


def test_carried_fields_keep_order_types_and_their_own_metadata() -> None:
    carried = pa.schema(
        [pa.field("z", pa.uint8(), nullable=False), pa.field("a", pa.date32(), metadata={"unit": "day"})],
        metadata={"pandas": "{}"},
    )
    schema = result_schema(carried)
    assert schema.field("z").equals(carried.field("z"))
    assert schema.field("a").equals(carried.field("a"), check_metadata=True)
    assert schema.names[-2:] == ["z", "a"]
    assert schema.metadata is None


@pytest.mark.parametrize("names", [["score"], ["needs_review"], ["place", "place"]])
def test_two_columns_of_one_name_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=f"'{names[-1]}' has the name of another column"):
        result_schema(pa.schema([(name, pa.string()) for name in names]))
