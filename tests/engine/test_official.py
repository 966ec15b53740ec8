"""The official topologies, where they are at hand: the published answer, and our builder against theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from hwr_batch import image, preprocess
from hwr_batch.config import Padding, Wide
from hwr_batch.engine import english, load
from hwr_batch.zoo.card import Context, ModelBundle

from . import networks

MODELS = Path(__file__).parents[2].parent / "shared" / "models"
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="the official topologies are not at hand")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of the official topologies, filled with seeded noise where no weights are at hand."""
    folder = tmp_path_factory.mktemp("official")
    names = ("omz-english-trained", "omz-chinese-ir", "omz-japanese-ir")
    for name in names:
        shutil.copytree(MODELS / name, folder / name)
    subprocess.run(
        [sys.executable, MODELS / "make_weights.py", *(folder / name for name in names[1:])],
        check=True,
        capture_output=True,
    )
    return folder


def _bundle(folder: Path, classes: int, context: Context) -> ModelBundle:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".xml", ".bin")}
    xml = next(name for name in files if name.endswith(".xml"))
    return ModelBundle(networks.card(xml, context), networks.charset(classes), files, {})


def _assert_exact(bundle: ModelBundle, path: str, widths: Sequence[int]) -> None:
    lines = [networks.line(width, seed=1) for width in widths]
    engine = load(bundle, networks.options())
    fast = networks.read(engine, lines)
    assert engine.facts["path"] == path
    assert "fallback" not in engine.facts
    engine.close()
    full = load(bundle, networks.options(padding=Padding.FULL))
    for one, other in zip(fast, networks.read(full, lines), strict=True):
        np.testing.assert_array_equal(one.classes, other.classes)
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-3)
    full.close()


def test_english(official: Path) -> None:
    """250 frames; 1914 + 54 columns leave one step of 32 out, 1946 + 54 none."""
    bundle = _bundle(official / "omz-english-trained", 95, Context.RECURRENT)
    widths = (1, 7, 8, 9, 96, 333, 700, 812, 1111, 1500, 1914, 1915, 1945, 1946, 1999, 2000, 640)
    _assert_exact(bundle, "exact: split at recurrence", widths)


def test_chinese(official: Path) -> None:
    """1733 + 235 columns leave one step out, 1766 + 235 none."""
    bundle = _bundle(official / "omz-chinese-ir", 4059, Context.CONVOLUTIONAL)
    _assert_exact(bundle, "exact: elided", (1, 700, 1733, 1766, 2000))


def test_japanese(official: Path) -> None:
    bundle = _bundle(official / "omz-japanese-ir", 4442, Context.CONVOLUTIONAL)
    _assert_exact(bundle, "exact: elided", (1, 900, 1735))


def _logits(network: ov.Model, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    compiled = ov.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer: NDArray[np.float32] = compiled([pixels])[0]
    return answer.copy()


def _padded(line: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (96, w) to float32 (1, 1, 96, 2000)."""
    width = ((0, 0), (0, 2000 - line.shape[1]))
    return np.pad(line, width, mode="edge")[None, None].astype(np.float32)


def _real_lines() -> list[NDArray[np.uint8]]:
    """The GNHK test lines, as the network takes them."""
    found = sorted((MODELS.parent / "data" / "lines" / "gnhk_test_en").glob("*.png"))
    pages = [image.open_page(path.read_bytes()) for path in found]
    lines = [preprocess.prepare(page, x=0, height=96, width=2000, wide=Wide.FIT) for page in pages]
    return [line.pieces[0].pixels for line in lines]


def test_builder_against_the_official_topology() -> None:
    """The same class in every frame of real lines. Our tensors are rounded to float16, so logits (of about
    38) part: by 0.31 at most over 73 real lines, where one frame of 18,250, a tie within 0.004, fell the
    other way."""
    folder = MODELS / "omz-english-trained"
    theirs = ov.Core().read_model(next(folder.glob("*.xml")))
    with np.load(folder / "weights.npz", allow_pickle=False) as tensors:
        ours = english.build(dict(tensors))
    drawn = [networks.line(width, seed=2) for width in (1, 300, 900, 2000)]
    for line in [*drawn, *_real_lines()]:
        pixels = _padded(line)
        expected, answer = _logits(theirs, pixels), _logits(ours, pixels)
        assert answer.shape == expected.shape == (250, 1, 95)
        np.testing.assert_array_equal(answer.argmax(axis=2), expected.argmax(axis=2))
        np.testing.assert_allclose(answer, expected, atol=0.4)
