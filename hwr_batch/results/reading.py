"""Result parts → batches of columns, as plain Python lists, for the rooms that read results.

`OUTPUT/part-*.parquet` in name order, which is manifest order. One batch is in memory at a time; only
the columns that were asked for are read, so `char_spans` costs nothing to who does not want it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from hwr_batch.errors import ConfigError, DamagedPartError
from hwr_batch.results.parts import COUNTS, SHARD, part_index
from hwr_batch.storage.uri import join, redact

BATCH_ROWS = 4096  # 4096 lines of 60 characters are about 1 MB of Python strings

Columns: TypeAlias = dict[str, list[Any]]
"""Column name → one value per row; every list of a batch is equally long."""


class PartStore(Protocol):
    """What reading results needs of `hwr_batch.storage.Store`."""

    def list(self, folder: str) -> Iterable[tuple[str, int]]: ...

    def open(self, uri: str) -> BinaryIO: ...


def read_columns(
    output: str, store: PartStore, columns: Sequence[str], *, batch_rows: int = BATCH_ROWS
) -> Iterator[Columns]:
    """Yield the rows of every part, `batch_rows` at a time, as lists per column of `columns`.

    A null is None. Raises `ConfigError` where OUTPUT holds no part or a part lacks a column, and
    `DamagedPartError` where a part is damaged.
    """
    for name in part_names(output, store):
        with _opened(output, name, store) as part:
            _require(columns, part.schema_arrow.names, redact(join(output, name)))
            for batch in part.iter_batches(batch_size=batch_rows, columns=list(columns)):
                yield {column: batch.column(column).to_pylist() for column in columns}


def part_names(output: str, store: PartStore) -> tuple[str, ...]:
    """File names of the parts in OUTPUT, in manifest order. Raises `ConfigError` where there is none."""
    indexed = ((part_index(name), name) for name, _ in store.list(output))
    names = [name for index, name in sorted((index, name) for index, name in indexed if index is not None)]
    if not names:
        raise ConfigError(f"{redact(output)} holds no result part; give the OUTPUT of a recognize run")
    return tuple(names)


def column_names(output: str, store: PartStore) -> tuple[str, ...]:
    """The columns of the results, from the footer of the first part."""
    name = part_names(output, store)[0]
    with _opened(output, name, store) as part:
        return tuple(part.schema_arrow.names)


def part_facts(output: str, store: PartStore) -> dict[str, str]:
    """What the footers say of the whole run: fingerprint, model, digests, precision, versions.

    Read from the first part; what holds for that part alone is left out.
    """
    name = part_names(output, store)[0]
    with _opened(output, name, store) as part:
        footer: dict[bytes, bytes] = part.schema_arrow.metadata or {}
    facts = {key.decode(): value.decode() for key, value in footer.items()}
    return {key: value for key, value in facts.items() if key not in (SHARD, COUNTS)}


@contextmanager
def _opened(output: str, name: str, store: PartStore) -> Iterator[Any]:
    """The part as a `pyarrow.parquet.ParquetFile`; damage found while it is open is a `DamagedPartError`."""
    with store.open(join(output, name)) as file:
        try:
            yield pq.ParquetFile(file, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as exc:
            if isinstance(exc, OSError) and not _is_about_bytes(exc):
                raise
            raise DamagedPartError(
                f"{redact(join(output, name))} is damaged or no part of hwr-batch ({exc}); "
                "remove it and run again"
            ) from exc


def _is_about_bytes(error: OSError) -> bool:
    """Whether it is Parquet's own complaint: a bare OSError. What a disk or store raises has a number or
    a kind, and must not end in the advice to remove a good part."""
    return type(error) is OSError and error.errno is None


def _require(wanted: Sequence[str], present: Sequence[str], where: str) -> None:
    missing = [column for column in wanted if column not in present]
    if missing:
        raise ConfigError(f"{where} has no column {missing[0]!r}; it has {', '.join(present)}")
