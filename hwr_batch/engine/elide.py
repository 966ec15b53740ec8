"""Leaving the padding out: a network published for one width made to take narrower images, exactly.

Three rewrites, all from what `graph.walk` found: reshapes stop spelling the width out; every global mean
counts the columns that are left out, all equal to a steady one; and the answer repeats its steady frames, so
that it has the published number of frames again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops

from hwr_batch.engine.columns import Columns
from hwr_batch.engine.graph import Walk

_END = np.iinfo(np.int64).max


def fold_shapes(network: Any) -> None:
    """Shapes read while running become the constants they are at the published width (changes `network`)."""
    for op in network.get_ordered_ops():
        if op.get_type_name() == "ShapeOf" and op.input_value(0).get_partial_shape().is_static:
            shape = np.array(list(op.input_value(0).get_shape()), op.get_output_element_type(0).to_dtype())
            _replace(op.output(0), ops.constant(shape).output(0))
    network.validate_nodes_and_infer_types()


def widen(network: Any, walk: Walk, *, exact: bool) -> None:
    """Let `network` take any width (changes it). `exact`: global means as over the published width."""
    by_name = {op.get_name(): op for op in network.get_ordered_ops()}
    for name, columns in walk.reshapes:
        _free_reshape(by_name[name], columns)
    if exact:
        for name, columns in walk.means:
            _full_mean(by_name[name], columns, walk.published)
    shape = network.inputs[0].get_partial_shape()
    network.reshape({0: ov.PartialShape([*shape[:3], -1])})


def repeat_steady(output: Any, columns: Columns, walk: Walk, *, axis: int) -> Any:
    """`output`, whose `axis` holds the columns of a narrower image, with its steady column repeated.

    Every band grows from its n columns to the published `columns.width`: up to the steady column they are the
    same, from the right border they are counted backwards.
    """
    right = columns.steady_from_right(walk.published)
    frame = np.arange(columns.width, dtype=np.int64)[None, :]
    band = np.arange(columns.bands, dtype=np.int64)[:, None]
    past = np.maximum(frame - (columns.width - right), 0)  # how far right of the published steady column
    width = ops.divide(_length(output, axis), np.int64(columns.bands))
    steady = ops.subtract(width, np.int64(right))
    index = ops.add(ops.minimum(ops.constant(frame), steady), ops.constant(past))
    index = ops.add(index, ops.multiply(ops.constant(band), width))
    flat = ops.reshape(index, np.array([-1]), False)
    return ops.gather(output, flat, np.int64(axis))


def _free_reshape(op: Any, columns: Columns) -> None:
    target = np.array(list(op.get_output_shape(0)), np.int64)
    target[columns.axis] = -1
    op.input(1).replace_source_output(ops.constant(target).output(0))


def _full_mean(op: Any, columns: Columns, published: int) -> None:
    """mean = mean of the n columns * n / N + mean of a steady column * (1 - n / N), N the published width."""
    x, axes, keep = op.input_value(0), op.input_value(1), op.get_attributes()["keep_dims"]
    right = columns.steady_from_right(published)
    users = op.output(0).get_target_inputs()
    share = ops.divide(ops.convert(_length(x, columns.axis), np.float32), np.float32(columns.width))
    stop = -right + 1 if right > 1 else _END
    # Slice, not Gather: it reads the CPU's blocked layouts; Gather would re-order the whole tensor first.
    steady = ops.slice(x, *(np.array([v], np.int64) for v in (-right, stop, 1, columns.axis)))
    rest = ops.reduce_mean(steady, axes, keep)
    mean = ops.add(ops.multiply(op.output(0), share), ops.multiply(rest, ops.subtract(np.float32(1), share)))
    for user in users:
        user.replace_source_output(mean.output(0))


def _length(x: Any, axis: int) -> Any:
    """The size of one axis as an int64 scalar."""
    return ops.gather(ops.shape_of(x), np.int64(axis), np.int64(0))


def _replace(old: Any, new: Any) -> None:
    for user in old.get_target_inputs():
        user.replace_source_output(new)
