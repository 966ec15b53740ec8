"""Cutting a network in two before its recurrence: convolutions at content width, then the whole sequence.

A recurrent layer reads the padding too, so it runs over all published frames; but every line then has the
same shape, so any lines share a batch.
"""

from __future__ import annotations

from typing import Any

import openvino as ov
import openvino.opset13 as ops

from hwr_batch.engine.graph import CannotElide

RECURRENT = frozenset({"LSTMSequence", "GRUSequence", "RNNSequence", "TensorIterator", "Loop"})


def cut(network: Any) -> tuple[Any, Any]:
    """(columns, sequence): `network` up to the last single tensor before its first recurrence, and the rest.

    `network` itself is left as it was. Raises CannotElide where it has no recurrence or no such tensor.
    """
    columns = network.clone()
    _merge_transposes(columns)
    tensor = _last_neck(columns)
    features = ops.parameter(tensor.get_partial_shape(), tensor.get_element_type(), name="features")
    users = tensor.get_target_inputs()
    for user in users:
        user.replace_source_output(features.output(0))
    sequence = ov.Model([columns.get_results()[0].input_value(0)], [features], "sequence")
    return ov.Model([tensor], columns.get_parameters(), "columns"), sequence


def with_batch(sequence: Any, batch: int, *, any_length_axis: int | None = None) -> Any:
    """A copy of the second part that takes `batch` lines at once; with an axis, sequences of any length.

    Raises CannotElide where its answer is not `batch` lines long in exactly one axis.
    """
    sequence = sequence.clone()
    shape = sequence.inputs[0].get_partial_shape()
    shape[0] = batch
    if any_length_axis is not None:
        shape[any_length_axis] = -1
    single = sequence.outputs[0].get_partial_shape()
    try:
        sequence.reshape({0: shape})
    except RuntimeError as exc:
        raise CannotElide(f"the recurrent part takes no batch: {str(exc).splitlines()[-1]}") from exc
    batched = sequence.outputs[0].get_partial_shape()
    grown = [i for i, (a, b) in enumerate(zip(single, batched, strict=True)) if a != b and b == batch]
    if batch > 1 and len(grown) != 1:
        raise CannotElide(f"a batch of {batch} turns the answer's shape {single} into {batched}")
    return sequence


def _merge_transposes(network: Any) -> None:
    """Equal transposes of one tensor become one (changes `network`).

    The published English IR transposes its features twice. As one tensor they are the neck, and the transpose
    is done line by line: in the recurrent part, over a batch, it cost 3 % of a line.
    """
    first: dict[tuple[tuple[str, int], bytes], Any] = {}
    for op in network.get_ordered_ops():
        if op.get_type_name() != "Transpose":
            continue
        order = op.input_value(1).get_node()
        if order.get_type_name() == "Constant":
            kept = first.setdefault((_key(op.input_value(0)), order.get_data().tobytes()), op)
            if kept is not op:
                for user in op.output(0).get_target_inputs():
                    user.replace_source_output(kept.output(0))


def _last_neck(network: Any) -> Any:
    """The last tensor before the first recurrence through which everything from the image passes."""
    fed = {network.get_parameters()[0].get_name()}
    waiting: dict[tuple[str, int], int] = {}  # tensors made from the image, and how many users still wait
    neck = None
    for op in network.get_ordered_ops():
        sources = [source for source in op.input_values() if source.get_node().get_name() in fed]
        if op.get_name() not in fed and not sources:
            continue
        if op.get_type_name() in RECURRENT:
            break
        for source in sources:
            waiting[_key(source)] -= 1
        waiting = {key: users for key, users in waiting.items() if users}
        fed.add(op.get_name())
        for output in op.outputs():
            if users := len(output.get_target_inputs()):
                waiting[_key(output)] = users
        if len(waiting) == 1 and op.get_type_name() != "Parameter" and _key(op.output(0)) in waiting:
            neck = op.output(0)
    else:
        raise CannotElide("the network has no recurrent layer")
    if neck is None:
        raise CannotElide("no single tensor leads from the image to the recurrent layers")
    return neck


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()
