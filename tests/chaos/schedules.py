"""What goes wrong in one schedule: a pure function of its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Place = Literal["local", "s3"]

WORKERS = ("kill_worker", "stop_worker", "notice_worker", "out_of_memory", "memory_error")
CLUSTER = ("kill_raylet", "tight_memory", "second_driver")
DISK = ("full_disk", "disk_stays_full")
STORE = ("throttled", "slow_store", "cut_puts", "cut_answers", "store_gone")
DRIVER = ("kill_driver", "notice_driver")
LINES = ("deadly_lines",)
KINDS = (*WORKERS, *CLUSTER, *DISK, *STORE, *DRIVER, *LINES)
ENDING = {"kill_driver", "notice_driver", "disk_stays_full", "store_gone"}  # of these one is enough


@dataclass(frozen=True, slots=True)
class Blow:
    """`kind` happens once this share of the parts is there."""

    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """`deadly`: some images end the process that decodes them."""

    seed: int
    place: Place
    deadly: bool
    blows: tuple[Blow, ...]

    def __str__(self) -> str:
        blows = " ".join(f"{blow.kind}@{blow.at:.2f}" for blow in self.blows)
        return f"seed {self.seed}: {self.place} {'deadly_lines ' if self.deadly else ''}{blows}"


def schedule(seed: int) -> Schedule:
    """Every kind comes first in one of len(KINDS) consecutive seeds; one to three others join it."""
    rng = random.Random(seed)
    first = KINDS[seed % len(KINDS)]
    place: Place = "local" if first in DISK else "s3" if first in STORE else rng.choice(("local", "s3"))
    possible = [*WORKERS, *CLUSTER, *DRIVER, *LINES, *(DISK if place == "local" else STORE)]
    kinds = [first]
    for kind in rng.sample(possible, rng.randint(1, 3)):
        if kind not in kinds and not (kind in ENDING and ENDING & set(kinds)):
            kinds.append(kind)
    blows = sorted(
        (Blow(kind, rng.uniform(0.05, 0.8)) for kind in kinds if kind not in LINES), key=lambda blow: blow.at
    )
    return Schedule(seed, place, "deadly_lines" in kinds, tuple(blows))
