"""What the catalog knows of a named model: its files as they must be, and where each is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwr_batch.zoo.card import ModelCard

FP32, FP16, FP16_INT8 = "FP32", "FP16", "FP16-INT8"


@dataclass(frozen=True, slots=True)
class Published:
    """A file on the Open Model Zoo's storage host: `path` follows the origin."""

    path: str


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel of the package index, which the user's own pip finds."""

    requirement: str
    member: str


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file inside this package, under `hwr_batch/models`."""

    path: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model as it must be: `size` in bytes, `digest` lower-case hex of `algorithm`."""

    name: str
    size: int
    algorithm: str
    digest: str
    source: Published | WheelMember | Shipped


@dataclass(frozen=True, slots=True)
class Entry:
    """A named model. `variants`: the arithmetic its weights were published in → all files but the card.

    `shipped`: it lies inside this package and is never downloaded.
    """

    card: ModelCard
    summary: str
    accuracy: str
    variants: Mapping[str, tuple[ModelFile, ...]]
    default_variant: str = FP32
    shipped: bool = False
