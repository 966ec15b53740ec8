"""A benchmark from its options to its report: the table of contents."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import openvino as ov

from hwr_batch.bench import contenders, width_sweep
from hwr_batch.bench.lines import LineSet, gathered_lines, made_lines, write_manifest
from hwr_batch.bench.process import in_own_process
from hwr_batch.bench.report import ModelReport, Report, machine
from hwr_batch.bench.rounds import load_average, measure
from hwr_batch.bench.setting import Setting
from hwr_batch.config import AccessOptions, Padding, Precision
from hwr_batch.cores import usable_cores
from hwr_batch.errors import ConfigError
from hwr_batch.zoo.card import ModelBundle

VARIANTS = (Precision.BF16.value, Padding.TRIM.value, Padding.FULL.value)

IDLE = 0.3  # load per core above which a machine is not idle enough to measure on


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """`lines`: at most so many of the manifest, or made. `cores`: None for all that the process may use.

    `also`: variants of the job measured beside it, out of `VARIANTS`. `without`: ways that are left out.
    """

    manifest: str | None = None
    lines: int = 320
    rounds: int = 3
    cores: int | None = None
    precision: Precision = Precision.F32
    padding: Padding = Padding.EXACT
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    sweep: bool = False
    access: AccessOptions = field(default_factory=AccessOptions)

    def __post_init__(self) -> None:
        for name, value in (("--lines", self.lines), ("--rounds", self.rounds)):
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")
        if self.cores is not None and not 1 <= self.cores <= usable_cores():
            raise ConfigError(f"--cores is from 1 to {usable_cores()} here, not {self.cores}")
        for name in self.also:
            if name not in VARIANTS:
                raise ConfigError(f"--also takes {', '.join(VARIANTS)}, not {name!r}")
        for name in self.without:
            if name not in contenders.WAYS:
                raise ConfigError(f"--without takes {', '.join(contenders.WAYS)}, not {name!r}")


def run(bundles: Sequence[ModelBundle], options: BenchOptions, tell: Callable[[str], None]) -> Report:
    """Measure every model on the same lines. Raises ConfigError, ManifestError, ModelError, StorageError."""
    cores, load = options.cores or usable_cores(), load_average()
    if load is not None and load > IDLE * cores:
        tell(f"warning: other work is running (load {load:.1f} on {cores} cores): figures will be too low")
    with tempfile.TemporaryDirectory(prefix="hwr-batch-bench-") as folder:
        lines = _lines(options, Path(folder))
        models = tuple(_model(bundle, lines, options, cores, Path(folder), tell) for bundle in bundles)
    cpu = str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME"))
    return Report(machine(cpu, cores, load), lines.source, options.rounds, models)


def _lines(options: BenchOptions, folder: Path) -> LineSet:
    if options.manifest is None:
        return made_lines(options.lines, folder)
    return gathered_lines(options.manifest, options.lines, options.access, folder)


def _model(
    bundle: ModelBundle,
    lines: LineSet,
    options: BenchOptions,
    cores: int,
    folder: Path,
    tell: Callable[[str], None],
) -> ModelReport:
    card = bundle.card
    fitting = lines.fitting(card.height, card.width)
    manifest = write_manifest(fitting.lines, folder / "manifest.csv")
    setting = Setting(bundle, fitting.lines, manifest, str(folder), cores, options.precision, options.padding)
    tell(f"{card.name}: {len(fitting.lines)} lines, {cores} cores")
    chosen = contenders.compared(card, options.without, (options.precision, options.padding), options.also)
    outcomes = measure(chosen, setting, rounds=options.rounds, tell=tell)
    swept = contenders.actor_sweep(cores) if options.sweep else []
    return ModelReport(
        model=card.name,
        height=card.height,
        width=card.width,
        lines=len(fitting.lines),
        left_out=fitting.left_out,
        mean_columns=fitting.mean_columns(card.height),
        outcomes=outcomes,
        actors=measure(swept, setting, rounds=options.rounds, tell=tell),
        widths=tuple(in_own_process(width_sweep.sweep, setting)) if options.sweep else (),
    )
