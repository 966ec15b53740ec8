"""One schedule against the ground: strike, run again until it is complete, then prove the promises."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from chaos.ground import SHARD_LINES, Ground
from chaos.schedules import Blow, Schedule
from faults import Fault
from tiny import parts

RUN_SECONDS = 150  # no run of a few hundred lines may take longer, whatever happens to it
RUNS = 4
GONE_SECONDS = 15  # until the processes of a run that ended are gone
OPTIONS = ("--stall-seconds", "8", "--start-timeout", "60", "--max-error-rate", "0.02")


@dataclass(slots=True)
class Trial:
    """`codes`: what the drivers exited with, and what they may, in the order they ended."""

    ground: Ground
    schedule: Schedule
    codes: list[tuple[int, set[int]]] = field(default_factory=list)
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)
    errors: list[Path] = field(default_factory=list)
    allowed: set[int] = field(default_factory=lambda: {0})

    @property
    def name(self) -> str:
        return f"out-{self.schedule.seed}"

    @property
    def output(self) -> Path:
        return self.ground.server.folder / self.name

    def run(self) -> None:
        """Raises AssertionError with what was promised and did not hold."""
        blows = list(self.schedule.blows)
        for _ in range(RUNS):
            self._one_run(blows)
            self.ground.switch_off()
            self.ground.proxy.clear()
            self.ground.mend()
            if self.codes[-1][0] == 0 and not blows:
                break
        self._prove()

    # A run and what hits it

    def _one_run(self, blows: list[Blow]) -> None:
        rng = random.Random(self.schedule.seed)
        self.allowed = {0}
        self._drive()
        deadline = time.monotonic() + RUN_SECONDS
        while any(driver.poll() is None for driver in self.drivers):
            assert time.monotonic() < deadline, f"no end after {RUN_SECONDS} s\n{self._last_words()}"
            share = len(list(self.output.glob("part-*.parquet"))) / self.ground.shards
            if blows and share >= blows[0].at:
                self._strike(blows.pop(0).kind, rng)
            time.sleep(0.05)
        for driver, errors in zip(self.drivers, self._last_words(), strict=True):
            self.codes.append((driver.returncode, self.allowed))
            assert driver.returncode in self.allowed, f"exit code {driver.returncode}\n{errors}"
        self.drivers.clear()

    def _drive(self) -> None:
        manifest = "deadly.csv" if self.schedule.deadly else "manifest.csv"
        address = ("--address", self.ground.cluster.address)
        command = self.ground.command(self.schedule.place, manifest, self.name, *address, *OPTIONS)
        path = self.ground.root / f"{self.name}-{len(self.codes) + len(self.drivers)}.log"
        with path.open("w") as log:
            self.drivers.append(subprocess.Popen(command, stderr=log, stdout=log, text=True))
        self.errors.append(path)

    def _last_words(self) -> list[str]:
        return [path.read_text()[-3000:] for path in self.errors[-len(self.drivers) :]]

    def _strike(self, kind: str, rng: random.Random) -> None:
        getattr(self, f"_{kind}")(rng)

    def _signal_worker(self, rng: random.Random, number: signal.Signals) -> None:
        workers = self.ground.workers()
        if workers:
            try:
                rng.choice(workers).send_signal(number)
            except psutil.NoSuchProcess:
                return

    def _kill_worker(self, rng: random.Random) -> None:
        self._signal_worker(rng, signal.SIGKILL)

    def _stop_worker(self, rng: random.Random) -> None:
        self._signal_worker(rng, signal.SIGSTOP)

    def _notice_worker(self, rng: random.Random) -> None:
        self._signal_worker(rng, signal.SIGTERM)

    def _out_of_memory(self, _: random.Random) -> None:
        self.ground.switch_on("out-of-memory")

    def _memory_error(self, _: random.Random) -> None:
        self.ground.switch_on("memory-error")

    def _kill_raylet(self, rng: random.Random) -> None:
        self.ground.kill_raylet(rng.choice(self.ground.nodes()))

    def _tight_memory(self, _: random.Random) -> None:
        if self.ground.tight is None:
            self.ground.add_tight_node()

    def _second_driver(self, _: random.Random) -> None:
        self._drive()

    def _full_disk(self, rng: random.Random) -> None:
        self.ground.switch_on("full-disk", str(self.output))
        time.sleep(rng.uniform(0.2, 0.8))
        self.ground.switch_off()

    def _disk_stays_full(self, _: random.Random) -> None:
        self.allowed = {6}
        self.ground.switch_on("full-disk", str(self.output))

    def _throttled(self, rng: random.Random) -> None:
        self.ground.proxy.inject(Fault("status", times=rng.randint(5, 40)))

    def _slow_store(self, rng: random.Random) -> None:
        self.ground.proxy.inject(
            Fault("delay", times=rng.randint(5, 20), seconds=rng.uniform(0.2, 1.5)),
            Fault("stall", times=rng.randint(1, 3), seconds=3.0),
        )

    def _cut_puts(self, rng: random.Random) -> None:
        self.ground.proxy.inject(Fault("cut_request", times=rng.randint(1, 5), method="PUT", path="part-"))

    def _cut_answers(self, rng: random.Random) -> None:
        self.ground.proxy.inject(Fault("cut_answer", times=rng.randint(2, 10)))

    def _store_gone(self, _: random.Random) -> None:
        self.allowed = {6}
        self.ground.proxy.inject(Fault("status", times=1_000_000))

    def _kill_driver(self, _: random.Random) -> None:
        self.allowed = {0, -9}
        self.drivers[0].kill()

    def _notice_driver(self, _: random.Random) -> None:
        self.allowed = {0, 143}
        self.drivers[0].send_signal(signal.SIGTERM)

    # What must be true at the end

    def record(self) -> dict[str, Any]:
        """What `_run.json` says of the last run."""
        return json.loads((self.output / "_run.json").read_text())

    def _prove(self) -> None:
        assert self.codes[-1][0] == 0, f"never complete: {self.codes}"
        target = self.ground.uri(self.schedule.place, self.name)
        verify = [sys.executable, "-m", "hwr_batch", "verify", target]
        done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"verify: {done.stdout}{done.stderr}"
        self._prove_parts()
        names = [path.name for path in self.output.rglob("*") if path.is_file()]
        stray = [name for name in names if "tmp" in name.lower() or name.endswith(".partial")]
        assert not stray, f"temporary files: {stray}"
        self._prove_no_upload_open()
        self._prove_nobody_left()

    def _prove_parts(self) -> None:
        found = parts(self.output)
        if not self.schedule.deadly:
            differing = [name for name, data in self.ground.undisturbed.items() if found.get(name) != data]
            assert found == self.ground.undisturbed, f"parts differ: {differing}"
            return
        deadly = set(self.ground.deadly_rows())
        for number, (name, data) in enumerate(self.ground.undisturbed.items()):
            want, got = pq.read_table(pa.BufferReader(data)), pq.read_table(pa.BufferReader(found[name]))
            for row, (expected, actual) in enumerate(zip(want.to_pylist(), got.to_pylist(), strict=True)):
                if number * SHARD_LINES + row in deadly:
                    assert actual["status"] == "worker_crashed", f"{name} row {row}: {actual['status']}"
                else:
                    assert actual == expected, f"{name} row {row}"

    def _prove_no_upload_open(self) -> None:
        """Parts of this size take one put; an upload in pieces would have to be completed or aborted."""
        seen = self.ground.proxy.requests
        begun = sum(r.method == "POST" and "uploads" in r.path for r in seen)
        ended = sum(r.method in ("POST", "DELETE") and "uploadId" in r.path for r in seen)
        assert begun == ended, f"{begun} multipart uploads begun, {ended} ended"

    def _prove_nobody_left(self) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while left := self.ground.workers():
            assert time.monotonic() < deadline, f"workers left behind: {left}"
            time.sleep(0.1)
