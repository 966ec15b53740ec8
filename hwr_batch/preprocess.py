"""Line pixels → network input: the published resize, and what happens to lines wider than the model.

Nothing is normalised or padded here: mean, scale and padding belong to the engine, which knows what of
the padding it can leave out.
"""

from __future__ import annotations

import cv2
import numpy as np

from hwr_batch import wide as pieces
from hwr_batch.config import Wide
from hwr_batch.errors import LineError, Status
from hwr_batch.records import Piece, Pixels, PreparedLine

# Times as wide as high. Real lines reach 40; a strip of 1 × 10⁶ pixels would be 9 GB at height 96.
MAX_ASPECT = 500


def prepare(line: Pixels, *, x: int, height: int, width: int, wide: Wide, step: int = 1) -> PreparedLine:
    """Make one line the network's input.

    `line`: uint8 (H, W) or (H, W, 3), its left edge at source-image column `x`. `height`, `width`: the
    model's. Lines keep their aspect ratio, `height * W // H` columns, at least 1 (Open Model Zoo demo,
    INTER_AREA in both directions); where `width` is 0 the nearest multiple of `step`, the columns of one
    frame, so that the widths a network meets stay few. Wider than `width`: `split` reads the line in
    pieces, `fit` squeezes it, `reject` raises LineError line_too_wide, as does, except under `fit`,
    any line more than MAX_ASPECT times as wide as high.
    """
    _check(line)
    rows, columns = line.shape[:2]
    natural = max(1, height * columns // rows)
    if width == 0:
        natural = max(step, (natural + step // 2) // step * step)
    too_wide = 0 < width < natural
    if too_wide and wide is Wide.REJECT:
        raise _too_wide(f"The line needs {natural} columns at the model's height, which takes {width}.")
    if too_wide and wide is Wide.FIT:
        natural, too_wide = width, False
    elif columns > MAX_ASPECT * rows:
        raise _too_wide(f"The line is {columns} × {rows} pixels, over {MAX_ASPECT} times as wide as high.")
    pixels = _resize(line, natural, height)
    scale = columns / natural
    if too_wide:
        parts = pieces.split(pixels, width=width, scale=scale)
    else:
        parts = (Piece(pixels, left=0.0, scale=scale, own=(0, natural)),)
    return PreparedLine(parts, x=x, width=columns, height=rows)


def _check(line: Pixels) -> None:
    if line.dtype != np.uint8 or line.ndim not in (2, 3) or not line.size:
        raise ValueError(f"a line is uint8 (H, W) or (H, W, 3), not {line.dtype} {line.shape}")


def _resize(line: Pixels, width: int, height: int) -> Pixels:
    if line.shape[:2] == (height, width):
        return line
    resized: Pixels = cv2.resize(line, (width, height), interpolation=cv2.INTER_AREA)
    return resized


def _too_wide(sentence: str) -> LineError:
    return LineError(Status.LINE_TOO_WIDE, sentence)
