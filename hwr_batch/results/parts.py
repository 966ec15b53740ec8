"""A shard's results as the bytes of one Parquet file, and back.

The bytes are a pure function of the results, the carried columns and the footer: one row group, one
thread, fixed compression, nothing of time or place, and no trace of how the carried table was chunked or
its dictionaries arranged. Page checksums let `verify` tell a damaged part from a good one.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from io import BytesIO
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from hwr_batch.errors import DamagedPartError, Status
from hwr_batch.records import LineResult
from hwr_batch.results.columns import is_calibrated, line_results, result_arrays
from hwr_batch.results.schema import SCHEMA_VERSION, Schema, has_calibrated_columns, result_schema

Table: TypeAlias = pa.Table

FINGERPRINT = "hwr_batch.fingerprint"  # footer key: the plan's fingerprint
SHARD = "hwr_batch.shard"  # footer key: the shard's index
COUNTS = "hwr_batch.counts"  # footer key: {"ok": 1000, "image_missing": 24}
_SCHEMA_VERSION = "hwr_batch.schema_version"

ZSTD_LEVEL = 3  # levels 1 to 9 differ by 0.3 % in size, and 9 takes half as long again
_UNREPEATED = {"line_id", "text", "score", "min_char_score", "path_log_prob", "char_scores", "p_correct"}
_PART = re.compile(r"part-(\d{5,})\.parquet")


def part_name(index: int) -> str:
    """The file name of shard `index`'s part: five digits, more where the index needs them."""
    return f"part-{index:05d}.parquet"


def part_index(name: str) -> int | None:
    """The shard index in a part's file name, or None where `name` is not one that `part_name` gives."""
    found = _PART.fullmatch(name)
    index = int(found[1]) if found else -1
    return index if found and part_name(index) == name else None


def use_threads(count: int) -> None:
    """Limit pyarrow's thread pools of this process to `count` threads each."""
    pa.set_cpu_count(count)
    pa.set_io_thread_count(count)


def load_libraries() -> None:
    """Load now what pyarrow would load with the first part: pandas, where it is installed, half a second."""
    pa.array([""])


def leave_pandas_out() -> None:
    """Have pyarrow do without pandas in this process; worth 40 MB and half a second where it is installed.

    pyarrow looks for it once, with the first array, to know pandas' own types when it meets them: no worker
    does. Whoever else imports pandas later gets it.
    """
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([""])
    finally:
        sys.meta_path.remove(hidden)


