"""What a line's reading says about itself: the features a calibration judges by. Needs numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr_batch.records import LineResult

Floats = NDArray[np.float64]

# A float32 score of exactly 1 has no log-odds; 1e-6 is where float32 stops telling it from 1 anyway.
_SMALLEST = 1e-6

DESIGN_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class LineFeatures:
    """Four float64 (N,) arrays, one entry per line, NaN throughout for a line without a reading.

    `score`, `weakest`: the columns `score` and `min_char_score`, 0–1. `length`: characters of the text
    as read. `width`: of the line, source pixels.
    """

    score: Floats
    weakest: Floats
    length: Floats
    width: Floats

    def __post_init__(self) -> None:
        for name in self.__slots__:
            values = getattr(self, name)
            if values.shape != self.score.shape or values.ndim != 1 or values.dtype != np.float64:
                raise ValueError(f"{name} is {values.dtype} {values.shape}, not float64 (N,)")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def read(self) -> NDArray[np.bool_]:
        """bool (N,): the lines that have a reading."""
        return np.isfinite(self.score)

    def taken(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> LineFeatures:
        """The lines that `index`, a mask or positions, picks."""
        return LineFeatures(*(getattr(self, name)[index] for name in self.__slots__))

    @classmethod
    def of(cls, results: Sequence[LineResult]) -> LineFeatures:
        """The features of `results`, in their order."""
        return cls.from_columns(
            score=[result.reading.score if result.reading else None for result in results],
            weakest=[result.reading.min_char_score if result.reading else None for result in results],
            text=[result.reading.text if result.reading else None for result in results],
            width=[result.image_width for result in results],
        )

    @classmethod
    def from_columns(
        cls,
        *,
        score: Sequence[float | None],
        weakest: Sequence[float | None],
        text: Sequence[str | None],
        width: Sequence[int | None],
    ) -> LineFeatures:
        """The features of result rows given as columns; a row whose `text` is None was not read."""
        read = np.array([value is not None for value in text], np.bool_)
        scores = np.where(read, _as_stored(score), np.nan)
        # An empty text has no weakest character: its score, the blank's, stands in. So does 1 pixel
        # for a width that was never recorded.
        weak = _as_stored(weakest)
        weak = np.where(np.isfinite(weak), weak, scores)
        length = np.array([np.nan if value is None else len(value) for value in text], np.float64)
        wide = np.nan_to_num(_floats(width), nan=1.0)
        return cls(scores, np.where(read, weak, np.nan), length, np.where(read, wide, np.nan))


def log_odds(probability: Floats) -> Floats:
    """log(p / (1 − p)), float64 of the same shape; p is kept 1e-6 away from 0 and 1."""
    clipped = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def design(features: LineFeatures, temperature: float) -> Floats:
    """float64 (N, DESIGN_COLUMNS): what the probability that a line is right is a function of.

    1. the log-odds that every character is right, if each were so independently with the tempered
       score: p^length; 2. the tempered log-odds of one character; 3. those of the weakest character;
       4. log(1 + length); 5. log(source pixels per character), which an unlikely reading has odd.
    """
    one = log_odds(features.score) / temperature
    weakest = log_odds(features.weakest) / temperature
    length = np.maximum(features.length, 1)
    log_one = -np.logaddexp(0, -one)  # log of the tempered probability
    whole = log_odds(np.exp(length * log_one))
    pitch = np.log(np.maximum(features.width, 1) / length)
    return np.stack([whole, one, weakest, np.log1p(length), pitch], axis=1)


def _as_stored(values: Sequence[float | None]) -> Floats:
    """As the float32 columns hold them, so that a worker judges as whoever judges its part again."""
    return _floats(values).astype(np.float32).astype(np.float64)


def _floats(values: Sequence[float | None] | Sequence[int | None]) -> Floats:
    """float64 (N,), NaN for None."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
