"""Interleaved rounds: every contender once a round, each time in a process of its own; medians at the end."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwr_batch.bench.contenders import WAYS, Contender
from hwr_batch.bench.process import in_own_process
from hwr_batch.bench.setting import Measured, Setting


@dataclass(frozen=True, slots=True)
class Outcome:
    """A contender over all rounds.

    `rounds`: lines per second, one each. `lines_per_second`: their median. `loads`: the load average at the
    end of each, None where unknown. `peak_bytes`: the highest.
    `texts_differing`: from the reference's texts in the last round, None where there is nothing to compare.
    """

    contender: Contender
    rounds: tuple[float, ...]
    loads: tuple[float | None, ...]
    peak_bytes: int
    texts_differing: int | None
    facts: Mapping[str, object]

    @property
    def lines_per_second(self) -> float:
        return statistics.median(self.rounds)

    def to_json(self) -> dict[str, object]:
        return {
            "says": self.contender.says,
            "lines_per_second": round(self.lines_per_second, 3),
            "rounds": [round(speed, 3) for speed in self.rounds],
            "load_averages": list(self.loads),
            "peak_bytes": self.peak_bytes,
            "texts_differing": self.texts_differing,
            "facts": dict(self.facts),
        }


def measure(
    contenders: Sequence[Contender], setting: Setting, *, rounds: int, tell: Callable[[str], None]
) -> dict[str, Outcome]:
    """By contender's name. The first contender of way `demo` gives the texts others are compared with."""
    measured: dict[str, list[Measured]] = {contender.name: [] for contender in contenders}
    loads: dict[str, list[float | None]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        turn = number % max(1, len(contenders))  # begin elsewhere each time: a drift hits everyone alike
        for contender in [*contenders[turn:], *contenders[:turn]]:
            answer = _once(contender, setting)
            measured[contender.name].append(answer)
            loads[contender.name].append(load_average())
            tell(_told(number + 1, rounds, contender, answer))
    published = next((measured[c.name][-1].texts for c in contenders if c.way == "demo"), None)
    return {
        contender.name: _outcome(contender, measured[contender.name], loads[contender.name], published)
        for contender in contenders
    }


def _once(contender: Contender, setting: Setting) -> Measured:
    with tempfile.TemporaryDirectory(prefix="hwr-batch-bench-") as scratch:
        changed = replace(setting, scratch=scratch, **contender.changes)
        return in_own_process(WAYS[contender.way], changed)


def _outcome(
    contender: Contender,
    measured: Sequence[Measured],
    loads: Sequence[float | None],
    published: tuple[str | None, ...] | None,
) -> Outcome:
    last = measured[-1]
    differing = None
    if published is not None and last.texts is not None:
        differing = sum(ours != theirs for ours, theirs in zip(last.texts, published, strict=True))
    speeds = tuple(answer.lines_per_second for answer in measured)
    peak = max(answer.peak_bytes for answer in measured)
    return Outcome(contender, speeds, tuple(loads), peak, differing, last.facts)


def _told(number: int, rounds: int, contender: Contender, answer: Measured) -> str:
    load = load_average()
    said = "" if load is None else f", load {load:.1f}"
    return f"round {number}/{rounds}  {contender.name:16}{answer.lines_per_second:9.1f} lines/s{said}"


def load_average() -> float | None:
    """Of the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
