"""A fitted calibration: its file, and what it says of a line. Needs numpy only, so workers carry it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr_batch.calibrate.curves import IncreasingCurve, LinearIndex
from hwr_batch.calibrate.features import DESIGN_COLUMNS, Floats, LineFeatures, design
from hwr_batch.errors import ConfigError
from hwr_batch.records import LineResult

_FORMAT = "hwr-batch calibration"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Judge:
    """Features → a probability: an index over `design`, then an increasing curve."""

    index: LinearIndex
    curve: IncreasingCurve

    def __call__(self, x: Floats) -> Floats:
        return self.curve(self.index(x))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What accepting every line from some `p_correct` upwards is expected to give.

    Float64 (K,) each: `threshold`, falling; `precision`: the share of right lines expected among the
    lines of the fit at or above it, less one standard error; `coverage`: their share of all lines,
    rising.
    """

    threshold: Floats
    precision: Floats
    coverage: Floats

    def least_p(self, precision: float) -> float:
        """The lowest `p_correct` to accept from, so that the accepted are right with `precision`.

        Infinity where no threshold reaches it: then every line needs review.
        """
        good = np.flatnonzero(self.precision >= precision)
        return float(self.threshold[good[-1]]) if len(good) else float("inf")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a calibration says of one line. None where the line has no reading."""

    p_correct: float | None
    expected_cer: float | None
    needs_review: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """From line features to the probability that the line is right, and to its expected CER.

    A line is right where its CER is at most `right_cer`, compared under `normalisation` (its JSON
    form). `temperature` divides the log-odds of every score. `fitted_lines`: lines behind the fit.
    `made_with`: what the results' footers said of the model and run; a calibration holds for these.
    """

    temperature: float
    right: Judge
    accurate: Judge
    acceptance: Acceptance
    right_cer: float
    normalisation: Mapping[str, bool]
    fitted_lines: int
    made_with: Mapping[str, str]

    def apply(self, features: LineFeatures) -> tuple[Floats, Floats]:
        """(`p_correct`, `expected_cer`), float64 (N,) each in 0–1, NaN for lines without a reading."""
        p = np.full(len(features), np.nan)
        cer = p.copy()
        read = features.read
        if read.any():
            x = design(features.taken(read), self.temperature)
            p[read] = self.right(x)
            cer[read] = 1 - self.accurate(x)
        return p, cer

    def needs_review(self, p_correct: Floats, review_precision: float) -> NDArray[np.bool_]:
        """bool (N,): False only for lines to accept so that a share `review_precision` of these is
        expected to be right. A line without a reading always needs review."""
        check_precision(review_precision)
        return np.asarray(~(p_correct >= self.acceptance.least_p(review_precision)))

    def judge(self, results: Sequence[LineResult], review_precision: float) -> tuple[Judgement, ...]:
        """One `Judgement` per result, in order. A line's judgement depends on that line alone."""
        p, cer = self.apply(LineFeatures.of(results))
        review = self.needs_review(p, review_precision)
        return tuple(
            Judgement(
                None if np.isnan(one) else float(one), None if np.isnan(one) else float(error), bool(look)
            )
            for one, error, look in zip(p, cer, review, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "right_cer": self.right_cer,
            "normalisation": dict(self.normalisation),
            "fitted_lines": self.fitted_lines,
            "made_with": dict(self.made_with),
            "temperature": self.temperature,
            "right": _judge_json(self.right),
            "accurate": _judge_json(self.accurate),
            "acceptance": {name: getattr(self.acceptance, name).tolist() for name in Acceptance.__slots__},
        }

    def dumps(self) -> bytes:
        """The file `calibration.json`: the same calibration gives the same bytes."""
        return (json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def loads(cls, data: bytes, *, name: str = "the calibration") -> Calibration:
        """The inverse of `dumps`; `name` is for messages. Raises `ConfigError` on anything else."""
        try:
            fields = json.loads(data)
            if fields["format"] != _FORMAT or fields["version"] != _VERSION:
                raise ConfigError(f"{name} is of version {fields['version']}, this program reads {_VERSION}")
            return _from_json(fields)
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(
                f"{name} is not a calibration file ({type(exc).__name__}: {exc}); "
                "`hwr-batch calibrate` writes one"
            ) from exc


def check_precision(value: float) -> None:
    """Raise `ConfigError` unless `value` is a share that could be asked for."""
    if not 0 < value <= 1:
        raise ConfigError(f"--review-precision is a share above 0 and at most 1, not {value}")


def _from_json(fields: Mapping[str, Any]) -> Calibration:
    acceptance = fields["acceptance"]
    return Calibration(
        temperature=_positive(fields["temperature"], "temperature"),
        right=_judge_from(fields["right"]),
        accurate=_judge_from(fields["accurate"]),
        acceptance=Acceptance(*_equally_long([acceptance[name] for name in Acceptance.__slots__])),
        right_cer=float(fields["right_cer"]),
        normalisation={str(step): bool(on) for step, on in fields["normalisation"].items()},
        fitted_lines=int(fields["fitted_lines"]),
        made_with={str(key): str(value) for key, value in fields["made_with"].items()},
    )


def _judge_json(judge: Judge) -> dict[str, Any]:
    index, curve = judge.index, judge.curve
    return {
        "mean": index.mean.tolist(),
        "scale": index.scale.tolist(),
        "weight": index.weight.tolist(),
        "bias": index.bias,
        "x": curve.x.tolist(),
        "y": curve.y.tolist(),
    }


def _judge_from(fields: Mapping[str, Any]) -> Judge:
    mean, scale, weight = _equally_long([fields["mean"], fields["scale"], fields["weight"]])
    x, y = _equally_long([fields["x"], fields["y"]])
    if len(mean) != DESIGN_COLUMNS:
        raise ValueError(f"{len(mean)} weights, not {DESIGN_COLUMNS}")
    if (np.diff(x) < 0).any() or (np.diff(y) < 0).any() or y[0] < 0 or y[-1] > 1:
        raise ValueError("the curve does not rise from 0 to 1")
    return Judge(LinearIndex(mean, scale, weight, float(fields["bias"])), IncreasingCurve(x, y))


def _equally_long(lists: Sequence[Sequence[float]]) -> list[Floats]:
    arrays = [np.array(values, np.float64) for values in lists]
    for array in arrays:
        if array.ndim != 1 or len(array) != len(arrays[0]) or not len(array) or not np.isfinite(array).all():
            raise ValueError("a list of numbers is empty, ragged or not finite")
    return arrays


def _positive(value: object, name: str) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} is {number}")
    return number
