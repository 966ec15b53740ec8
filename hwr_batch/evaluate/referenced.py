"""Result rows with their reference beside them, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwr_batch.errors import ConfigError
from hwr_batch.evaluate.truth import TruthTable
from hwr_batch.results.reading import Columns, PartStore, column_names, read_columns

REFERENCE = "reference_text"
"""The manifest's `text` column, under the name the results carry it by."""


def referenced_batches(
    output: str, store: PartStore, columns: Sequence[str], truth: TruthTable | None
) -> Iterator[Columns]:
    """Yield batches of `columns` and `reference_text`, a str or None per row.

    References come from `truth` where given and only from there, else from the results' own column.
    Raises `ConfigError` where the results carry none, or share no line id with `truth`.
    """
    wanted = list(dict.fromkeys(columns))
    if truth is None:
        if REFERENCE not in column_names(output, store):
            raise ConfigError(
                f"{output} carries no reference text (its manifest had no column `text`); "
                "name a manifest that has one with --truth"
            )
        yield from read_columns(output, store, [*wanted, *_unless_in(wanted, REFERENCE)])
        return
    own = [column for column in wanted if column != REFERENCE]
    for batch in read_columns(output, store, [*own, *_unless_in(own, "line_id")]):
        batch[REFERENCE] = truth.texts(batch["line_id"])
        yield batch


def refuse_foreign(truth: TruthTable, output: str, a_line: str | None) -> None:
    """Raise `ConfigError` where no line of OUTPUT was found in `truth`, showing an id of each."""
    if truth.found == 0:
        raise ConfigError(
            f"no line of {output} stands in {truth.name}: ids are like {a_line!r} in the one and "
            f"{truth.example()!r} in the other; give both manifests the same line_id column"
        )


def _unless_in(columns: Sequence[str], name: str) -> list[str]:
    return [] if name in columns else [name]
