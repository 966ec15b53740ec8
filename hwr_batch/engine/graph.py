"""Walking a network from its image to its output: which tensors have columns, and how far each column sees.

Every tensor is one of three kinds: CONSTANT (weights), WHOLE (depends on the image but has no columns: what a
global mean leaves) or `Columns`. An operation that no rule knows, or that mixes columns in a way that padding
could not be left out of, raises `CannotElide`: better refused than wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

from hwr_batch.engine.columns import Columns, Window


class CannotElide(Exception):  # noqa: N818 (an answer, not a failure: the published form is used)
    """The network is not understood well enough to leave padding out; the message says where."""


class Kind(Enum):
    CONSTANT = "constant"
    WHOLE = "whole"


Extent: TypeAlias = Columns | Kind


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking found. Operations are named by `get_name()`, which is unique in a network.

    `output`: the columns of the network's output. `means`: global means over x, with the columns they
    average. `reshapes`: reshapes of tensors with columns, with the columns they leave. `step`: the total
    stride, the step between input widths at which every layer has whole columns.
    """

    published: int
    output: Columns
    means: tuple[tuple[str, Columns], ...]
    reshapes: tuple[tuple[str, Columns], ...]
    step: int

    @property
    def margin(self) -> int:
        """Input columns right of the content that make every steady column steady."""
        return max(c.margin(self.published) for c in (self.output, *(columns for _, columns in self.means)))


@dataclass(slots=True)
class _Notes:
    """What is collected on the way."""

    extents: dict[tuple[str, int], Extent] = field(default_factory=dict)
    means: list[tuple[str, Columns]] = field(default_factory=list)
    reshapes: list[tuple[str, Columns]] = field(default_factory=list)
    strides: set[int] = field(default_factory=lambda: {1})


def walk(network: Any) -> Walk:
    """Walk a network with a static input (1, c, H, W) and one output. Raises CannotElide."""
    notes = _Notes()
    image = network.get_parameters()[0]
    published = image.get_output_shape(0)[3]
    for op in network.get_ordered_ops():
        kind = op.get_type_name()
        if kind == "Result":
            continue
        extent: Extent = Columns(axis=3, width=published) if kind == "Parameter" else _extent(op, notes)
        # Of an operation with columns the rules speak of output 0 alone (a pooling's second one is indices).
        for port in range(1 if isinstance(extent, Columns) else op.get_output_size()):
            notes.extents[op.get_name(), port] = extent
        if isinstance(extent, Columns):
            notes.strides.add(extent.stride)
    output = _input(network.get_results()[0], 0, notes)
    if not isinstance(output, Columns):
        raise CannotElide("the output has no columns")
    step = math.lcm(*notes.strides)
    return Walk(published, output, tuple(notes.means), tuple(notes.reshapes), step)


def _input(op: Any, index: int, notes: _Notes) -> Extent:
    source = op.input_value(index)
    try:
        return notes.extents[source.get_node().get_name(), source.get_index()]
    except KeyError as exc:
        raise CannotElide(f"{_called(op)} takes output {source.get_index()} of its input {index}") from exc


def _extent(op: Any, notes: _Notes) -> Extent:
    """The extent of an operation's outputs, by the extents of its inputs and the rule for its type."""
    inputs = [_input(op, i, notes) for i in range(op.get_input_size())]
    if all(extent is Kind.CONSTANT for extent in inputs):
        return Kind.CONSTANT
    if not any(isinstance(extent, Columns) for extent in inputs):
        return Kind.WHOLE
    kind = op.get_type_name()
    if op.get_output_partial_shape(0).is_dynamic:
        raise CannotElide(f"{_called(op)} has a dynamic shape at the published width")
    if kind in _RULES:
        return _RULES[kind](op, inputs, notes)
    raise CannotElide(f"{_called(op)}: no rule says how it mixes columns")


def _called(op: Any) -> str:
    return f"{op.get_type_name()} {op.get_friendly_name()!r}"


