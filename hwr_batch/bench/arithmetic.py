"""The arithmetic limit: operations that the lines' content needs, over the machine's matrix-multiply rate.

Multiply and add count as two. Counted: convolutions, matrix products and LSTM steps; convolutions over the
content alone (no margin, no padding), a recurrence over all published frames, since its answer depends on
them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops

from hwr_batch.bench.process import peak_bytes
from hwr_batch.bench.setting import Measured, Setting
from hwr_batch.engine import EngineOptions, elide, split, threads
from hwr_batch.engine.source import open_network
from hwr_batch.zoo.card import Context, ModelCard

MATRIX = 1024  # rows and columns: large enough for the peak, small enough for the cache
SLICE_SECONDS = 0.3
SLICES = 4
PROBES = (256, 512, 1024)  # widths; attention makes the count a polynomial of degree 2 in the width


def read(setting: Setting) -> Measured:
    """Seconds that the lines would take at the rate of large matrix products, the best of a few slices."""
    core, card = ov.Core(), setting.bundle.card
    count = operations_by_width(open_network(core, setting.bundle), card)
    total = sum(count(line.columns(card.height)) for line in setting.lines)
    rate = matrix_rate(core, setting)
    facts = {"gflop_per_line": total / len(setting.lines) / 1e9, "gflop_per_second": rate / 1e9}
    return Measured(total / rate, len(setting.lines), peak_bytes(), None, facts)


def operations_by_width(network: Any, card: ModelCard) -> Callable[[int], float]:
    """Operations for a line of so many content columns."""
    if card.width == 0:
        counts = [_operations_at(network, width) for width in PROBES]
        polynomial = np.polynomial.Polynomial.fit(PROBES, counts, deg=2)
        return lambda columns: float(polynomial(columns))
    if card.context is Context.RECURRENT:
        columns_part, sequence = split.cut(network)
        elide.fold_shapes(columns_part)
        per_column, fixed = operations(columns_part) / card.width, operations(sequence)
        return lambda columns: per_column * columns + fixed
    per_column = operations(network) / card.width
    return lambda columns: per_column * columns


def operations(network: Any) -> float:
    """Floating-point operations of one run of a network whose shapes are known."""
    return float(
        sum(_COUNTS[kind](op) for op in network.get_ordered_ops() if (kind := op.get_type_name()) in _COUNTS)
    )


def matrix_rate(core: Any, setting: Setting) -> float:
    """Operations a second of `MATRIX`-sized products, one on every core, at the setting's precision."""
    options = EngineOptions(setting.precision, threads=setting.cores)
    left = ops.parameter([MATRIX, MATRIX], np.float32)
    right = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    network = ov.Model([ops.matmul(left, ops.constant(right), False, False)], [left], "product")
    compiled = core.compile_model(network, "CPU", threads.properties(options, setting.cores))
    queue = ov.AsyncInferQueue(compiled, 2 * setting.cores)
    tensor = ov.Tensor(right)
    return max(_rate(queue, tensor) for _ in range(SLICES))


def _rate(queue: Any, tensor: Any) -> float:
    begun, products = time.perf_counter(), 0
    while time.perf_counter() - begun < SLICE_SECONDS:
        queue.start_async({0: tensor}, share_inputs=True)
        products += 1
    queue.wait_all()
    return products * 2 * MATRIX**3 / (time.perf_counter() - begun)


def _operations_at(network: Any, width: int) -> float:
    fixed = network.clone()
    for op in fixed.get_ordered_ops():
        if op.get_type_name() == "Identity":  # OpenVINO infers no shapes through it
            for user in op.output(0).get_target_inputs():
                user.replace_source_output(op.input_value(0))
    fixed.reshape({0: [1, *fixed.inputs[0].get_partial_shape()[1:3], width]})
    return operations(fixed)


def _convolution(op: Any) -> int:
    return int(2 * math.prod(op.get_output_shape(0)) * math.prod(op.input_value(1).get_shape()[1:]))


def _group_convolution(op: Any) -> int:
    return int(2 * math.prod(op.get_output_shape(0)) * math.prod(op.input_value(1).get_shape()[2:]))


def _product(op: Any) -> int:
    shape = op.input_value(0).get_shape()
    summed = shape[-2] if op.get_attributes()["transpose_a"] else shape[-1]
    return int(2 * math.prod(op.get_output_shape(0)) * summed)


def _lstm(op: Any) -> int:
    """X (B, T, in), W (directions, 4 * hidden, in), R (directions, 4 * hidden, hidden)."""
    batch, steps, _ = op.input_value(0).get_shape()
    weights = math.prod(op.input_value(4).get_shape()) + math.prod(op.input_value(5).get_shape())
    return int(2 * batch * steps * weights)


_COUNTS: dict[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _group_convolution,
    "MatMul": _product,
    "LSTMSequence": _lstm,
}
