"""Cost against content width: the engine alone on lines of one width after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwr_batch import engine
from hwr_batch.bench.setting import Setting
from hwr_batch.config import Padding
from hwr_batch.engine import EngineOptions
from hwr_batch.records import Pixels

STEPS = 9
LINES = 64  # of each width: two full batches of the recurrent part or more
NARROWEST = 100
WIDEST = 2000  # for networks that take any width


@dataclass(frozen=True, slots=True)
class WidthCost:
    """Milliseconds per line on all cores for lines of `columns` content columns; `full`: nothing left out."""

    columns: int
    milliseconds: float
    full: float | None


def sweep(setting: Setting) -> list[WidthCost]:
    """From narrow to the widest. At the published width every line costs the same: measured once."""
    card = setting.bundle.card
    widths = np.linspace(NARROWEST, card.width or WIDEST, STEPS).astype(int)
    chosen = engine.load(setting.bundle, EngineOptions(setting.precision, setting.padding, setting.cores))
    full = None
    if card.width:
        plain = EngineOptions(setting.precision, Padding.FULL, setting.cores)
        full = _milliseconds(engine.load(setting.bundle, plain), _lines(int(widths[0]), setting))
    return [WidthCost(int(w), _milliseconds(chosen, _lines(int(w), setting)), full) for w in widths]


def _milliseconds(network: engine.Engine, pieces: Sequence[Pixels]) -> float:
    for _ in network.read(pieces[: LINES // 2]):  # kernels for this width are made once
        pass
    begun = time.perf_counter()
    for _ in network.read(pieces):
        pass
    return 1000 * (time.perf_counter() - begun) / len(pieces)


def _lines(columns: int, setting: Setting) -> list[Pixels]:
    """Seeded grey noise: what is written does not change what a dense network costs."""
    card = setting.bundle.card
    shape = (card.height, columns) if card.channels == 1 else (card.height, columns, card.channels)
    random = np.random.default_rng(columns)
    return [random.integers(0, 256, shape, np.uint8) for _ in range(LINES)]
