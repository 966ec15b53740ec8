"""What `evaluate` is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwr_batch.errors import ConfigError
from hwr_batch.evaluate.confusions import Confusion
from hwr_batch.evaluate.figures import Figures
from hwr_batch.evaluate.normalise import AS_AN_ARCHIVE, Normalisation


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How to evaluate. `by`: a result or manifest column, whose every value gets figures of its own.

    `blank_is_reference`: whether an empty reference says "nothing is written here" (every character
    read is then an insertion) or, as in a half-transcribed CSV, that the line has no reference yet.
    `worst`, `confusions`, `named_failures`: how many to name; all are counted. `replicates`: bootstrap
    samples behind each interval.
    """

    normalisation: Normalisation = AS_AN_ARCHIVE
    by: str | None = None
    blank_is_reference: bool = False
    worst: int = 20
    confusions: int = 50
    named_failures: int = 1000
    replicates: int = 1000

    def __post_init__(self) -> None:
        for name in ("worst", "confusions", "named_failures"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is a number of entries, not {getattr(self, name)}")
        if self.replicates < 100:
            raise ConfigError(f"replicates must be at least 100 for a 95 % interval, not {self.replicates}")


@dataclass(frozen=True, slots=True)
class WorstLine:
    """A line that was read with many edits; both texts as they were compared."""

    line_id: str
    reference: str
    read: str
    edits: int
    cer: float

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class FailedLine:
    """A line without a reading. `counted`: it has a reference, so it counts, as all deletions."""

    line_id: str
    status: str
    error: str | None
    counted: bool

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole answer. `figures` and `groups` cover the lines that have a reference.

    `rows`: of the results. `without_reference`, `blank_reference`: rows left out for having no
    reference, or an empty one. `failed`: failing rows by status, `failed_named` the first of them;
    `worst`: lines by number of edits, which is what label accuracy loses by. `truth`: the manifest the
    references came from, None for the results' own; `truth_unused`: its lines that OUTPUT lacks.
    """

    figures: Figures
    groups: dict[str, Figures]
    confusions: tuple[Confusion, ...]
    confusions_forgotten: int
    worst: tuple[WorstLine, ...]
    failed: dict[str, int]
    failed_named: tuple[FailedLine, ...]
    rows: int
    without_reference: int
    blank_reference: int
    by: str | None
    truth: str | None
    truth_unused: int
    normalisation: Normalisation
    replicates: int

    def fails_under(self, least: float) -> bool:
        """Whether label accuracy is below `least` (or could not be measured): the gate of a pipeline."""
        accuracy = self.figures.label_accuracy
        return accuracy is None or accuracy < least

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; rates are shares (0.82, not 82)."""
        return self.figures.to_json() | {
            "by": self.by,
            "groups": {name: figures.to_json() for name, figures in self.groups.items()},
            "confusions": [confusion.to_json() for confusion in self.confusions],
            "confusions_forgotten": self.confusions_forgotten,
            "worst": [line.to_json() for line in self.worst],
            "failed": {
                "lines": sum(self.failed.values()),
                "by_status": self.failed,
                "named": [line.to_json() for line in self.failed_named],
            },
            "rows": self.rows,
            "without_reference": self.without_reference,
            "blank_reference": self.blank_reference,
            "truth": self.truth,
            "truth_unused": self.truth_unused,
            "normalisation": self.normalisation.to_json() | {"in_words": self.normalisation.sentence()},
            "bootstrap": {"level": 0.95, "unit": "line", "replicates": self.replicates},
        }
