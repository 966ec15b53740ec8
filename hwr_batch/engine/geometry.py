"""Where a network's frames lie in the image, found by walking it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwr_batch.engine import elide, split
from hwr_batch.engine.forms import Form
from hwr_batch.engine.graph import CannotElide, walk
from hwr_batch.records import FrameGeometry
from hwr_batch.zoo.card import Context, Layout, ModelCard

_PROBES = (256, 512)  # widths at which a network that takes any width shows its stride


def published_geometry(network: Any, card: ModelCard) -> FrameGeometry:
    """Stride and bands of the network's frames; evenly spread in one band where it cannot be walked."""
    frames = int(network.outputs[0].get_shape()[0 if card.layout is Layout.TBC else 1])
    even = FrameGeometry(card.width / frames, 1)
    try:
        part = split.cut(network)[0] if card.context is Context.RECURRENT else network.clone()
        elide.fold_shapes(part)
        columns = walk(part).output
    except CannotElide:
        return even
    if frames != columns.width * columns.bands:  # the sequence part joins or drops frames
        return even
    return FrameGeometry(float(columns.stride), columns.bands)


def probed_geometry(form: Form, card: ModelCard) -> FrameGeometry:
    """Stride of a network that takes any width, from the frames of two blank pieces."""
    shape = (card.height,) if card.channels == 1 else (card.height, card.channels)
    blank = [np.full((shape[0], width, *shape[1:]), 255, np.uint8) for width in _PROBES]
    fewer, more = (len(form.read([piece])[0].classes) for piece in blank)
    return FrameGeometry((_PROBES[1] - _PROBES[0]) / (more - fewer), 1)
