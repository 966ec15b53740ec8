"""The published way of feeding a network and reading its answer, written down once more.

Used by the ways that are compared with ours, and by nothing else: what they read is the reference, so it must
not come from the code it is a reference for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr_batch.records import Pixels
from hwr_batch.zoo.card import Layout, ModelCard


def read_line(path: str, card: ModelCard) -> Pixels:
    """An image file as uint8 (H, W) grey or (H, W, 3) BGR."""
    kind = cv2.IMREAD_GRAYSCALE if card.channels == 1 else cv2.IMREAD_COLOR
    pixels: Pixels | None = cv2.imread(path, kind)
    if pixels is None:
        raise OSError(f"{path}: not an image")
    return pixels


def network_input(line: Pixels, card: ModelCard) -> NDArray[np.float32]:
    """float32 (1, channels, height, width): aspect kept, edge-padded to the card's width; its own where 0."""
    rows, columns = line.shape[:2]
    width = max(1, int(card.height * columns / rows))
    resized = cv2.resize(line, (width, card.height), interpolation=cv2.INTER_AREA)
    values = resized.astype(np.float32)
    if card.width:
        edges = ((0, 0), (0, card.width - width), (0, 0))[: values.ndim]
        values = np.pad(values, edges, mode="edge")
    if (card.mean, card.scale) != (0.0, 1.0):
        values = (values - card.mean) / card.scale
    return np.ascontiguousarray((values[None] if values.ndim == 2 else values.transpose(2, 0, 1))[None])


def padded_together(inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Inputs of several widths as one batch, zeros behind the narrower ones (as PP-OCR's own reader pads)."""
    widest = max(array.shape[3] for array in inputs)
    return np.concatenate([np.pad(a, ((0, 0), (0, 0), (0, 0), (0, widest - a.shape[3]))) for a in inputs])


def text_of(scores: NDArray[Any], place: int, card: ModelCard, charset: Sequence[str]) -> str:
    """Greedy CTC of the line at `place` of the batch; `scores` (T, B, C) or (B, T, C) as the card says."""
    line = scores[:, place] if card.layout is Layout.TBC else scores[place]
    runs = [int(best) for best, _ in groupby(line.argmax(axis=1))]
    return "".join(charset[best - (best > card.blank)] for best in runs if best != card.blank)
