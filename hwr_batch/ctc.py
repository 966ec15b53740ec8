"""Greedy CTC decoding, and what a score means.

The network gives one class per frame; runs of one class collapse to one character, and blanks vanish.
A *run* is a maximal stretch of frames [start, stop) whose best class is the same.

- A character's score is its highest probability in its run.
- `score` is the geometric mean of the characters' scores; for an empty text, of the blank probability
  over all frames. `min_char_score` is the weakest character's; an empty text has none and repeats
  `score`.
- `path_log_prob` is the log probability of the greedy path itself: the sum over all frames.
- A character's span is [start of its first frame, end of its last frame) in network columns. The text is
  made from the frames in order whatever the bands, so a run may reach from the end of one band into the
  next, which lie at opposite ends of the line: its span keeps to the band that holds its best frame.

Designated characters follow the Open Model Zoo's handwritten text recognition demo, so that the text is
the demo's: runs are collapsed first, and a run whose character is not designated becomes the best
designated one among the top k classes of the run's first frame. Where none of those is designated the
character stays as it was: ink was there, and a foreign character is easier to find again than a gap. The
substitute's own probabilities make its score and its share of `path_log_prob`; a frame of the run whose
top k lack the substitute counts its last candidate, the closest bound there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hwr_batch.records import FrameGeometry, Frames, Reading

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs that become characters, R of them, in frame order.

    `starts`, `stops`: intp (R,), frames [start, stop). `classes`: intp (R,), never blank.
    """

    starts: NDArray[np.intp]
    stops: NDArray[np.intp]
    classes: NDArray[np.intp]


def decode(
    frames: Frames,
    charset: tuple[str, ...],
    geometry: FrameGeometry,
    *,
    blank: int,
    allowed: frozenset[str] | None,
) -> Reading:
    """Read the text of one piece from its T frames.

    `charset`: the characters of the classes other than `blank`, in class order; `blank` may be any class.
    `allowed`: the designated characters, which need `frames.candidates`; None allows all. An entry of
    several code points gives each of them its score and span. Raises ValueError where the frames
    contradict their shapes, the geometry or the charset.
    """
    _check(frames, geometry)
    runs = _collapse(frames.classes, blank, len(charset))
    log_probs = frames.log_probs
    if allowed is not None:
        runs, log_probs = _designate(runs, frames, charset, blank=blank, allowed=allowed)
    path = float(log_probs.sum(dtype=np.float64))
    if not runs.classes.size:
        blank_score = exp(min(path / log_probs.size, 0.0))
        return Reading("", blank_score, blank_score, path, (), ())
    best = np.minimum(_peaks(log_probs, runs), 0.0)  # a float32 softmax may end a hair above 1
    texts = [_character(charset, c, blank) for c in runs.classes.tolist()]
    sizes = [len(text) for text in texts]
    scores: list[float] = np.exp(best).tolist()
    return Reading(
        text="".join(texts),
        score=exp(float(best.mean())),
        min_char_score=min(scores),
        path_log_prob=path,
        char_scores=_each(scores, sizes),
        char_spans=_each(_spans(runs, log_probs, geometry), sizes),
    )


def _check(frames: Frames, geometry: FrameGeometry) -> None:
    classes, log_probs = frames.classes, frames.log_probs
    if classes.ndim != 1 or classes.shape != log_probs.shape:
        raise ValueError(f"frames: classes {classes.shape} and log_probs {log_probs.shape} must both be (T,)")
    if not classes.size:
        raise ValueError("frames: the network answered with no frame at all")
    if geometry.bands < 1 or classes.size % geometry.bands:
        raise ValueError(f"geometry: {classes.size} frames do not divide into {geometry.bands} bands")


