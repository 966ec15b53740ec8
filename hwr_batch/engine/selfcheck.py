"""Never trust a rewrite blindly: a few drawn lines, read both ways when the model loads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwr_batch.config import Precision
from hwr_batch.engine.batches import Widths
from hwr_batch.engine.forms import Form
from hwr_batch.records import Frames, Pixels
from hwr_batch.zoo.card import ModelCard


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two ways may part: the share of frames with another best class, and a log-probability.

    `sure`: only frames count whose class has, in one of the answers, more than this log-probability.
    """

    changed: float
    moved: float
    sure: float = -math.inf


# Measured on the official topologies in f32: no class, 3e-5. In bf16 a global mean over other columns rounds
# otherwise, as bf16 itself does. Where no class has half of the probability, with noise weights most frames,
# all of the blank paper may change at once (46 of 186 frames); of the sure ones none did. They moved by 0.14.
_EXACT = Tolerance(changed=0.0, moved=1e-2)
_ROUNDED = Tolerance(changed=0.1, moved=0.5, sure=math.log(0.5))


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


def disagreement(
    form: Form, published: Form, lines: Sequence[Pixels], precision: Precision = Precision.F32
) -> str | None:
    """What differs between the two forms on these lines, in one sentence; None where they agree.

    Agreement in f32: the same best class in every frame, its log-probability within 0.01. In other
    precisions: the same where a class has more than half of the probability (but in a tenth of the frames),
    its log-probability within 0.5.
    """
    tolerance = _EXACT if precision is Precision.F32 else _ROUNDED
    for group in form.groups(lines):
        members = [lines[i] for i in group]
        for line, fast in zip(members, form.read(members), strict=True):
            if difference := _difference(fast, published.read([line])[0], tolerance):
                return f"a drawn line {line.shape[1]} columns wide: {difference}"
    return None


def _difference(fast: Frames, slow: Frames, tolerance: Tolerance) -> str | None:
    if fast.classes.shape != slow.classes.shape:
        return f"{len(fast.classes)} frames instead of {len(slow.classes)}"
    sure = np.maximum(fast.log_probs, slow.log_probs) > tolerance.sure
    changed = int(np.count_nonzero((fast.classes != slow.classes) & sure))
    if changed > tolerance.changed * len(slow.classes):
        return f"the best class differs in {changed} of {len(slow.classes)} frames"
    moved = float(np.abs(fast.log_probs - slow.log_probs).max(initial=0))
    return None if moved <= tolerance.moved else f"a log-probability moved by {moved:.3g}"
