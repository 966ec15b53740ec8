"""The published English network (handwritten-english-recognition-0001) from named tensors.

    grey line 1,1,96,2000 ─ (x - 127.5) / 127.5
      conv 16 ─ PReLU ─ pool 2x2          conv: 3x3, padding 1; one PReLU slope for all five
      conv 32 ─ PReLU ─ pool 2x2
      conv 48 ─ PReLU ─ pool 2x2
      conv 64 ─ PReLU
      conv 80 ─ PReLU ─ learned sum over the 12 rows ─▶ 250 frames of 80 features
      BiLSTM 1 ─ BiLSTM 2                 256 each way, from zero states
      BiLSTM 3 ─ BiLSTM 4                 from the final h and c of 1 and 2
      fully connected ─▶ 250,1,95 logits (frames, batch, classes)

Tensor names are those of `weights.npz`: conv1…5.weight (out, in, 3, 3) and .bias, prelu.slope (1),
collapse.weight (12) and .bias (1), lstm1…4.W (2, 1024, in), .R (2, 1024, 256), .B (2, 1024) in the gate order
f, i, c, o, forward direction first, fc.weight (95, 512) and .bias (95).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
States: TypeAlias = tuple[Any, Any]

HEIGHT = 96
ROWS = HEIGHT // 8  # after three poolings
POOLED_CONVS = (1, 2, 3)
PLAIN_CONVS = (4, 5)


def build(tensors: Tensors, *, width: int = 2000) -> ov.Model:
    """The network for grey lines float32 (1, 1, 96, `width`), values 0-255. KeyError: a tensor is missing."""
    image = ops.parameter([1, 1, HEIGHT, width], np.float32, name="actual_input")
    x = ops.divide(ops.subtract(image, _constant(127.5)), _constant(127.5))
    for number in POOLED_CONVS:
        x = _pool(_conv(x, tensors, number))
    for number in PLAIN_CONVS:
        x = _conv(x, tensors, number)
    frames = _collapse(x, tensors)
    zeros = _zero_states(frames, hidden=tensors["lstm1.R"].shape[-1])
    frames, first = _bilstm(frames, zeros, tensors, 1)
    frames, second = _bilstm(frames, zeros, tensors, 2)
    frames, _ = _bilstm(frames, first, tensors, 3)
    frames, _ = _bilstm(frames, second, tensors, 4)
    logits = ops.matmul(frames, _constant(tensors["fc.weight"]), False, True)
    logits = ops.add(logits, _constant(tensors["fc.bias"]))
    output = ops.transpose(logits, np.array([1, 0, 2]))
    output.set_friendly_name("output")
    output.output(0).set_names({"output"})
    return ov.Model([output.output(0)], [image], "english")


def _conv(x: Any, tensors: Tensors, number: int) -> Any:
    """3x3 convolution, bias and PReLU: (B, in, H, W) to (B, out, H, W)."""
    weight, bias = tensors[f"conv{number}.weight"], tensors[f"conv{number}.bias"]
    x = ops.convolution(x, _constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
    x = ops.add(x, _constant(bias.reshape(1, -1, 1, 1)))
    return ops.prelu(x, _constant(tensors["prelu.slope"]))


def _pool(x: Any) -> Any:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _collapse(x: Any, tensors: Tensors) -> Any:
    """The learned sum over the rows: (B, 80, 12, W) to frames (B, W, 80)."""
    rows_last = ops.transpose(x, np.array([0, 3, 1, 2]))
    weight = _constant(tensors["collapse.weight"].reshape(ROWS, 1))
    summed = ops.squeeze(ops.matmul(rows_last, weight, False, False), np.array([3]))
    return ops.add(summed, _constant(tensors["collapse.bias"].reshape(1, 1, 1)))


def _zero_states(frames: Any, *, hidden: int) -> States:
    """h and c of zeros, (B, 2, hidden), for whatever batch the frames have."""
    shape = ops.concat([_dimension(frames, 0), _integers(2), _integers(hidden)], axis=0)
    zeros = ops.broadcast(_constant(0.0), shape)
    return zeros, zeros


def _bilstm(frames: Any, states: States, tensors: Tensors, number: int) -> tuple[Any, States]:
    """One bidirectional layer: frames (B, T, in) to ((B, T, 2 * hidden), final h and c (B, 2, hidden))."""
    hidden = tensors[f"lstm{number}.R"].shape[-1]
    lengths = ops.broadcast(_dimension(frames, 1), _dimension(frames, 0))
    weights = (_constant(tensors[f"lstm{number}.{part}"]) for part in ("W", "R", "B"))
    layer = ops.lstm_sequence(frames, *states, lengths, *weights, hidden, "bidirectional")
    both = ops.transpose(layer.output(0), np.array([0, 2, 1, 3]))  # B, T, direction, hidden
    joined = ops.reshape(both, np.array([0, 0, 2 * hidden]), True)
    return joined, (layer.output(1), layer.output(2))


def _dimension(x: Any, axis: int) -> Any:
    """The size of one axis, as an int64 tensor (1,)."""
    return ops.gather(ops.shape_of(x), _integers(axis), np.int64(0))


def _integers(*values: int) -> Any:
    return ops.constant(np.array(values, np.int64))


def _constant(values: Any) -> Any:
    return ops.constant(np.asarray(values, np.float32))