def _candidates(frames: Frames) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The frames' candidates int32 (T, k) and their log-probabilities float32 (T, k), checked."""
    classes, log_probs = frames.candidates, frames.candidate_log_probs
    if classes is None or log_probs is None:
        raise ValueError("allowed: designated characters need the frames' candidates")
    if classes.shape != (frames.classes.size, classes.size // frames.classes.size) or not classes.size:
        raise ValueError(f"frames: candidates {classes.shape} must be (T, k), {frames.classes.size} frames")
    if classes.shape != log_probs.shape:
        raise ValueError(f"frames: candidates {classes.shape}, but log-probabilities {log_probs.shape}")
    return classes, log_probs


def _character(charset: tuple[str, ...], label: int, blank: int) -> str:
    """The character of class `label`, which is not `blank`."""
    return charset[label if label < blank else label - 1]


def _collapse(classes: NDArray[np.int32], blank: int, characters: int) -> _Runs:
    """The runs of `classes` int32 (T,) that are not blank."""
    edges = np.flatnonzero(classes[1:] != classes[:-1]) + 1
    starts = np.concatenate(([0], edges))
    stops = np.concatenate((edges, [classes.size]))
    kept = classes[starts] != blank
    runs = _Runs(starts[kept], stops[kept], classes[starts[kept]].astype(np.intp))
    if runs.classes.size and (runs.classes.min() < 0 or runs.classes.max() > characters):
        raise ValueError(f"frames: a class lies outside the charset's {characters} characters and the blank")
    return runs


def _designate(
    runs: _Runs,
    frames: Frames,
    charset: tuple[str, ...],
    *,
    blank: int,
    allowed: frozenset[str],
) -> tuple[_Runs, NDArray[np.float32]]:
    """Substitute the runs that are not designated: new runs, and log-probabilities float32 (T,)."""
    candidates, candidate_log_probs = _candidates(frames)
    classes, log_probs = runs.classes.copy(), frames.log_probs.copy()
    for r, label in enumerate(runs.classes.tolist()):
        if _character(charset, label, blank) in allowed:
            continue
        run = slice(int(runs.starts[r]), int(runs.stops[r]))
        for other in candidates[run.start].tolist():
            if other != blank and _character(charset, other, blank) in allowed:
                classes[r] = other
                log_probs[run] = _log_probs_of(other, candidates[run], candidate_log_probs[run])
                break
    return _Runs(runs.starts, runs.stops, classes), log_probs


def _log_probs_of(
    label: int, candidates: NDArray[np.int32], log_probs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The log-probability of class `label` in each frame, or of the last candidate where it is none."""
    hit = candidates == label
    column = np.where(hit.any(axis=1), hit.argmax(axis=1), -1)
    return np.take_along_axis(log_probs, column[:, None], axis=1)[:, 0]


def _peaks(log_probs: NDArray[np.float32], runs: _Runs) -> NDArray[np.float64]:
    """The highest log-probability of each run, float64 (R,)."""
    # reduceat takes bounds in one list: the even results are the runs, the odd ones the gaps between.
    # A last bound of T is one too many for it, and without it the last run reaches to the end anyway.
    bounds = np.empty(2 * runs.starts.size, np.intp)
    bounds[::2], bounds[1::2] = runs.starts, runs.stops
    if bounds[-1] == log_probs.size:
        bounds = bounds[:-1]
    return np.maximum.reduceat(log_probs, bounds)[::2].astype(np.float64)


def _spans(runs: _Runs, log_probs: NDArray[np.float32], geometry: FrameGeometry) -> list[tuple[int, int]]:
    """The network columns [start, end) of each run, rounded so that neighbours share an edge."""
    per_band = log_probs.size // geometry.bands
    starts, stops = runs.starts % per_band, (runs.stops - 1) % per_band + 1
    for r in np.flatnonzero(runs.starts // per_band != (runs.stops - 1) // per_band).tolist():
        start, stop = int(runs.starts[r]), int(runs.stops[r])
        best = start + int(log_probs[start:stop].argmax())
        band = best - best % per_band
        starts[r], stops[r] = max(start - band, 0), min(stop - band, per_band)
    return list(zip(_columns(starts, geometry), _columns(stops, geometry), strict=True))


def _columns(frames: NDArray[np.intp], geometry: FrameGeometry) -> list[int]:
    columns: list[int] = (frames * geometry.stride + 0.5).astype(np.int64).tolist()
    return columns


def _each(values: Sequence[T], sizes: Sequence[int]) -> tuple[T, ...]:
    """Each value as often as its charset entry has code points: once, but for a charset of ligatures."""
    if max(sizes) == 1:
        return tuple(values)
    return tuple(value for value, size in zip(values, sizes, strict=True) for _ in range(size))
