"""The two ways of running a compiled model over pieces: whole, or split before its recurrence.

A form says which pieces form a run (`groups`) and lends lanes. A lane is one run at a time: its own inference
requests and buffers. Lanes are lent and taken back, so any number of threads may use one form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from hwr_batch.engine.batches import Widths, equal_widths, smallest_fitting
from hwr_batch.errors import ModelError
from hwr_batch.records import Frames, Pixels


class Form(Protocol):
    """`window`: consecutive pieces to look at together."""

    window: int

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        """Indices of a window's pieces, run by run; a pure function of their widths."""

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        """Run one group. Thread-safe; blocks with the GIL released."""


LaneType = TypeVar("LaneType")


class Lanes(Generic[LaneType]):
    """Lanes that are not in use; as many are made as are ever used at once."""

    def __init__(self, make: Callable[[], LaneType]) -> None:
        self._make = make
        self._free: SimpleQueue[LaneType] = SimpleQueue()

    @contextmanager
    def one(self) -> Iterator[LaneType]:
        try:
            lane = self._free.get_nowait()
        except Empty:
            lane = self._make()
        try:
            yield lane
        finally:
            self._free.put(lane)


class WholeForm:
    """One model, one piece a run: the published form, the elided one, or every piece at its own width."""

    window = 1

    def __init__(self, compiled: Any, widths: Widths) -> None:
        self._widths = widths
        self._requests: Lanes[Any] = Lanes(compiled.create_infer_request)

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        return [(i,) for i in range(len(pieces))]

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        with self._requests.one() as request:
            return [self._line(request, piece) for piece in pieces]

    def _line(self, request: Any, piece: Pixels) -> Frames:
        _infer(request, padded(piece, self._widths.of(piece.shape[1])))
        return _frames(request, 1)[0]


class SplitForm:
    """Convolutions line by line at content width, then the recurrent part over a batch of lines.

    `sizes`: the batches that `sequence` may take, see `batch_sizes`; what stays empty holds zeros.
    """

    def __init__(self, columns: Any, sequence: Any, widths: Widths, sizes: Sequence[int]) -> None:
        self._widths = widths
        self._sizes = sizes
        self.window = max(sizes)
        shape = (self.window, *(d.get_length() for d in _dimensions(sequence)[1:]))
        self._lanes = Lanes(
            lambda: (
                columns.create_infer_request(),
                sequence.create_infer_request(),
                np.zeros(shape, np.float32),
            )
        )

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        return [tuple(range(len(pieces)))]

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        with self._lanes.one() as (columns, sequence, features):
            for place, piece in enumerate(pieces):
                _infer(columns, padded(piece, self._widths.of(piece.shape[1])))
                features[place] = columns.get_output_tensor(0).data[0]
            features[len(pieces) :] = 0
            _infer(sequence, features[: smallest_fitting(self._sizes, len(pieces))])
            return _frames(sequence, len(pieces))


class TrimmedSplitForm:
    """As `SplitForm`, over no more frames than the content needs: only equal widths share a batch."""

    def __init__(
        self, columns: Any, sequence: Any, widths: Widths, sizes: Sequence[int], *, window: int
    ) -> None:
        self._widths = widths
        self._sizes = sizes
        self.window = window
        self._lanes = Lanes(lambda: (columns.create_infer_request(), sequence.create_infer_request()))

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        return equal_widths([self._widths.of(piece.shape[1]) for piece in pieces], max(self._sizes))

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        with self._lanes.one() as (columns, sequence):
            features: list[NDArray[np.float32]] = []
            for piece in pieces:
                _infer(columns, padded(piece, self._widths.of(piece.shape[1])))
                features.append(columns.get_output_tensor(0).data[0].copy())
            places = smallest_fitting(self._sizes, len(features))
            features += [np.zeros_like(features[0])] * (places - len(features))
            _infer(sequence, np.stack(features))
            return _frames(sequence, len(pieces))


def batch_sizes(sequence: Any, candidates: Sequence[int], *, frames: int) -> tuple[int, ...]:
    """Those of `candidates`, ascending, at which a batch answers to the bit as the largest does.

    Kernels for another batch size may round otherwise, and a line's answer must not depend on how many came
    with it. Tried on drawn features of so many frames (T, for a network that takes any number).
    """
    request = sequence.create_infer_request()
    shape = [
        max(candidates),
        *(frames if d.is_dynamic else d.get_length() for d in _dimensions(sequence)[1:]),
    ]
    features = np.random.default_rng(96).standard_normal(shape).astype(np.float32)
    _infer(request, features)
    whole = _frames(request, max(candidates))
    alike = []
    for size in sorted(candidates):
        _infer(request, features[:size])
        if all(map(_equal, _frames(request, size), whole)):
            alike.append(size)
    return tuple(alike)


def _dimensions(compiled: Any) -> list[Any]:
    return list(compiled.input(0).get_partial_shape())


def _equal(some: Frames, other: Frames) -> bool:
    return np.array_equal(some.classes, other.classes) and np.array_equal(some.log_probs, other.log_probs)


def padded(piece: Pixels, width: int) -> Pixels:
    """One piece (H, w) or (H, w, 3), its last column repeated to `width`, as a batch of one.

    (1, 1, H, width) for one channel, (1, H, width, 3) for three.
    """
    content = piece.shape[1]
    image = np.empty((piece.shape[0], width, *piece.shape[2:]), np.uint8)
    image[:, :content] = piece
    image[:, content:] = piece[:, -1:]
    return image[None, None] if piece.ndim == 2 else image[None]


def _infer(request: Any, array: NDArray[Any]) -> None:
    """Start and wait rather than infer: a run that waits starts on its stream without asking for the GIL."""
    try:
        request.set_input_tensor(ov.Tensor(array, shared_memory=True))
        request.start_async()
        request.wait()
    except RuntimeError as exc:
        raise ModelError(f"the network failed on an input of shape {array.shape}: {exc}") from exc


def _frames(request: Any, lines: int) -> list[Frames]:
    """The answer's (B, T) and (B, T, k) outputs, copied out for each of the first `lines`."""
    outputs = [tensor.data for tensor in request.output_tensors]
    return [Frames(*(output[line].copy() for output in outputs)) for line in range(lines)]
