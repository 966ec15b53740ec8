"""How a model is to be run: validated once, equal options give equal answers on one kind of CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwr_batch.config import Padding, Precision
from hwr_batch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`threads`: cores to use, one stream each; 0 takes what the process may use (see `threads`).

    `several_on_host`: other engines share the machine, so threads are not pinned to cores.
    `top_k`: candidates a frame offers beside its best class; 0 for none. `batches`: how many lines may share
    a run of the recurrent part, and what each such run costs (see `batches.shared_out`); None for what suits
    this CPU. `window`: pieces looked at together where `trim` groups equal widths.
    `ahead`: runs that wait per core while others are busy. `self_check`: compare with the published form
    when the model loads.
    """

    precision: Precision = Precision.F32
    padding: Padding = Padding.EXACT
    threads: int = 0
    several_on_host: bool = False
    top_k: int = 0
    batches: Mapping[int, float] | None = None
    window: int = 1024
    ahead: int = 2
    self_check: bool = True

    def __post_init__(self) -> None:
        for name, value, least in (
            ("threads", self.threads, 0),
            ("top_k", self.top_k, 0),
            *(("batches", size, 1) for size in self.batches or ()),
            ("window", self.window, 1),
            ("ahead", self.ahead, 1),
        ):
            if value < least:
                raise ConfigError(f"engine option {name} must be at least {least}, not {value}")
