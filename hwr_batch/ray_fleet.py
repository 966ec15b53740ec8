"""The actors of a run, and the calls to them that have not come back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import ray

from hwr_batch.orders import WorkOrder
from hwr_batch.ray_actor import Pulse, ShardActor
from hwr_batch.schedule import Task
from hwr_batch.zoo.card import ModelBundle

SILENT = Pulse({}, 0, leaving=False)


class Asked(Enum):
    """What a call is for."""

    LOAD = "load"
    PROCESS = "process"
    PULSE = "pulse"


@dataclass(frozen=True, slots=True)
class Call:
    """`task`: of a PROCESS call, else None."""

    actor: int
    asked: Asked
    task: Task | None = None


class Fleet:
    """Actors by number, with `cpus` cores each and room for `tasks_at_once`.

    Ray's `max_restarts` and `max_task_retries` stay 0: an actor that is gone is gone.
    """

    def __init__(self, bundle: ModelBundle, order: WorkOrder, *, cpus: int, tasks_at_once: int) -> None:
        self._bundle, self._order = ray.put(bundle), ray.put(order)
        self._class = ray.remote(concurrency_groups={"status": 1})(ShardActor).options(
            num_cpus=cpus,
            max_concurrency=tasks_at_once,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._handles: dict[int, Any] = {}
        self._nodes: dict[int, str] = {}
        self._pulses: dict[int, Pulse] = {}
        self._calls: dict[Any, Call] = {}
        self._asked: set[int] = set()  # actors whose pulse has not come back
        self._started = 0

    def __len__(self) -> int:
        return len(self._handles)

    def __contains__(self, actor: int) -> bool:
        return actor in self._handles

    def start(self) -> int:
        """The number of a new actor, which begins to load at once."""
        self._started += 1
        handle = self._handles[self._started] = self._class.remote()
        load = handle.load.remote(self._bundle, self._order)
        self._calls[load] = Call(self._started, Asked.LOAD)
        return self._started

    def end(self, actor: int) -> str | None:
        """Kill it, dead or alive: one merely out of reach would keep its slot. Returns its node's id."""
        ray.kill(self._handles.pop(actor), no_restart=True)
        self._pulses.pop(actor, None)
        return self._nodes.pop(actor, None)

    def placed(self, actor: int, node: str) -> None:
        self._nodes[actor] = node

    def process(self, actor: int, task: Task) -> None:
        call = self._handles[actor].process.remote(task)
        self._calls[call] = Call(actor, Asked.PROCESS, task)

    def ask_pulses(self) -> None:
        """Ask every actor that does not owe an answer from before."""
        for actor in self._handles.keys() - self._asked:
            call = self._handles[actor].pulse.options(concurrency_group="status").remote()
            self._calls[call] = Call(actor, Asked.PULSE)
            self._asked.add(actor)

    def remember(self, actor: int, pulse: Pulse) -> Pulse:
        """Keep the newest pulse; returns the one before."""
        before = self._pulses.get(actor, SILENT)
        self._pulses[actor] = pulse
        return before

    def rows_in_flight(self) -> int:
        """Rows read so far of tasks that are not done."""
        return sum(sum(pulse.rows.values()) for pulse in self._pulses.values())

    @property
    def busy(self) -> bool:
        return any(call.task for call in self._calls.values())

    def returned(self, timeout: float) -> Iterator[tuple[Call, Any]]:
        """Calls that came back within `timeout` seconds, with what `ray.get` takes. Those of actors that were
        ended meanwhile are left out."""
        if not self._calls:
            time.sleep(timeout)
        ready: list[Any] = []
        if self._calls:
            ready, rest = ray.wait(list(self._calls), num_returns=1, timeout=timeout, fetch_local=False)
            if rest:
                ready += ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        for ref in ready:
            call = self._calls.pop(ref)
            if call.asked is Asked.PULSE:
                self._asked.discard(call.actor)
            if call.actor in self._handles:
                yield call, ref
