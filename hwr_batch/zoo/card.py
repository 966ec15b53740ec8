"""A model is a folder with a card: `card.toml` says how to feed the network and read its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """Axis order of the output: frames, batch, classes in the published IRs; batch first elsewhere."""

    TBC = "TBC"
    BTC = "BTC"


class Activation(StrEnum):
    LOGITS = "logits"
    PROBABILITIES = "probabilities"


class Context(StrEnum):
    """How far an input column reaches: a fixed radius, the whole sequence in order, or everything."""

    CONVOLUTIONAL = "convolutional"
    RECURRENT = "recurrent"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """`card.toml`, checked. `width` 0 takes any width; lines are (x - mean) / scale outside the graph's
    own normalisation; `binarize` is the page binarisation the accuracy was published with ("none" or
    "gnhk")."""

    name: str
    weights: str
    charset: str
    append_space: bool
    blank: int
    height: int
    width: int
    channels: int
    mean: float
    scale: float
    output: str
    layout: Layout
    activation: Activation
    context: Context
    languages: tuple[str, ...]
    license: str
    binarize: str = "none"


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A model in memory, as actors receive it.

    `charset`: the C - 1 characters of classes other than blank, in class order. `files`: name → bytes
    of the weight files (.xml and .bin, .onnx, or .npz). `digests`: name → SHA-256 of every file.
    """

    card: ModelCard
    charset: tuple[str, ...]
    files: Mapping[str, bytes]
    digests: Mapping[str, str]
