"""When two ways of reading a line count as the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from hwr_batch.config import Precision
from hwr_batch.engine.selfcheck import disagreement
from hwr_batch.records import Frames, Pixels

from . import networks

FRAMES = 20


@dataclass
class Answering:
    """A form that answers the same for every line."""

    frames: Frames
    window: int = 1

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        return [(i,) for i in range(len(pieces))]

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        return [self.frames for _ in pieces]


def answer(changed: int, probability: float) -> Answering:
    """Class 1 in all frames but the first `changed`, which have class 2, with `probability` everywhere."""
    classes = np.where(np.arange(FRAMES) < changed, 2, 1).astype(np.int32)
    return Answering(Frames(classes, np.full(FRAMES, np.log(probability), np.float32)))


@pytest.mark.parametrize(
    ("precision", "changed", "probability", "moved_to", "said"),
    [
        (Precision.F32, 0, 0.9, 0.9, None),
        (Precision.F32, 1, 0.1, 0.1, "the best class differs in 1 of 20 frames"),
        (Precision.F32, 0, 0.9, 0.88, "a log-probability moved by 0.0225"),
        (Precision.BF16, 20, 0.4, 0.4, None),  # of nearly equal classes rounding may take another
        (Precision.BF16, 2, 0.9, 0.9, None),
        (Precision.BF16, 3, 0.9, 0.9, "the best class differs in 3 of 20 frames"),
        (Precision.BF16, 3, 0.4, 0.6, "the best class differs in 3 of 20 frames"),  # sure in one of them
        (Precision.BF16, 0, 0.9, 0.6, None),
        (Precision.BF16, 20, 0.4, 0.2, "a log-probability moved by 0.693"),
    ],
)
def test_agreement(
    precision: Precision, changed: int, probability: float, moved_to: float, said: str | None
) -> None:
    line = networks.line(300)
    found = disagreement(answer(changed, moved_to), answer(0, probability), [line], precision)
    assert found == (said and f"a drawn line 300 columns wide: {said}")


def test_another_number_of_frames_never_agrees() -> None:
    fewer = Answering(Frames(np.ones(FRAMES - 1, np.int32), np.zeros(FRAMES - 1, np.float32)))
    found = disagreement(fewer, answer(0, 1.0), [networks.line(300)])
    assert found == "a drawn line 300 columns wide: 19 frames instead of 20"
