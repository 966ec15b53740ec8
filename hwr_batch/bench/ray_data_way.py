"""The job most people would write: Ray Data, an actor class around the network, Parquet out. Done well.

Images are decoded by threads ahead of an AsyncInferQueue, no pixel goes through the object store, and one
actor with OpenVINO's THROUGHPUT hint has all cores.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import ray
from numpy.typing import NDArray

from hwr_batch.bench.process import peak_bytes
from hwr_batch.bench.published import network_input, padded_together, read_line, text_of
from hwr_batch.bench.setting import Measured, Setting
from hwr_batch.engine.source import open_network
from hwr_batch.errors import ConfigError
from hwr_batch.zoo.card import Context, ModelBundle, ModelCard

LINES_PER_BATCH = 64  # of map_batches
GLOBAL_BATCH = 6  # lines that PP-OCR's own reader sorts by width and pads to the widest


def read(setting: Setting) -> Measured:
    """From the moment the actor is ready to the last Parquet file."""
    try:
        from ray import data
    except ImportError as exc:
        raise ConfigError(f"bench: Ray Data is not complete ({exc}): pip install 'hwr-batch[bench]'") from exc
    output, facts = Path(setting.scratch) / "ray-data", Path(setting.scratch) / "actor.json"
    model = _model_file(setting.bundle, Path(setting.scratch))
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    with (Path(setting.scratch) / "ray.log").open("w") as log:
        os.dup2(
            log.fileno(), 2
        )  # Ray's C++ side warns of what Ray Data does itself; this process ends after this
    ray.init(address="local", num_cpus=setting.cores, **quiet)
    try:
        data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        lines = data.read_csv(setting.manifest)
        texts = lines.map_batches(
            Reader,
            fn_constructor_args=(
                str(model),
                setting.bundle.card,
                _lines_per_request(setting),
                setting.sort_widths,
                str(facts),
            ),
            batch_size=LINES_PER_BATCH,
            compute=data.ActorPoolStrategy(size=1),
            num_cpus=max(1, setting.cores - 1) if setting.cores > 1 else 0.5,  # the rest reads and writes
        )
        texts.write_parquet(str(output))
    finally:
        ray.shutdown()
    actor = json.loads(facts.read_text())
    parts = sorted(output.glob("*.parquet"))
    seconds = max(part.stat().st_mtime for part in parts) - actor["ready"]
    by_id = {row["line_id"]: row["text"] for part in parts for row in pq.read_table(part).to_pylist()}
    ordered = tuple(by_id[line.line_id] for line in setting.lines)
    return Measured(
        seconds, len(ordered), actor["peak_bytes"], ordered, {"batch": _lines_per_request(setting)}
    )


def _lines_per_request(setting: Setting) -> int:
    return GLOBAL_BATCH if setting.bundle.card.context is Context.GLOBAL else setting.batch


def _model_file(bundle: ModelBundle, folder: Path) -> Path:
    """The model as the IR files such a job would read, and its characters beside it."""
    path = folder / "model.xml"
    ov.save_model(open_network(ov.Core(), bundle), path, compress_to_fp16=False)
    path.with_suffix(".txt").write_text("\n".join(bundle.charset), encoding="utf-8")
    return path


class Reader:
    """The actor class: file names in, texts out."""

    def __init__(self, model: str, card: ModelCard, batch: int, sort_widths: bool, facts: str) -> None:
        self._card, self._batch, self._facts = card, batch, Path(facts)
        self._sort_widths = sort_widths
        self._charset = Path(model).with_suffix(".txt").read_text(encoding="utf-8").split("\n")
        core = ov.Core()
        network = core.read_model(model)
        if batch > 1:
            lines = batch if card.width else -1
            network.reshape({0: ov.PartialShape([lines, *network.inputs[0].get_partial_shape()[1:]])})
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        self._queue = ov.AsyncInferQueue(core.compile_model(network, "CPU", options))
        self._queue.set_callback(self._finished)
        self._decoders = ThreadPoolExecutor(4)
        self._texts: list[str] = []
        self._ready = time.time()

    def __call__(self, lines: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        self._texts = [""] * len(lines["image"])
        if self._card.width == 0:
            self._read_together(list(lines["image"]))
        else:
            self._read_padded(list(lines["image"]))
        self._queue.wait_all()
        self._facts.write_text(json.dumps({"ready": self._ready, "peak_bytes": peak_bytes()}))
        return {"line_id": lines["line_id"], "text": self._texts}

    def _read_padded(self, paths: list[str]) -> None:
        """Every line at the published width; the last batch is filled up with its last line."""
        waiting: list[tuple[int, NDArray[np.float32]]] = []
        for place, array in enumerate(self._decoders.map(self._decode, paths)):
            waiting.append((place, array))
            if len(waiting) == self._batch or place == len(paths) - 1:
                arrays = [a for _, a in waiting] + [array] * (self._batch - len(waiting))
                self._queue.start_async({0: np.concatenate(arrays)}, [p for p, _ in waiting])
                waiting = []

    def _read_together(self, paths: list[str]) -> None:
        """A few lines at a time padded to the widest of them, those of like width together where sorted."""
        arrays = list(self._decoders.map(self._decode, paths))
        order = list(range(len(arrays)))
        if self._sort_widths:
            order.sort(key=lambda place: arrays[place].shape[3])
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            self._queue.start_async({0: padded_together([arrays[p] for p in places])}, places)

    def _decode(self, path: str) -> NDArray[np.float32]:
        return network_input(read_line(path, self._card), self._card)

    def _finished(self, request: Any, places: list[int]) -> None:
        scores = request.get_output_tensor(0).data
        for index, place in enumerate(places):
            self._texts[place] = text_of(scores, index, self._card, self._charset)
