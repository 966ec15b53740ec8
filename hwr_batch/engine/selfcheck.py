"""Never trust a rewrite blindly: a few drawn lines, read both ways when the model loads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwr_batch.config import Precision
from hwr_batch.engine.batches import Widths
from hwr_batch.engine.forms import Form
from hwr_batch.records import Frames, Pixels
from hwr_batch.zoo.card import ModelCard

LOG_PROB_TOLERANCE = 1e-2  # f32; measured: see tests


def drawn_lines(card: ModelCard, widths: Widths, *, lines: int) -> list[Pixels]:
    """Paper with seeded dark strokes, of widths from narrow to the widest that still has padding left out."""
    random = np.random.default_rng(96)
    widest = max(1, widths.published - widths.margin - widths.step)
    shape = (card.height,) if card.channels == 1 else (card.height, card.channels)
    drawn = []
    for width in np.linspace(widest / 5, widest, lines).astype(int):
        line = np.full((max(1, int(width)), *shape), 235, np.uint8)
        strokes = random.random((len(line) // 12 + 1, *shape)) < 0.3
        line[np.repeat(strokes, 12, axis=0)[: len(line)]] = 40
        line -= random.integers(0, 30, line.shape, np.uint8)
        drawn.append(np.ascontiguousarray(line.swapaxes(0, 1)))
    return drawn


def disagreement(form: Form, published: Form, lines: Sequence[Pixels], precision: Precision) -> str | None:
    """What differs between the two forms on these lines, in one sentence; None where they agree.

    Agreement: the same best class in every frame, its log-probability within `LOG_PROB_TOLERANCE`.
    """
    for number, (line, fast) in enumerate(zip(lines, form.read(lines), strict=True)):
        slow = published.read([line])[0]
        if difference := _difference(fast, slow):
            return f"drawn line {number} ({line.shape[1]} columns wide): {difference}"
    return None


def _difference(fast: Frames, slow: Frames) -> str | None:
    if fast.classes.shape != slow.classes.shape:
        return f"{len(fast.classes)} frames instead of {len(slow.classes)}"
    if changed := int(np.count_nonzero(fast.classes != slow.classes)):
        return f"the best class differs in {changed} of {len(slow.classes)} frames"
    moved = float(np.abs(fast.log_probs - slow.log_probs).max(initial=0))
    return None if moved <= LOG_PROB_TOLERANCE else f"a log-probability moved by {moved:.3g}"
