"""What a benchmark found: figures with their configuration, as records, JSON and sentences."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from hwr_batch import __version__
from hwr_batch.bench.rounds import Outcome, load_average
from hwr_batch.bench.width_sweep import WidthCost

SCHEMA_VERSION = 1
RATIOS = (("hwr-batch", "demo"), ("hwr-batch", "ray-data"), ("hwr-batch", "limit"), ("limit", "arithmetic"))
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model's figures. `mean_columns`: mean content width at the network's height, `height`."""

    model: str
    height: int
    width: int
    lines: int
    left_out: int
    mean_columns: float
    outcomes: Mapping[str, Outcome]
    actors: Mapping[str, Outcome] = field(default_factory=dict)
    widths: tuple[WidthCost, ...] = ()

    def ratios(self) -> dict[str, float]:
        """How many times as fast one way is as another, where both were measured."""
        pairs = [*RATIOS, *((name, other) for name in self._variants() for other in ("demo", "hwr-batch"))]
        pairs += [(name, name.replace("hwr-batch", "limit", 1)) for name in self._variants()]
        speeds = {name: outcome.lines_per_second for name, outcome in self.outcomes.items()}
        return {f"{a} / {b}": speeds[a] / speeds[b] for a, b in pairs if a in speeds and b in speeds}

    def _variants(self) -> list[str]:
        return [name for name in self.outcomes if name.startswith("hwr-batch ")]

    def to_json(self) -> dict[str, object]:
        return {
            "model": self.model,
            "network_height": self.height,
            "published_width": self.width,
            "lines": self.lines,
            "lines_left_out": self.left_out,
            "mean_content_columns": round(self.mean_columns, 1),
            "ways": {name: outcome.to_json() for name, outcome in self.outcomes.items()},
            "ratios": {name: round(ratio, 3) for name, ratio in self.ratios().items()},
            "actors": {name: outcome.to_json() for name, outcome in self.actors.items()},
            "widths": [asdict(cost) for cost in self.widths],
        }

    def sentences(self) -> Iterator[str]:
        left_out = f", {self.left_out} left out" if self.left_out else ""
        width = f"mean content width {self.mean_columns:.0f} at height {self.height}"
        yield f"{self.model}: {self.lines} lines, {width}{left_out}"
        for name, outcome in [*self.outcomes.items(), *self.actors.items()]:
            differing = "" if outcome.texts_differing is None else f"  {outcome.texts_differing} texts differ"
            peak = f"{outcome.peak_bytes / MEBIBYTE:6.0f} MiB"
            yield f"  {name:18}{outcome.lines_per_second:9.1f} lines/s {peak}{differing}"
        for name, ratio in self.ratios().items():
            yield f"  {name}: {ratio:.2f}"
        for cost in self.widths:
            full = "" if cost.full is None else f" (published width: {cost.full:.1f})"
            yield f"  {cost.columns:5} columns: {cost.milliseconds:6.2f} ms a line{full}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. `load`: the one-minute load average before and after, None where unknown."""

    cpu: str
    cores: int
    versions: Mapping[str, str]
    load: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole benchmark. `rounds`: medians are over so many. `source`: where the lines come from."""

    machine: Machine
    source: str
    rounds: int
    models: tuple[ModelReport, ...]
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "made": self.made.isoformat(timespec="seconds"),
            "machine": asdict(self.machine),
            "lines_from": self.source,
            "rounds": self.rounds,
            "timed": "without start-up; with reading images and, in ray-data and hwr-batch, writing Parquet",
            "models": [model.to_json() for model in self.models],
        }


def machine(cpu: str, cores: int, load_before: float | None) -> Machine:
    versions = {
        name: version(name) for name in ("openvino", "ray", "numpy", "opencv-python-headless", "pyarrow")
    }
    versions |= {"hwr-batch": __version__, "python": platform.python_version()}
    return Machine(cpu, cores, versions, (load_before, load_average()))
