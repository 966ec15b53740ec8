"""Who takes part: ways of reading, each with what it changes in the setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwr_batch.bench import arithmetic, demo_way, job_way, limit_way, ray_data_way
from hwr_batch.bench.process import Way
from hwr_batch.config import Padding, Precision
from hwr_batch.zoo.card import Context, ModelCard

BATCHED = 16  # lines per request of the Ray Data job where the network takes them together

WAYS: dict[str, Way] = {
    "demo": demo_way.read,
    "ray-data": ray_data_way.read,
    "hwr-batch": job_way.read,
    "limit": limit_way.read,
    "arithmetic": arithmetic.read,
}


@dataclass(frozen=True, slots=True)
class Contender:
    """`name`: in the report. `way`: a name of `WAYS`. `says`: for people. `changes`: of `Setting`."""

    name: str
    way: str
    says: str
    changes: Mapping[str, Any] = field(default_factory=dict)


def compared(
    card: ModelCard, without: Sequence[str], main: tuple[Precision, Padding], also: Sequence[str]
) -> list[Contender]:
    """The five ways, and the job again for every variant in `also` (a precision or a padding)."""
    precision, padding = main
    changes = {"precision": precision, "padding": padding}
    found = [
        Contender("demo", "demo", "the demo's way, one request, f32"),
        Contender("ray-data", "ray-data", f"a usual Ray Data job, {_usual(card)}"),
        *_batched(card),
        Contender("hwr-batch", "hwr-batch", f"hwr-batch, {precision}, padding {padding}", changes),
        Contender("limit", "limit", "its networks alone, all cores", changes),
        Contender("arithmetic", "arithmetic", "content FLOPs at matrix-product speed", changes),
        *(variant for name in also for variant in _variants(name, changes)),
    ]
    return [
        contender for contender in found if contender.way not in without and contender.name not in without
    ]


def actor_sweep(cores: int) -> list[Contender]:
    """The job with the same cores shared out otherwise, and with fewer cores."""
    shapes = sorted({(1, cores), (cores, 1)}) if cores > 1 else []
    shared = [
        Contender(f"{a}x{c}", "hwr-batch", f"{a} actors of {c} CPUs", {"actors": a, "cpus_per_actor": c})
        for a, c in shapes
    ]
    return shared + [
        Contender(f"{count} cores", "hwr-batch", f"{count} of the cores", {"cores": count})
        for count in _doubling(cores)
    ]


def _doubling(cores: int) -> Iterator[int]:
    count = 1
    while count < cores:
        yield count
        count *= 2
    yield cores


def _usual(card: ModelCard) -> str:
    return "sorted, padded to the batch" if card.context is Context.GLOBAL else "full width, f32"


def _batched(card: ModelCard) -> Iterator[Contender]:
    """That job knowing the network better (many lines in one run of the recurrence) or less well."""
    if card.context is Context.RECURRENT:
        says = f"the same, {BATCHED} lines a request"
        yield Contender(f"ray-data-{BATCHED}", "ray-data", says, {"batch": BATCHED})
    if card.context is Context.GLOBAL:
        says = "the same, lines as they come"
        yield Contender("ray-data-unsorted", "ray-data", says, {"sort_widths": False})


def _variants(name: str, changes: Mapping[str, Any]) -> Iterator[Contender]:
    """The job and its limit with one option changed."""
    precise = name in {precision.value for precision in Precision}
    changed = {**changes, "precision": Precision(name)} if precise else {**changes, "padding": Padding(name)}
    yield Contender(f"hwr-batch {name}", "hwr-batch", f"hwr-batch, {name}", changed)
    yield Contender(f"limit {name}", "limit", f"its networks alone, {name}", changed)
