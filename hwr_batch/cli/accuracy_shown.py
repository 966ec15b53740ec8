"""An evaluation as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwr_batch.evaluate import Confusion, Evaluation, Figures, WorstLine
from hwr_batch.evaluate.figures import Interval

WORST_SHOWN = 8
CONFUSIONS_SHOWN = 12


def show(found: Evaluation, console: Console) -> None:
    """Figures with their 95 % intervals, what was left out, confusions, and the worst lines."""
    console.print(_figures(found))
    for sentence in _left_out(found):
        console.print(sentence, markup=False, highlight=False)
    figures = found.figures
    edits = f"{figures.substitutions:,} substitutions, {figures.deletions:,} deletions, "
    console.print(edits + f"{figures.insertions:,} insertions", highlight=False)
    if found.confusions:
        pairs = "   ".join(map(_pair, found.confusions[:CONFUSIONS_SHOWN]))
        console.print(f"most frequent (written → read): {pairs}", markup=False, highlight=False)
    if worst := [line for line in found.worst if line.edits][:WORST_SHOWN]:
        console.print(_worst(worst))


def _figures(found: Evaluation) -> Table:
    table = Table(title="accuracy (95 % interval)", caption=found.normalisation.sentence())
    for heading in ("", "lines", "chars", "label accuracy", "CER", "WER", "exact lines"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for name, figures in {"all": found.figures, **found.groups}.items():
        counts = (f"{figures.lines:,}", f"{figures.characters:,}")
        table.add_row(Text(printable(name)), *counts, *_rates(figures))
    return table


def _rates(figures: Figures) -> list[str]:
    within = figures.intervals
    return [
        _rate(figures.label_accuracy, within.label_accuracy),
        _rate(figures.cer, within.cer),
        _rate(figures.wer, within.wer),
        _rate(figures.exact, within.exact),
    ]


def _rate(rate: float | None, within: Interval) -> str:
    if rate is None:
        return "-"
    return f"{rate:.3f}" if within is None else f"{rate:.3f}\n{within[0]:.2f}–{within[1]:.2f}"


def _left_out(found: Evaluation) -> list[str]:
    told = [
        f"{count:,} lines {why}: all their characters count as missing" for why, count in found.failed.items()
    ]
    if without := found.without_reference + found.blank_reference:
        told.append(f"{without:,} lines have no reference text and are left out")
    if found.truth_unused:
        told.append(f"{found.truth_unused:,} reference texts belong to lines that are not in the results")
    return sorted(told)


def _pair(confusion: Confusion) -> str:
    written, read = (printable(side) or "nothing" for side in (confusion.reference, confusion.read))
    return f"{written} → {read} {confusion.count:,}×"


def _worst(lines: list[WorstLine]) -> Table:
    table = Table(title="lines with the most edits")
    for heading in ("line", "edits", "written", "read"):
        table.add_column(heading, justify="right" if heading == "edits" else "left", overflow="fold")
    for line in lines:
        cells = (line.line_id, str(line.edits), line.reference, line.read)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def printable(text: str) -> str:
    """`text` without what could steer a terminal; a lone space made visible."""
    if text == " ":
        return "␣"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
