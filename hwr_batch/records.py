"""What travels between the rooms: frozen records, in the order a manifest row meets them.

Row ─▶ bytes ─▶ page pixels ─▶ line pixels ─▶ PreparedLine ─▶ Frames ─▶ Reading ─▶ LineResult
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwr_batch.errors import Status

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """A crop box in source pixels; `x`, `y` is the top left corner, 0-based."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a line has no text: a status that is not `ok`, and one sentence."""

    status: Status
    error: str


@dataclass(frozen=True, slots=True)
class Row:
    """One manifest row, as far as reading the line needs it.

    `number` is the 0-based row number. `embedded` holds the image file's bytes where the manifest
    carries them. `problem` is set where a cell of this row cannot be understood: the row is kept and
    becomes a failed line.
    """

    number: int
    line_id: str
    image: str
    box: Box | None = None
    polygon: tuple[tuple[float, float], ...] | None = None
    page: int | None = None
    embedded: bytes | None = None
    problem: Failure | None = None


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """A run of consecutive manifest rows that becomes one part.

    `offset` is the byte offset of the first row in an uncompressed text manifest, so that a worker
    starts reading there; None where the format is addressed by row number.
    """

    index: int
    first_row: int
    rows: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line at the network's height, ready for the network.

    `pixels`: uint8 (height, w) for one channel or (height, w, 3) BGR, 0 ink … 255 paper, no padding.
    `left`: line x (source pixels, from the line's left edge) of network column 0.
    `scale`: source pixels per network column.
    `own`: the network columns [start, end) whose characters this piece owns; the rest is overlap with
    its neighbours, read for context and left out when pieces are joined.
    """

    pixels: Pixels
    left: float
    scale: float
    own: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PreparedLine:
    """A line as network input: one piece, or several where it is wider than the model.

    `x`: source-image x of the line's left edge; `width`, `height`: of the line, source pixels.
    """

    pieces: tuple[Piece, ...]
    x: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """Where the network's frames lie: frame t covers network columns `(t mod per_band) * stride` on.

    `bands` > 1 where the network flattens rows of its last feature map one after another
    (the published simplified-Chinese IR: 3 bands of 62).
    """

    stride: float
    bands: int


@dataclass(frozen=True, slots=True)
class Frames:
    """The network's answer for one piece, T frames at the width the model was published for.

    `classes`: int32 (T,), the best class of each frame; `log_probs`: float32 (T,), its natural-log
    probability. `candidates` int32 (T, k) and `candidate_log_probs` float32 (T, k), best first, only
    where designated characters were asked for.
    """

    classes: NDArray[np.int32]
    log_probs: NDArray[np.float32]
    candidates: NDArray[np.int32] | None = None
    candidate_log_probs: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A decoded piece or line: text and how far to trust it (see `hwr_batch.ctc`).

    `char_scores` and `char_spans` have one entry per character of `text`; spans are [start, end) in
    network columns as `ctc` returns them, in source-image pixels once they stand in a `LineResult`.
    """

    text: str
    score: float
    min_char_score: float
    path_log_prob: float
    char_scores: tuple[float, ...]
    char_spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LineResult:
    """One result row, before the manifest's own columns join it. `reading` is None unless `ok`.

    `image_width`, `image_height`: of the line in source pixels, None where it was never seen.
    `needs_review` is None where no calibration judged the line; `p_correct`, the probability that its text
    is right, is None there too and where there is no reading.
    """

    line_id: str
    image: str
    status: Status
    error: str | None
    reading: Reading | None
    image_width: int | None
    image_height: int | None
    pieces: int
    p_correct: float | None = None
    needs_review: bool | None = None
