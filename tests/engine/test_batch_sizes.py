"""Batches that are not full: smaller ones are used exactly where they were seen to answer alike."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino as ov
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.bench.limit_way import NotedModel
from hwr_batch.config import Padding, Precision
from hwr_batch.engine import EngineOptions, ways
from hwr_batch.engine import run_costs as run_costs_module
from hwr_batch.engine.batches import shared_out
from hwr_batch.engine.forms import answer_alike
from hwr_batch.engine.run_costs import run_costs
from hwr_batch.engine.source import open_network
from hwr_batch.zoo.card import ModelBundle

from . import networks


@pytest.mark.parametrize(
    ("lines", "costs", "batches"),
    [
        (16, {4: 5, 16: 16}, [16]),
        (13, {4: 5, 16: 16}, [13]),
        (12, {4: 5, 16: 16}, [4, 4, 4]),
        (12, {4: 5.5, 16: 16}, [12]),  # three small ones cost more than one that stays empty in part
        (5, {4: 5, 16: 16}, [4, 1]),
        (21, {4: 5, 16: 16}, [16, 4, 1]),
        (8, {4: 4, 8: 8}, [8]),  # of equal costs the fewest
        (23, {8: 10, 24: 24}, [23]),
        (16, {8: 10, 24: 24}, [8, 8]),
        (3, {16: 16}, [3]),
        (0, {16: 16}, []),
    ],
)
def test_a_run_is_shared_out_at_the_least_cost(lines: int, costs: Any, batches: list[int]) -> None:
    shared = shared_out(tuple(range(100, 100 + lines)), costs)
    assert [len(batch) for batch in shared] == batches
    assert [i for batch in shared for i in batch] == list(range(100, 100 + lines))


@given(st.integers(1, 70), st.dictionaries(st.integers(1, 40), st.floats(0.5, 60), min_size=1, max_size=3))
def test_no_other_way_to_share_out_is_cheaper(lines: int, costs: dict[int, float]) -> None:
    sizes = sorted(costs)
    shared = shared_out(tuple(range(lines)), costs)
    assert sum(len(batch) for batch in shared) == lines
    cost = sum(min(costs[size] for size in sizes if size >= len(batch)) for batch in shared)
    most = [range(-(-lines // size) + 1) for size in sizes]
    counted = (
        sum(count * costs[size] for count, size in zip(counts, sizes, strict=True))
        for counts in itertools.product(*most)
        if sum(count * size for count, size in zip(counts, sizes, strict=True)) >= lines
    )
    assert cost <= min(counted) + 1e-9


@pytest.mark.parametrize("padding", [Padding.EXACT, Padding.TRIM])
@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("isa", ["avx2", "avx512f", "avx512_vnni", "amx_bf16", "unknown"])
def test_every_kind_of_cpu_has_a_batch_for_many_lines_and_one_for_what_is_left(
    isa: str, precision: Precision, padding: Padding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_costs_module, "instruction_set", lambda: isa)
    few, many = sorted(costs := run_costs(precision, padding))
    assert costs[many] == many
    assert few < costs[few] < many  # a line costs more in a small batch, a small batch less than a large one
    assert EngineOptions(precision, padding, batches=costs).batches == costs


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

    costs = {4: 5.0, 16: 16.0} if padding is Padding.EXACT else {4: 5.0, 8: 8.0}
    network, options = open_network(core, bundle), networks.options(padding=padding, batches=costs)
    way = ways.choose(network, bundle.card, options, compile_model)
    whole = max(costs)
    assert way.batches == ((4, whole) if alike else (whole,))
    lines = [networks.line(width, seed=place) for place, width in enumerate(widths)]
    for start in range(0, len(lines), way.form.window):
        window = lines[start : start + way.form.window]
        for group in way.form.groups(window):
            assert len(way.form.read([window[i] for i in group])) == len(group)
    batches = [len(batch) for sequence in noted[1:] for batch in sequence.inputs]
    assert batches == (fed if alike else [whole] * len(fed))
