"""What one way of reading is told, and what it answers: plain records that travel to a process and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwr_batch.config import Padding, Precision
from hwr_batch.zoo.card import ModelBundle


@dataclass(frozen=True, slots=True)
class BenchLine:
    """One line as an image file of its own: absolute path, source size in pixels."""

    line_id: str
    path: str
    width: int
    height: int

    def columns(self, height: int) -> int:
        """Its width at the network's height, as the published preprocessing rounds it."""
        return max(1, height * self.width // self.height)


@dataclass(frozen=True, slots=True)
class Setting:
    """One measurement: these lines, this model, these cores.

    `manifest`: a CSV of the lines. `scratch`: an empty folder to write results to. `cores`: CPUs the process
    and its children may use. `actors`, `cpus_per_actor`: of the whole job, None for its own choice. `batch`:
    lines per request in the Ray Data job; `sort_widths`: whether it puts lines of like width together first,
    where a network takes any width.
    """

    bundle: ModelBundle
    lines: tuple[BenchLine, ...]
    manifest: str
    scratch: str
    cores: int
    precision: Precision = Precision.F32
    padding: Padding = Padding.EXACT
    actors: int | None = None
    cpus_per_actor: int | None = None
    batch: int = 1
    sort_widths: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement's answer: `lines` in `seconds`, start-up left out.

    `peak_bytes`: resident memory of the process that held the network. `texts`: in the order of the lines,
    None for a way that reads no text. `facts`: whatever explains the number.
    """

    seconds: float
    lines: int
    peak_bytes: int
    texts: tuple[str | None, ...] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def lines_per_second(self) -> float:
        return self.lines / self.seconds
