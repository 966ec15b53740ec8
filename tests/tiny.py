"""A whole job in small: a network of the published English shape with few channels, and lines to read.

The text it reads is noise, but it is a real network through the real engine: equal input gives equal
bytes, and a thousand lines take seconds.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CHARACTERS = "abcdefghijklmnopqrstuvwxyz "
CONVS, HIDDEN = (4, 4, 6, 6, 8), 8


def write_model(folder: Path, *, seed: int = 1) -> Path:
    """A model folder; another seed is another model."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Any] = {"prelu.slope": np.full(1, 0.25, np.float16)}
    before = 1
    for number, channels in enumerate(CONVS, start=1):
        tensors[f"conv{number}.weight"] = rng.normal(0, (2 / (9 * before)) ** 0.5, (channels, before, 3, 3))
        tensors[f"conv{number}.bias"] = np.zeros(channels)
        before = channels
    tensors["collapse.weight"], tensors["collapse.bias"] = rng.normal(0, 0.3, 12), np.zeros(1)
    for number in range(1, 5):
        size = before if number == 1 else 2 * HIDDEN
        tensors[f"lstm{number}.W"] = rng.normal(0, 0.6, (2, 4 * HIDDEN, size))
        tensors[f"lstm{number}.R"] = rng.normal(0, 0.3, (2, 4 * HIDDEN, HIDDEN))
        tensors[f"lstm{number}.B"] = np.zeros((2, 4 * HIDDEN))
    tensors["fc.weight"] = rng.normal(0, 2, (len(CHARACTERS) + 1, 2 * HIDDEN))
    tensors["fc.bias"] = np.zeros(len(CHARACTERS) + 1)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "weights.npz", **{name: np.asarray(t, np.float16) for name, t in tensors.items()})
    (folder / "charset.txt").write_text("\n".join(CHARACTERS) + "\n")
    (folder / "card.toml").write_text(card("tiny", "weights.npz", "charset.txt"))
    return folder


def card(
    name: str,
    weights: str,
    charset: str,
    *,
    context: str = "recurrent",
    height: int = 96,
    width: int = 2000,
) -> str:
    """A card.toml of a model fed as the Open Model Zoo's are."""
    return f"""name = "{name}"
weights = "{weights}"
charset = "{charset}"
append_space = false
blank = 0
height = {height}
width = {width}
channels = 1
mean = 0.0
scale = 1.0
output = "output"
layout = "TBC"
activation = "logits"
context = "{context}"
languages = ["en"]
license = "CC0-1.0"
"""


def line_image(seed: int, *, width: int | None = None) -> Any:
    """A line of strokes: uint8 (48, width), 0 ink … 255 paper."""
    rng = np.random.default_rng(seed)
    width = width or int(rng.integers(80, 400))
    page = np.full((48, width), 235, np.uint8)
    for _ in range(width // 12):
        start, end = rng.integers((0, 8), (width, 40)), rng.integers((0, 8), (width, 40))
        cv2.line(page, tuple(map(int, start)), tuple(map(int, start + (end - start) // 8)), 30, 2)
    return page


def write_lines(folder: Path, count: int) -> list[dict[str, str]]:
    """`count` PNG lines; the manifest rows that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:05d}.png"), line_image(number))
    return [{"image": f"{number:05d}.png", "text": f"line {number}"} for number in range(count)]


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def parts(output: Path) -> dict[str, bytes]:
    """Every part's bytes, by name."""
    return {path.name: path.read_bytes() for path in sorted(output.glob("part-*.parquet"))}
