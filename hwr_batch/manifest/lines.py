"""Plain text: one image per line. Blank lines are skipped and not numbered: row n is the nth image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hwr_batch.manifest.blocks import Records, check_cell, decoded, line_starts
from hwr_batch.manifest.columns import CarriedColumn, FixedColumns
from hwr_batch.manifest.contract import CELL_LIMIT


@dataclass(frozen=True, slots=True)
class PlainLines:
    """A record is the line, str, without its end."""

    def split(self, data: bytes, final: bool) -> Records:  # noqa: ARG002  lines end where they end
        """See `blocks.Splitter`."""
        texts = [line.removesuffix("\r") for line in decoded(data).split("\n")]
        kept = [number for number, text in enumerate(texts) if text and not text.isspace()]
        if len(data) > CELL_LIMIT:
            for number in kept:
                check_cell(texts[number], number)
        lines = np.array(kept, np.int64)
        return Records([texts[number] for number in kept], line_starts(data)[lines], lines, len(data))

    def columns(self, items: list[str], names: Sequence[str]) -> dict[str, Sequence[object]]:  # noqa: ARG002
        """The only column there is."""
        return {"image": items}

    def survey(self) -> FixedColumns:
        return FixedColumns((CarriedColumn("image", pa.string()),))
