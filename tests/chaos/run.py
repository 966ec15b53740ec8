"""Run schedules of faults: python -m chaos.run [--lines N] SEED… (a seed, or a range such as 1-20)."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from chaos.ground import Ground, ground
from chaos.schedules import schedule
from chaos.trial import Trial


def attempt(made: Ground, seed: int) -> bool:
    plan = schedule(seed)
    print(plan, flush=True)
    trial, begun = Trial(made, plan), time.monotonic()
    try:
        trial.run()
    except AssertionError as broken:
        print(f"  FAILED after {time.monotonic() - begun:.1f} s: {broken}", flush=True)
        return False
    codes = ", ".join(str(code) for code, _ in trial.codes)
    print(f"  held, {time.monotonic() - begun:.1f} s, exit codes {codes}", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="+")
    parser.add_argument("--lines", type=int, default=1200)
    asked = parser.parse_args()
    seeds = [seed for text in asked.seeds for seed in _range(text)]
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder) / "ground", asked.lines) as made:
        broken = []
        for seed in seeds:
            if not attempt(made, seed):
                broken.append(seed)
                for driver in made.workers():
                    driver.kill()
    print(f"{len(seeds) - len(broken)} of {len(seeds)} schedules held{f', not {broken}' if broken else ''}")
    return 1 if broken else 0


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
