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
from hwr_batch.engine.batches import shared_out
from hwr_batch.engine.forms import answer_alike
from hwr_batch.engine.source import open_network
from hwr_batch.zoo.card import ModelBundle

from . import networks


@pytest.mark.parametrize(
    ("lines", "sizes", "batches"),
    [
        (16, (4, 16), [16]),
        (13, (4, 16), [13]),  # four batches of four have as many places
        (12, (4, 16), [4, 4, 4]),
        (5, (4, 16), [4, 1]),
        (5, (4, 8), [5]),
        (3, (4, 8), [3]),
        (3, (16,), [3]),
    ],
)
def test_a_run_is_shared_out_over_the_fewest_places(lines: int, sizes: Any, batches: list[int]) -> None:
    shared = shared_out(tuple(range(100, 100 + lines)), sizes)
    assert [len(batch) for batch in shared] == batches
    assert [i for batch in shared for i in batch] == list(range(100, 100 + lines))


class Rounding:
    """A compiled model (B, T, 2) in, that adds `wrong[B]` to its log-probabilities."""

    def __init__(self, wrong: dict[int, float]) -> None:
        self.wrong = wrong

    def input(self, _: int) -> Any:
        return SimpleNamespace(get_partial_shape=lambda: ov.PartialShape([16, -1, 2]))

    def create_infer_request(self) -> Rounding:
        return self

    def set_input_tensor(self, tensor: Any) -> None:
        features = np.array(tensor.data)
        log_probs = features.sum(axis=2) + np.float32(self.wrong.get(len(features), 0.0))
        answers = (features[:, :, 0] > 0).astype(np.int32), log_probs.astype(np.float32)
        self.output_tensors = [SimpleNamespace(data=answer) for answer in answers]

    def start_async(self) -> None: ...

    def wait(self) -> None: ...


def test_a_batch_that_rounds_otherwise_is_told_apart() -> None:
    assert answer_alike(Rounding({}), Rounding({}), lines=4, frames=7)
    assert not answer_alike(Rounding({}), Rounding({4: 1e-3}), lines=4, frames=7)


@pytest.mark.parametrize(
    ("padding", "widths", "fed"),
    [
        (Padding.EXACT, [300] * 3, [4]),
        (Padding.EXACT, [300, 500] * 9, [16, 4]),
        (Padding.EXACT, [300, 500] * 7, [16]),
        (Padding.TRIM, [100, 900, 100], [4, 4]),  # lines of one width share a batch
        (Padding.TRIM, [100] * 13, [8, 8]),
    ],
)
@pytest.mark.parametrize("alike", [True, False])
def test_what_is_left_over_takes_a_small_batch_where_that_answers_alike(
    padding: Padding,
    widths: list[int],
    fed: list[int],
    alike: bool,
    bundles: dict[str, ModelBundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ways, "answer_alike", lambda *_, **__: alike)
    bundle, core, noted = bundles["english"], ov.Core(), list[NotedModel]()

    def compile_model(network: Any) -> NotedModel:
        noted.append(NotedModel(core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})))
        return noted[-1]

    network, options = open_network(core, bundle), networks.options(padding=padding, batch=16)
    way = ways.choose(network, bundle.card, options, compile_model)
    whole = 16 if padding is Padding.EXACT else 8
    assert way.batches == ((4, whole) if alike else (whole,))
    lines = [networks.line(width, seed=place) for place, width in enumerate(widths)]
    for start in range(0, len(lines), way.form.window):
        window = lines[start : start + way.form.window]
        for group in way.form.groups(window):
            assert len(way.form.read([window[i] for i in group])) == len(group)
    batches = [len(batch) for sequence in noted[1:] for batch in sequence.inputs]
    assert batches == (fed if alike else [whole] * len(fed))
