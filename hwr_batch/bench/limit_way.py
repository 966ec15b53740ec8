"""The limit: the job's compiled networks alone, on ready-made tensors of the job's widths and batches.

Every tensor that the engine feeds to a network is noted while the lines are read once; then each network gets
its tensors again through a queue that keeps one request per core busy and one waiting.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from hwr_batch import preprocess
from hwr_batch.bench.process import peak_bytes
from hwr_batch.bench.published import read_line
from hwr_batch.bench.setting import Measured, Setting
from hwr_batch.config import Wide
from hwr_batch.engine import EngineOptions, threads, ways
from hwr_batch.engine.forms import Form
from hwr_batch.engine.geometry import probed_geometry
from hwr_batch.engine.graph import CannotElide
from hwr_batch.engine.source import open_network
from hwr_batch.errors import ModelError
from hwr_batch.records import Pixels


def read(setting: Setting) -> Measured:
    """Seconds over all networks of a line, one network after another, all cores on each."""
    noted: list[NotedModel] = []
    form = _form(setting, noted)
    pieces = _pieces(setting, _width_step(form, setting))
    for model in noted:
        model.inputs.clear()
    _read_all(form, pieces, setting.cores)
    used = [model for model in noted if model.inputs]
    if not used:
        raise ModelError("bench: no tensor was seen on its way to the network; the limit cannot be measured")
    seconds = {f"network {place}": _replayed(model, setting.cores) for place, model in enumerate(used)}
    return Measured(sum(seconds.values()), len(setting.lines), peak_bytes(), None, {"seconds": seconds})


class NotedModel:
    """A compiled model that keeps a copy of every tensor its requests are fed."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self.inputs: list[NDArray[Any]] = []

    def create_infer_request(self) -> Any:
        return _NotedRequest(self.compiled.create_infer_request(), self.inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.compiled, name)


class _NotedRequest:
    def __init__(self, request: Any, inputs: list[NDArray[Any]]) -> None:
        self._request, self._inputs = request, inputs

    def set_input_tensor(self, *arguments: Any) -> None:
        self._inputs.append(np.array(arguments[-1].data))
        self._request.set_input_tensor(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


def _form(setting: Setting, noted: list[NotedModel]) -> Form:
    """The form that the engine chooses for this setting, its compiled models noted."""
    card, core = setting.bundle.card, ov.Core()
    options = EngineOptions(setting.precision, setting.padding, setting.cores)
    properties = threads.properties(options, setting.cores, card)

    def compile_model(network: Any) -> NotedModel:
        noted.append(NotedModel(core.compile_model(network, "CPU", properties)))
        return noted[-1]

    network = open_network(core, setting.bundle)
    try:
        return ways.choose(network, card, options, compile_model).form
    except CannotElide:
        return ways.as_published(network, card, options, compile_model).form


def _width_step(form: Form, setting: Setting) -> int:
    """What the job rounds widths to; finding it runs the network."""
    card = setting.bundle.card
    return 1 if card.width else int(probed_geometry(form, card).stride)


def _pieces(setting: Setting, step: int) -> list[Pixels]:
    card = setting.bundle.card
    prepared = (
        preprocess.prepare(
            read_line(line.path, card),
            x=0,
            height=card.height,
            width=card.width,
            wide=Wide.SPLIT,
            step=step,
        )
        for line in setting.lines
    )
    return [piece.pixels for line in prepared for piece in line.pieces]


def _read_all(form: Form, pieces: Sequence[Pixels], cores: int) -> None:
    """Every piece once, on every core: the tensors are noted, and the networks warm for every width."""
    windows = (pieces[start : start + form.window] for start in range(0, len(pieces), form.window))
    runs = [[window[place] for place in group] for window in windows for group in form.groups(window)]
    with ThreadPoolExecutor(cores) as workers:
        list(workers.map(form.read, runs))


def _replayed(model: NotedModel, cores: int) -> float:
    tensors = [ov.Tensor(array, shared_memory=True) for array in model.inputs]
    queue = ov.AsyncInferQueue(model.compiled, 2 * cores)
    begun = time.perf_counter()
    for tensor in tensors:
        queue.start_async({0: tensor}, share_inputs=True)
    queue.wait_all()
    return time.perf_counter() - begun
