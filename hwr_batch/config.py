"""Everything a run can be told, validated once.

`ReadingOptions` decides what comes out and is part of the fingerprint; `RunOptions` decides where and
how fast, and never changes a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hwr_batch.calibrate.calibration import Calibration, check_precision
from hwr_batch.errors import ConfigError


class Precision(StrEnum):
    """Arithmetic of the network. `int8` picks the published FP16-INT8 files where they exist."""

    F32 = "f32"
    BF16 = "bf16"
    INT8 = "int8"


class Padding(StrEnum):
    """How the published width is honoured: left out exactly, kept, or cut at the user's own risk."""

    EXACT = "exact"
    FULL = "full"
    TRIM = "trim"


class Wide(StrEnum):
    """What happens to a line wider than the model: read in pieces, squeezed, or refused."""

    SPLIT = "split"
    FIT = "fit"
    REJECT = "reject"


class Binarize(StrEnum):
    """Page binarisation before lines are cropped; `gnhk` is the published English recipe."""

    NONE = "none"
    GNHK = "gnhk"


def _at_least(name: str, value: float, least: int) -> None:
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, not {value}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on what one image may cost, checked before decoding. Bytes and pixels."""

    image_bytes: int = 64 * 1024 * 1024
    image_pixels: int = 200_000_000

    def __post_init__(self) -> None:
        _at_least("max image bytes", self.image_bytes, 1)
        _at_least("max image pixels", self.image_pixels, 1)


@dataclass(frozen=True, slots=True)
class Review:
    """How lines are judged. `calibration`: the content of a file that `hwr-batch calibrate` wrote;
    `precision`: the share of right lines expected among those accepted without review."""

    calibration: bytes
    precision: float = 0.98

    def __post_init__(self) -> None:
        check_precision(self.precision)
        Calibration.loads(self.calibration, name="--calibration")


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What decides the results. Two runs with equal options on the same CPU kind give equal bytes.

    `allowed_chars`: the designated characters, or None for all of the model's; `top_k`: how many
    candidates a frame offers when its best character is not allowed. `review`: None leaves lines unjudged.
    """

    precision: Precision = Precision.F32
    padding: Padding = Padding.EXACT
    wide: Wide = Wide.SPLIT
    binarize: Binarize | None = None  # None: what the model card asks for
    allowed_chars: str | None = None
    top_k: int = 20
    limits: Limits = Limits()
    review: Review | None = None

    def __post_init__(self) -> None:
        _at_least("--top-k", self.top_k, 1)
        if self.allowed_chars is not None and not self.allowed_chars:
            raise ConfigError("--allow-chars: the file is empty; name at least one character")


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Who else an untrusted manifest may read from: local folders and URL prefixes."""

    allow_roots: tuple[Path, ...] = ()
    allow_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where and how fast. `actors`, `cpus_per_actor`: None is `auto`; 0 actors runs in-process.

    `stall_seconds`: a worker whose shards do not move for so long is killed. `start_timeout`: seconds
    without a single worker ready until the run is given up. `max_actor_memory`: resident bytes beyond which
    a worker is replaced between two shards; None: its share of the node.
    """

    address: str = "local"
    actors: int | None = None
    cpus_per_actor: int | None = None
    max_error_rate: float = 0.01
    retry_failed: bool = False
    stall_seconds: float = 300.0
    start_timeout: float = 600.0
    max_actor_memory: int | None = None

    def __post_init__(self) -> None:
        if self.actors is not None:
            _at_least("--actors", self.actors, 0)
        if self.cpus_per_actor is not None:
            _at_least("--cpus-per-actor", self.cpus_per_actor, 1)
        _at_least("--stall-seconds", self.stall_seconds, 1)
        _at_least("--start-timeout", self.start_timeout, 1)
        if self.max_actor_memory is not None:
            _at_least("--max-actor-memory", self.max_actor_memory, 1)
        if not 0 <= self.max_error_rate <= 1:
            raise ConfigError(f"--max-error-rate is a share from 0 to 1, not {self.max_error_rate}")


@dataclass(frozen=True, slots=True)
class JobConfig:
    """One run of `recognize`: what to read, with what, where the results go, and how."""

    manifest: str
    output: str
    model: str
    reading: ReadingOptions = ReadingOptions()
    access: AccessOptions = AccessOptions()
    run: RunOptions = RunOptions()
    shard_lines: int | None = None  # None: chosen from the number of rows (hwr_batch.plan)
    limit: int | None = None

    def __post_init__(self) -> None:
        for name, value in _named(self.manifest, self.output, self.model):
            if not value:
                raise ConfigError(f"{name} is empty")
        if self.shard_lines is not None:
            _at_least("--shard-lines", self.shard_lines, 1)
        if self.limit is not None:
            _at_least("--limit", self.limit, 1)


def _named(manifest: str, output: str, model: str) -> Iterable[tuple[str, str]]:
    return (("MANIFEST", manifest), ("OUTPUT", output), ("--model", model))
