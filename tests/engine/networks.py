"""The published networks in small, with seeded noise for weights, and models made of them.

`english_tensors` feeds the package's own builder; `chinese` is the residual network with squeeze-excitation,
its answer flattened into bands, as the published simplified-Chinese IR has it; `japanese` the same without.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from hwr_batch.engine import Engine, EngineOptions
from hwr_batch.records import Frames, Pixels
from hwr_batch.zoo.card import Activation, Context, Layout, ModelBundle, ModelCard

CLASSES = 23
WIDTH = 2000


def card(weights: str = "net.xml", context: Context = Context.CONVOLUTIONAL, **changes: Any) -> ModelCard:
    fields: dict[str, Any] = {
        "name": "small",
        "weights": weights,
        "charset": "chars.txt",
        "append_space": False,
        "blank": 0,
        "height": 96,
        "width": WIDTH,
        "channels": 1,
        "mean": 0.0,
        "scale": 1.0,
        "output": "output",
        "layout": Layout.TBC,
        "activation": Activation.LOGITS,
        "context": context,
        "languages": ("en",),
        "license": "Apache-2.0",
    }
    return ModelCard(**{**fields, **changes})


def bundle(network: ov.Model, folder: Path, *, classes: int = CLASSES, **changes: Any) -> ModelBundle:
    """A model bundle of an .xml and .bin, as if it had been loaded from a folder."""
    ov.serialize(network, folder / "net.xml", folder / "net.bin")
    files = {name: (folder / name).read_bytes() for name in ("net.xml", "net.bin")}
    return ModelBundle(card(**changes), charset(classes), files, {})


def charset(classes: int) -> tuple[str, ...]:
    return tuple(chr(0x4E00 + i) for i in range(classes - 1))


def english_tensors(seed: int = 3) -> dict[str, NDArray[np.float32]]:
    """The tensors of `weights.npz`, far fewer of each."""
    random, channels, hidden = np.random.default_rng(seed), (1, 4, 4, 6, 6, 8), 8
    tensors: dict[str, Any] = {"prelu.slope": np.array([0.25]), "collapse.bias": np.array([0.1])}
    for i, (fan_in, fan_out) in enumerate(pairwise(channels), 1):
        tensors[f"conv{i}.weight"] = _noise(random, fan_out, fan_in, 3, 3)
        tensors[f"conv{i}.bias"] = random.normal(0, 0.1, fan_out)
    tensors["collapse.weight"] = random.normal(0, 1, 12)
    for i, features in enumerate((8, *[2 * hidden] * 3), 1):
        tensors[f"lstm{i}.W"] = random.normal(0, 0.5, (2, 4 * hidden, features))
        tensors[f"lstm{i}.R"] = random.normal(0, 0.5, (2, 4 * hidden, hidden))
        tensors[f"lstm{i}.B"] = random.normal(0, 0.2, (2, 4 * hidden))
    tensors["fc.weight"] = random.normal(0, 2, (CLASSES, 2 * hidden))
    tensors["fc.bias"] = random.normal(0, 0.5, CLASSES)
    return {name: np.asarray(values, np.float32) for name, values in tensors.items()}


def chinese(seed: int = 5) -> ov.Model:
    """Five poolings, four squeeze-excitation blocks, three bands of 62 frames."""
    random = np.random.default_rng(seed)
    image, x = _image()
    x = _pool(ops.relu(_conv(random, ops.relu(_conv(random, x, 1, 4)), 4, 4)))
    for fan_in, fan_out in ((4, 6), (6, 6), (6, 8), (8, 8)):
        y = _squeeze_excite(
            random, _conv(random, ops.relu(_conv(random, x, fan_in, fan_out)), fan_out, fan_out)
        )
        x = ops.relu(ops.add(y, _conv(random, x, fan_in, fan_out, size=1)))
        x = _pool(ops.relu(_conv(random, x, fan_out, fan_out)))
    return banded(image, x, random)


def japanese(seed: int = 7) -> ov.Model:
    """Five poolings, batch norm spelled out, no global means."""
    random = np.random.default_rng(seed)
    image, x = _image()
    for fan_in, fan_out in ((1, 4), (4, 4), (4, 6), (6, 8), (8, 8)):
        x = ops.subtract(
            _conv(random, x, fan_in, fan_out), random.normal(0, 0.1, (1, fan_out, 1, 1)).astype("f4")
        )
        x = _pool(ops.relu(ops.multiply(x, random.normal(1, 0.1, (1, fan_out, 1, 1)).astype("f4"))))
    return banded(image, x, random)


def banded(image: Any, x: Any, random: np.random.Generator) -> ov.Model:
    """The published tail: rows flattened into bands, a fully connected layer, frames first."""
    _, channels, rows, columns = x.get_shape()
    flat = ops.reshape(x, np.array([1, channels, rows * columns]), False)
    frames = ops.transpose(flat, np.array([0, 2, 1]))
    weights, bias = _lively(frames, image, random.normal(0, 1, (CLASSES, channels)))
    logits = ops.add(ops.matmul(frames, weights, False, True), bias)
    return named(ops.reshape(logits, np.array([-1, 1, CLASSES]), False), image)


def _lively(frames: Any, image: Any, weights: NDArray[np.float64]) -> tuple[Any, Any]:
    """`weights` and a bias for features as they vary along a line, so that the best class varies too."""
    trunk = ov.compile_model(ov.Model([frames.output(0)], [image], "trunk"), "CPU")
    pixels = np.full((1, 1, 96, WIDTH), 235, np.float32)
    pixels[..., :1000] = line(1000, seed=100)
    features = trunk([pixels])[0][0]
    scaled = weights / (features.std(axis=0) + 1e-3)
    return scaled.astype("f4"), (-scaled @ features.mean(axis=0)).reshape(1, 1, -1).astype("f4")


def named(output: Any, image: Any) -> ov.Model:
    output.output(0).set_names({"output"})
    return ov.Model([output.output(0)], [image], "small")


def image(width: int = WIDTH) -> Any:
    return ops.parameter([1, 1, 96, width], np.float32)


def _image() -> tuple[Any, Any]:
    parameter = image()
    return parameter, ops.divide(ops.subtract(parameter, np.float32(127.5)), np.float32(127.5))


def _noise(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return np.asarray(random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:])), np.float32)


def _conv(random: np.random.Generator, x: Any, fan_in: int, fan_out: int, *, size: int = 3) -> Any:
    pad = [size // 2, size // 2]
    y = ops.convolution(x, _noise(random, fan_out, fan_in, size, size), [1, 1], pad, pad, [1, 1])
    return ops.add(y, random.normal(0, 0.1, (1, fan_out, 1, 1)).astype("f4"))


def _pool(x: Any) -> Any:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _squeeze_excite(random: np.random.Generator, x: Any) -> Any:
    """A gate per channel from the mean over the whole image, its reshapes spelled with ShapeOf."""
    channels = x.get_output_shape(0)[1]
    mean = ops.reduce_mean(x, np.array([2, 3]), True)
    outer = ops.gather(ops.shape_of(x), np.array([0, 1]), np.int64(0))
    hidden = ops.matmul(ops.reshape(mean, outer, False), _noise(random, 4, channels), False, True)
    gate = ops.sigmoid(ops.matmul(ops.relu(hidden), _noise(random, channels, 4) * 3, False, True))
    shape = ops.concat([outer, np.array([1, 1])], axis=0)
    return ops.multiply(x, ops.reshape(gate, shape, False))


def line(width: int, *, seed: int = 0, height: int = 96, channels: int = 1) -> Pixels:
    """Paper with dark strokes, the last column as busy as the rest: uint8 (height, width[, channels])."""
    random = np.random.default_rng((seed, width))
    shape = (height, width) if channels == 1 else (height, width, channels)
    coarse = random.random((height // 6 + 1, width // 5 + 1)) < 0.35
    ink = np.kron(coarse, np.ones((6, 5), bool))[:height, :width]
    noise = random.integers(0, 40, shape, np.uint8)
    return np.where(ink if channels == 1 else ink[..., None], noise, 215 + noise).astype(np.uint8)


def read(engine: Engine, pieces: list[Pixels]) -> list[Frames]:
    return list(engine.read(pieces))


def same_bytes(first: list[Frames], second: list[Frames]) -> bool:
    def raw(frames: list[Frames]) -> list[tuple[bytes, bytes]]:
        return [(f.classes.tobytes(), f.log_probs.tobytes()) for f in frames]

    return raw(first) == raw(second)


def options(**changes: Any) -> EngineOptions:
    return EngineOptions(**{"threads": 2, "several_on_host": True, **changes})


def npz_bytes(tensors: Mapping[str, NDArray[Any]], folder: Path) -> bytes:
    np.savez(folder / "weights.npz", **tensors)  # type: ignore[arg-type]
    return (folder / "weights.npz").read_bytes()
