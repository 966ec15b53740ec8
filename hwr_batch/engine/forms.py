"""The two ways of running a compiled model over pieces: whole, or split before its recurrence.

A form says which pieces form a run (`groups`) and lends lanes. A lane is one run at a time: its own inference
requests and buffers. Lanes are lent and taken back, so any number of threads may use one form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from hwr_batch.engine.batches import Widths, equal_widths, shared_out
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

    `sequences`: the recurrent part by the number of lines it takes; empty places hold zeros. `costs`: of a
    batch of each of these sizes, see `batches.shared_out`. `trimmed`: it runs over no more frames than the
    content needs, so that only lines of equal width share a batch.
    """

    def __init__(
        self,
        columns: Any,
        sequences: Mapping[int, Any],
        widths: Widths,
        *,
        costs: Mapping[int, float],
        window: int,
        trimmed: bool,
    ) -> None:
        self._widths = widths
        self._costs = {size: costs[size] for size in sorted(sequences)}
        self._trimmed = trimmed
        self.window = window
        self._lanes = Lanes(
            lambda: (
                columns.create_infer_request(),
                {size: sequence.create_infer_request() for size, sequence in sequences.items()},
            )
        )

    def groups(self, pieces: Sequence[Pixels]) -> list[tuple[int, ...]]:
        widths = [self._widths.of(piece.shape[1]) if self._trimmed else 0 for piece in pieces]
        runs = equal_widths(widths, max(self._costs))
        return [group for run in runs for group in shared_out(run, self._costs)]

    def read(self, pieces: Sequence[Pixels]) -> list[Frames]:
        with self._lanes.one() as (columns, sequences):
            features: list[NDArray[np.float32]] = []
            for piece in pieces:
                _infer(columns, padded(piece, self._widths.of(piece.shape[1])))
                features.append(columns.get_output_tensor(0).data[0].copy())
            size = next(size for size in self._costs if size >= len(pieces))
            features += [np.zeros_like(features[0])] * (size - len(features))
            _infer(sequences[size], np.stack(features))
            return _frames(sequences[size], len(pieces))


def answer_alike(whole: Any, part: Any, *, lines: int, frames: int) -> bool:
    """Whether `part`, the recurrent part for fewer `lines`, answers to the bit as `whole` does for more.

    Kernels for another batch size may round otherwise, and a line's answer must not depend on how many came
    with it. Tried on drawn features of so many frames (T, for a network that takes any number).
    """
    shape = [d.get_length() if d.is_static else frames for d in list(whole.input(0).get_partial_shape())]
    features = np.random.default_rng(96).standard_normal(shape).astype(np.float32)
    answers = []
    for compiled, count in ((whole, shape[0]), (part, lines)):
        request = compiled.create_infer_request()
        _infer(request, features[:count])
        answers.append(_frames(request, lines))
    return all(
        np.array_equal(a.classes, b.classes) and np.array_equal(a.log_probs, b.log_probs)
        for a, b in zip(*answers, strict=True)
    )


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
