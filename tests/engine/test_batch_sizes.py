"""Batches that are not full: smaller ones are used exactly where they were seen to answer alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino as ov
import pytest

from hwr_batch.bench.limit_way import NotedModel
from hwr_batch.config import Padding
from hwr_batch.engine import ways
from hwr_batch.engine.batches import smallest_fitting
from hwr_batch.engine.forms import batch_sizes
from hwr_batch.engine.source import open_network
from hwr_batch.zoo.card import ModelBundle

from . import networks


@pytest.mark.parametrize(("lines", "size"), [(1, 1), (2, 4), (4, 4), (5, 8), (9, 16), (16, 16)])
def test_the_smallest_batch_that_fits(lines: int, size: int) -> None:
    assert smallest_fitting((1, 4, 8, 16), lines) == size
    assert smallest_fitting((16,), lines) == 16


class Rounding:
    """A compiled model (B, T, 2) in, that adds `wrong[B]` to its log-probabilities."""

    def __init__(self, wrong: dict[int, float]) -> None:
        self.wrong = wrong

    def input(self, _: int) -> Any:
        return SimpleNamespace(get_partial_shape=lambda: ov.PartialShape([-1, -1, 2]))

    def create_infer_request(self) -> Rounding:
        return self

    def set_input_tensor(self, tensor: Any) -> None:
        features = np.array(tensor.data)
        log_probs = features.sum(axis=2) + np.float32(self.wrong.get(len(features), 0.0))
        answers = (features[:, :, 0] > 0).astype(np.int32), log_probs.astype(np.float32)
        self.output_tensors = [SimpleNamespace(data=answer) for answer in answers]

    def start_async(self) -> None: ...

    def wait(self) -> None: ...


def test_a_size_that_rounds_otherwise_is_not_used() -> None:
    assert batch_sizes(Rounding({}), (1, 4, 8, 16), frames=7) == (1, 4, 8, 16)
    assert batch_sizes(Rounding({1: 1e-3, 4: 1e-3}), (1, 4, 8, 16), frames=7) == (8, 16)


@pytest.mark.parametrize(
    ("padding", "widths", "groups"),
    [
        (Padding.EXACT, [300] * 3, [3]),
        (Padding.EXACT, [300, 500] * 9, [16, 2]),
        (Padding.TRIM, [100, 900, 100], [1, 2]),  # lines of one width share a batch, the widest first
    ],
)
def test_what_is_left_over_takes_a_small_batch(
    padding: Padding, widths: list[int], groups: list[int], bundles: dict[str, ModelBundle]
) -> None:
    bundle, core, noted = bundles["english"], ov.Core(), list[NotedModel]()
    options = networks.options(padding=padding, batch=16)

    def compile_model(network: Any) -> NotedModel:
        noted.append(NotedModel(core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})))
        return noted[-1]

    way = ways.choose(open_network(core, bundle), bundle.card, options, compile_model)
    assert len(way.batches) > 1  # this tiny network rounds otherwise on its own, so one is not among them
    noted[1].inputs.clear()
    lines = [networks.line(width, seed=place) for place, width in enumerate(widths)]
    for start in range(0, len(lines), way.form.window):
        window = lines[start : start + way.form.window]
        for group in way.form.groups(window):
            assert len(way.form.read([window[i] for i in group])) == len(group)
    assert [len(batch) for batch in noted[1].inputs] == [smallest_fitting(way.batches, n) for n in groups]
