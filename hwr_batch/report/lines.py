"""The lines that a report shows: their texts, how sure each character is, and what the reference says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from hwr_batch.evaluate import Normalisation, TruthTable, compare
from hwr_batch.evaluate.edits import stretches
from hwr_batch.evaluate.referenced import REFERENCE
from hwr_batch.report.parts import SomeParts
from hwr_batch.report.words import cut
from hwr_batch.results.reading import column_names, read_columns
from hwr_batch.storage import redact

MOST_CHARACTERS = 240  # of a text that are shown: 60 lines, each character marked three ways, are 2 MB
LEVELS = (0.5, 0.7, 0.9, 0.98)
"""Where one shade of confidence ends and the next begins: shade 0 below the first, 4 from the last on."""

_COLUMNS = (
    *("line_id", "image", "text", "score", "min_char_score", "char_scores"),
    *("image_width", "image_height", "pieces"),
)
_JUDGED = ("p_correct", "needs_review")


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring characters of one shade (0 least … 4 most sure); `least`: the lowest score among them."""

    text: str
    shade: int
    least: float


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of the comparison: `kind` equal, delete, insert or replace; "" on the side without text."""

    kind: str
    reference: str
    read: str


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One line of the page. `row`: 0-based in its part. `groups`: why it was chosen. `full_id`: as in the
    manifest, not for showing; `line_id`, `image`: cut, and without anything secret.

    `characters`: (character, score), as many as are shown; `edits` and `cer` are None without a reference.
    """

    part: str
    row: int
    groups: tuple[str, ...]
    full_id: str
    line_id: str
    image: str
    text: str
    length: int
    runs: tuple[Run, ...]
    characters: tuple[tuple[str, float], ...]
    score: float
    weakest: float
    width: int
    height: int
    pieces: int
    p_correct: float | None
    needs_review: bool | None
    reference: str | None
    edits: tuple[Edit, ...] | None
    cer: float | None


def shown_lines(
    output: str,
    parts: SomeParts,
    rows: dict[tuple[str, int], tuple[str, ...]],
    *,
    normalisation: Normalisation,
    truth: TruthTable | None,
) -> tuple[ShownLine, ...]:
    """The lines at `rows` ((part, row) → groups), in that order. Failed ones are left out."""
    present = column_names(output, parts)
    wanted = [*_COLUMNS, *(name for name in (*_JUDGED, REFERENCE) if name in present)]
    found = {}
    for part in sorted({part for part, _ in rows}):
        chosen = [row for name, row in rows if name == part]
        for row, values in _rows(output, SomeParts(parts.store, (part,)), wanted, chosen).items():
            if values["text"] is not None:
                found[part, row] = values
    return tuple(
        _shown(part, row, groups, found[part, row], normalisation=normalisation, truth=truth)
        for (part, row), groups in rows.items()
        if (part, row) in found
    )


Values: TypeAlias = dict[str, Any]


def _rows(output: str, part: SomeParts, columns: Sequence[str], rows: Sequence[int]) -> dict[int, Values]:
    """Some rows of one part."""
    found, first = {}, 0
    for batch in read_columns(output, part, columns):
        size = len(batch["line_id"])
        for row in rows:
            if first <= row < first + size:
                found[row] = {name: batch[name][row - first] for name in columns}
        first += size
    return found


def _shown(
    part: str,
    row: int,
    groups: tuple[str, ...],
    values: Values,
    *,
    normalisation: Normalisation,
    truth: TruthTable | None,
) -> ShownLine:
    line_id, text = str(values["line_id"]), str(values["text"])
    reference = values.get(REFERENCE) if truth is None else truth.texts([line_id])[0]
    compared = None if reference is None else _compared(str(reference), text, normalisation)
    shown = list(zip(text, map(float, values["char_scores"]), strict=True))[:MOST_CHARACTERS]
    p = values.get("p_correct")
    return ShownLine(
        part=part,
        row=row,
        groups=groups,
        full_id=line_id,
        line_id=cut(redact(line_id), 200),
        image=cut(redact(str(values["image"])), 200),
        text=cut(text, MOST_CHARACTERS),
        length=len(text),
        runs=runs(shown),
        characters=tuple(shown),
        score=_float(values["score"]),
        weakest=_float(values["min_char_score"]),
        width=int(_float(values["image_width"])),
        height=int(_float(values["image_height"])),
        pieces=int(_float(values["pieces"])),
        p_correct=None if p is None else _float(p),
        needs_review=None if values.get("needs_review") is None else bool(values["needs_review"]),
        reference=None if reference is None else cut(str(reference), MOST_CHARACTERS),
        edits=None if compared is None else compared[0],
        cer=None if compared is None else compared[1],
    )


def runs(characters: Sequence[tuple[str, float]]) -> tuple[Run, ...]:
    """Characters and their scores, neighbours of one shade together."""
    together = ((shade, list(of)) for shade, of in groupby(characters, key=lambda one: shade_of(one[1])))
    return tuple(
        Run("".join(character for character, _ in of), shade, min(score for _, score in of))
        for shade, of in together
    )


def shade_of(score: float) -> int:
    """0 least sure … 4 most sure."""
    return sum(score >= level for level in LEVELS)


def _compared(
    reference: str, text: str, normalisation: Normalisation
) -> tuple[tuple[Edit, ...], float] | None:
    expected, read = normalisation.apply(reference), normalisation.apply(text)
    if not expected:
        return None
    cer = compare(expected, read).cer
    expected, read = cut(expected, MOST_CHARACTERS), cut(read, MOST_CHARACTERS)
    return tuple(Edit(*stretch) for stretch in stretches(expected, read)), cer


def _float(value: Any) -> float:
    return 0.0 if value is None else float(value)