class _Hidden(MetaPathFinder):
    """Answers that pandas is not installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is left out", name=name)


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """How many lines a part holds, and of each status (statuses without a line are left out)."""

    lines: int
    by_status: Mapping[str, int]


def count(results: Sequence[LineResult]) -> ShardCounts:
    """The counts of `results`, statuses in alphabetical order."""
    return ShardCounts(len(results), dict(sorted(Counter(str(r.status) for r in results).items())))


def encode_part(results: Sequence[LineResult], carried: Table, footer: Mapping[str, str]) -> bytes:
    """The bytes of a part: one row per result, joined with the carried columns row by row.

    `carried`: the manifest's own columns, as many rows as results (any, where it has no column).
    `footer`: key-values for the file's footer; the counts by status and the schema version are added.
    Raises ValueError where results and carried rows differ in number, or a result contradicts itself.
    """
    if carried.num_columns and carried.num_rows != len(results):
        raise ValueError(f"{len(results)} results, but {carried.num_rows} carried rows")
    facts = {**footer, COUNTS: json.dumps(count(results).by_status), _SCHEMA_VERSION: str(SCHEMA_VERSION)}
    schema = result_schema(carried.schema, calibrated=is_calibrated(results)).with_metadata(
        dict(sorted(facts.items()))
    )
    arrays = [*result_arrays(results), *map(_canonical, carried.columns)]
    buffer = BytesIO()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema),
        buffer,
        row_group_size=max(1, len(results)),
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=_repetitive(schema),
        write_page_checksum=True,
    )
    return buffer.getvalue()


def _repetitive(schema: Schema) -> list[str]:
    """The Parquet columns worth a dictionary. On scores and texts it makes a part a sixth larger."""
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    spans = ["char_spans.list.element.start", "char_spans.list.element.end"]
    return [name for name in flat if name not in _UNREPEATED] + spans


def _canonical(column: Any) -> Any:
    """A carried column in one chunk, its dictionary (where it has one) cut to the values that occur.

    A manifest's dictionary is arranged as its writer pleased and shared by all its rows; left as it is, it
    would stand in every part, and a part encoded again would differ from the first. An *ordered*
    dictionary says something by its order and stays.
    """
    kind = column.type
    if not pa.types.is_dictionary(kind) or kind.ordered:
        return column.combine_chunks()
    dense = column.cast(kind.value_type).combine_chunks().dictionary_encode()
    return pa.DictionaryArray.from_arrays(dense.indices.cast(kind.index_type), dense.dictionary)


def read_counts(file: BinaryIO | bytes, *, name: str = "the part") -> ShardCounts:
    """The counts in a part's footer, without reading its rows. `name` is for messages.

    Raises DamagedPartError where the file is no part, or a damaged one.
    """
    with _damage_named(name):
        metadata = pq.read_metadata(pa.BufferReader(file) if isinstance(file, bytes) else file)
        return ShardCounts(metadata.num_rows, json.loads(metadata.metadata[COUNTS.encode()]))


@dataclass(frozen=True, slots=True)
class Part:
    """A decoded part: results and carried columns row by row, and the footer `encode_part` was given."""

    results: tuple[LineResult, ...]
    carried: Table
    footer: Mapping[str, str]

    def failed_positions(self) -> tuple[int, ...]:
        """The rows, 0-based within the part, whose status is not `ok`."""
        return tuple(i for i, result in enumerate(self.results) if result.status is not Status.OK)

    def with_results(self, replaced: Mapping[int, LineResult]) -> tuple[bytes, Mapping[str, int]]:
        """The part's new bytes and counts by status, once failed rows are replaced by position.

        Every other row keeps its values to the bit. Raises ValueError where a row that is `ok` would be
        replaced, or a row by another line's result.
        """
        results = list(self.results)
        for position, new in replaced.items():
            old = results[position]
            if old.status is Status.OK or old.line_id != new.line_id:
                raise ValueError(f"row {position} is {old.line_id!r} ({old.status}): not to be replaced")
            results[position] = new
        return encode_part(results, self.carried, self.footer), count(results).by_status


def read_table(data: bytes, *, name: str = "the part") -> Table:
    """All columns of a part, every page checked against its checksum. `name` is for messages.

    Raises DamagedPartError where the bytes are no part, or a damaged one.
    """
    with _damage_named(name):
        table = pq.read_table(pa.BufferReader(data), use_threads=False, page_checksum_verification=True)
        columns = result_columns(table.schema)
        if pa.schema(list(table.schema)[: len(columns)]) != columns:
            raise ValueError("its columns are not those of a result")
        table.validate(full=True)  # the checksums cover what was written, not whether it is UTF-8
        return table


def result_columns(schema: Schema) -> Schema:
    """The result columns that a part of this schema must begin with."""
    return result_schema(pa.schema([]), calibrated=has_calibrated_columns(schema))


def read_part(data: bytes, *, name: str = "the part") -> Part:
    """Decode a part wholly. `name` is for messages. Raises DamagedPartError as `read_table` does."""
    table = read_table(data, name=name)
    with _damage_named(name):
        fields = list(_written_schema(data))[len(result_columns(table.schema)) :]
        carried = table.select([field.name for field in fields]).cast(pa.schema(fields))
        footer = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        for added in (COUNTS, _SCHEMA_VERSION):
            del footer[added]
        return Part(line_results(table), carried, footer)


def _written_schema(data: bytes) -> Schema:
    """The schema as it was before Parquet, which knows no time32[s], date64 or names of list items."""
    serialized = pq.read_metadata(pa.BufferReader(data)).metadata[b"ARROW:schema"]
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(serialized)))


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Whatever pyarrow says of bytes that are no part, in one sentence."""
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # the disk's error, not the file's: pyarrow's own have no number
        reason = " ".join(str(exc).split())  # pyarrow's may have several lines
        raise DamagedPartError(
            f"{name} is damaged or no part of hwr-batch ({reason}); remove it and run again"
        ) from exc
