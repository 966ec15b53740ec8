"""Results as files: the columns, the parts, and the proof that none is missing.

`verify` stands in `hwr_batch.results.verify`; what reads results, in `hwr_batch.results.reading`.
"""

from hwr_batch.errors import DamagedPartError
from hwr_batch.results.parts import (
    COUNTS,
    FINGERPRINT,
    SHARD,
    Part,
    ShardCounts,
    Table,
    count,
    encode_part,
    leave_pandas_out,
    load_libraries,
    part_index,
    part_name,
    read_counts,
    read_part,
    use_threads,
)
from hwr_batch.results.schema import RESULT_NAMES, SCHEMA_VERSION, Schema, result_schema

__all__ = [
    "COUNTS",
    "FINGERPRINT",
    "RESULT_NAMES",
    "SCHEMA_VERSION",
    "SHARD",
    "DamagedPartError",
    "Part",
    "Schema",
    "ShardCounts",
    "Table",
    "count",
    "encode_part",
    "leave_pandas_out",
    "load_libraries",
    "part_index",
    "part_name",
    "read_counts",
    "read_part",
    "result_schema",
    "use_threads",
]