def _columns(op: Any, inputs: Sequence[Extent], index: int = 0) -> Columns:
    """Input `index`, which must have columns while every other input is constant."""
    columns = inputs[index]
    others = [extent for i, extent in enumerate(inputs) if i != index]
    if not isinstance(columns, Columns) or any(extent is not Kind.CONSTANT for extent in others):
        raise CannotElide(f"{_called(op)}: expected columns from one input and constants from the rest")
    return columns


def _elementwise(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    """Broadcasting arithmetic: columns must lie alike, everything else must not vary along x."""
    rank = len(op.get_output_shape(0))
    found: Columns | None = None
    for index, extent in enumerate(inputs):
        shape = op.input_value(index).get_shape()
        if isinstance(extent, Columns):
            aligned = replace(extent, axis=extent.axis + rank - len(shape))
            if found is not None and not (aligned.lie_like(found) and aligned.axis == found.axis):
                raise CannotElide(f"{_called(op)}: its inputs' columns do not lie alike")
            found = aligned if found is None else found.joined(aligned)
    assert found is not None  # noqa: S101 (a rule is only asked where an input has columns)
    for index, extent in enumerate(inputs):
        shape = op.input_value(index).get_shape()
        axis = found.axis - rank + len(shape)
        if not isinstance(extent, Columns) and axis >= 0 and shape[axis] != 1:
            raise CannotElide(f"{_called(op)}: input {index} varies along x")
    return found


def _per_channel(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    """PReLU slopes and batch-norm vectors lie along axis 1, whatever their own shape."""
    columns = _columns(op, inputs, next(i for i, e in enumerate(inputs) if isinstance(e, Columns)))
    if columns.axis == 1 and any(
        math.prod(op.input_value(i).get_shape()) != 1 for i in range(1, len(inputs))
    ):
        raise CannotElide(f"{_called(op)}: its constants vary along x")
    return columns


def _window(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    """Convolutions and poolings over rows and columns (B, c, H, W)."""
    columns = _columns(op, inputs)
    if columns.axis != 3 or columns.bands != 1 or len(op.get_output_shape(0)) != 4:
        raise CannotElide(f"{_called(op)}: the columns are not its last axis")
    attributes = op.get_attributes()
    kernel = attributes["kernel"] if "kernel" in attributes else op.input_value(1).get_shape()
    window = Window(
        size=int(kernel[-1]),
        stride=int(attributes["strides"][-1]),
        dilation=int(attributes["dilations"][-1]) if "dilations" in attributes else 1,
        padding=int(attributes["pads_begin"][-1]),
    )
    return columns.through(window, op.get_output_shape(0)[3])


def _transpose(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    columns = _columns(op, inputs)
    return replace(columns, axis=_integers(op, 1).index(columns.axis))


def _matmul(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    """A product with a constant matrix that does not sum over the columns."""
    index = 0 if isinstance(inputs[0], Columns) else 1
    columns = _columns(op, inputs, index)
    shape, matrix = op.input_value(index).get_shape(), op.input_value(1 - index).get_shape()
    transposed = op.get_attributes()["transpose_a" if index == 0 else "transpose_b"]
    contracted = len(shape) - 1 if (index == 0) != transposed else len(shape) - 2
    if transposed or columns.axis == contracted or len(matrix) < 2 or math.prod(matrix[:-2]) != 1:
        raise CannotElide(f"{_called(op)}: it mixes columns")
    return replace(columns, axis=columns.axis + len(op.get_output_shape(0)) - len(shape))


def _along_axis(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    """Softmax and the like, over another axis than the columns'."""
    columns = _columns(op, inputs)
    if op.get_attributes()["axis"] % len(op.get_output_shape(0)) == columns.axis:
        raise CannotElide(f"{_called(op)}: it runs over the columns")
    return columns


def _concat(op: Any, inputs: Sequence[Extent], _: _Notes) -> Extent:
    found = [extent for extent in inputs if isinstance(extent, Columns)]
    alike = all(extent.axis == found[0].axis and extent.lie_like(found[0]) for extent in found)
    axis = op.get_attributes()["axis"] % len(op.get_output_shape(0))
    if len(found) != len(inputs) or not alike or axis == found[0].axis:
        raise CannotElide(f"{_called(op)}: its inputs' columns do not lie alike")
    joined = found[0]
    for extent in found[1:]:
        joined = joined.joined(extent)
    return joined


def _reduce(op: Any, inputs: Sequence[Extent], notes: _Notes) -> Extent:
    """A mean over x is noted for rewriting; an extreme over x is the same without the padding."""
    columns = _columns(op, inputs)
    shape = op.input_value(0).get_shape()
    axes = {axis % len(shape) for axis in _integers(op, 1)}
    if columns.axis in axes:
        if op.get_type_name() == "ReduceMean" and columns.bands == 1:
            notes.means.append((op.get_name(), columns))
        elif op.get_type_name() not in ("ReduceMax", "ReduceMin"):
            raise CannotElide(f"{_called(op)}: it runs over the columns")
        return Kind.WHOLE
    lost = 0 if op.get_attributes()["keep_dims"] else sum(axis < columns.axis for axis in axes)
    return replace(columns, axis=columns.axis - lost)


def _reshape(op: Any, inputs: Sequence[Extent], notes: _Notes) -> Extent:
    """Reshapes that keep the columns together, or flatten the rows above them into bands."""
    columns = _columns(op, inputs)
    before, after = op.input_value(0).get_shape(), op.get_output_shape(0)
    moved = _kept(before, after, columns) or _flattened(before, after, columns)
    if moved is None:
        raise CannotElide(f"{_called(op)}: reshape {list(before)} to {list(after)} scatters the columns")
    if op.get_type_name() == "Reshape":  # Squeeze and Unsqueeze hold at any width
        notes.reshapes.append((op.get_name(), moved))
    return moved


def _kept(before: Sequence[int], after: Sequence[int], columns: Columns) -> Columns | None:
    """The axis of the columns survives where as many elements lie left and right of it as before."""
    left, size = math.prod(before[: columns.axis]), before[columns.axis]
    for axis, length in enumerate(after):
        if length == size and math.prod(after[:axis]) == left:
            return replace(columns, axis=axis)
    return None


def _flattened(before: Sequence[int], after: Sequence[int], columns: Columns) -> Columns | None:
    """(…, H, W) to (…, H * W): every row becomes a band."""
    if columns.axis != len(before) - 1 or len(before) < 2 or columns.bands != 1:
        return None
    merged = [*before[:-2], before[-2] * before[-1]]
    bands = replace(columns, axis=len(merged) - 1, bands=before[-2])
    return _kept(merged, after, bands)


def _integers(op: Any, index: int) -> list[int]:
    """The values of a constant integer input."""
    node = op.input_value(index).get_node()
    if node.get_type_name() != "Constant":
        raise CannotElide(f"{_called(op)}: input {index} is computed, not constant")
    return [int(value) for value in node.get_data().reshape(-1)]


_Rule: TypeAlias = Callable[[Any, Sequence[Extent], _Notes], Extent]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        ("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "Power", "FakeQuantize"), _elementwise
    ),
    **dict.fromkeys(
        (
            "Relu",
            "Sigmoid",
            "Tanh",
            "Clamp",
            "HSwish",
            "HSigmoid",
            "HardSigmoid",
            "Swish",
            "Elu",
            "Gelu",
            "Mish",
            "SoftPlus",
            "Exp",
            "Log",
            "Sqrt",
            "Abs",
            "Negative",
            "Convert",
            "Identity",
        ),
        lambda op, inputs, _: _columns(op, inputs),
    ),
    **dict.fromkeys(("PRelu", "BatchNormInference"), _per_channel),
    **dict.fromkeys(("Convolution", "GroupConvolution", "MaxPool", "AvgPool"), _window),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _along_axis),
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"), _reduce),
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), _reshape),
    "Transpose": _transpose,
    "MatMul": _matmul,
    "Concat": _concat,
}
