"""The engine: pieces in, frames out, on every core the process may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import openvino as ov

from hwr_batch.config import Padding, Precision
from hwr_batch.cores import usable_cores
from hwr_batch.engine import selfcheck, threads
from hwr_batch.engine.forms import Form
from hwr_batch.engine.geometry import probed_geometry, published_geometry
from hwr_batch.engine.graph import CannotElide
from hwr_batch.engine.machine import has_bf16
from hwr_batch.engine.options import EngineOptions
from hwr_batch.engine.ordered import read_in_order
from hwr_batch.engine.source import open_network
from hwr_batch.engine.ways import Compile, Way, as_published, choose
from hwr_batch.errors import ModelError
from hwr_batch.records import FrameGeometry, Frames, Pixels
from hwr_batch.zoo.card import ModelBundle, ModelCard

Facts: TypeAlias = Mapping[str, str | int | float | bool]

_CHECKED_LINES = 2


def load(bundle: ModelBundle, options: EngineOptions) -> Engine:
    """Compile a model the best way that agrees with its published form.

    Raises ModelError where the files, the card and the character list do not fit together.
    """
    core, card = ov.Core(), bundle.card
    streams = options.threads or usable_cores()
    network = open_network(core, bundle)
    compile_for = {n: _compiler(core, card, threads.properties(options, n, card)) for n in (1, streams)}

    def publish(streams: int = 1) -> Way:
        """By default with one stream: a check needs no speed, and each stream has 2000-wide buffers."""
        return as_published(network, card, options, compile_for[streams])

    way, fallback = _checked_way(network, card, options, compile_for[streams], publish)
    if fallback:
        way = publish(streams)
    geometry = published_geometry(network, card) if card.width else probed_geometry(way.form, card)
    precision, without = _precision(options)
    reasons = "; ".join(filter(None, (fallback, without)))
    facts = {**_machine(core, card, options, streams), "precision": precision, **_chosen(way, reasons)}
    return Engine(way, geometry, card, facts, options.ahead)


class Engine:
    """A loaded model. Any number of threads may call `read` at once; their runs share the cores.

    `geometry`: where frames lie. `card_width`: the widest piece, 0 for any. `facts`: what was chosen and on
    what machine, for `doctor` and `_run.json`.
    """

    def __init__(
        self,
        way: Way,
        geometry: FrameGeometry,
        card: ModelCard,
        facts: Facts,
        ahead: int,
    ) -> None:
        self.geometry = geometry
        self.card_width = card.width
        self.facts = facts
        self._shape = (card.height,) if card.channels == 1 else (card.height, card.channels)
        self._form = way.form
        self._at_full_width = way.at_full_width
        streams = int(facts["streams"])
        self._ahead = ahead * streams
        # One more than the streams: while a thread of ours pads and copies, another's run is on the core.
        self._workers = ThreadPoolExecutor(streams + 1, thread_name_prefix="engine")

    def read(self, pieces: Iterable[Pixels]) -> Iterator[Frames]:
        """Frames of each piece, in order; pieces are pulled lazily, a few runs ahead.

        `pieces`: uint8 (height, w) grey or (height, w, 3) BGR, 1 <= w <= card width. Which pieces share a run
        depends on their order and widths alone. ValueError: a piece of another shape. ModelError: the network
        failed.
        """
        return self._in_order(self._form, pieces)

    def read_published(self, pieces: Iterable[Pixels]) -> Iterator[Frames]:
        """As `read`, at the published width with nothing left out (for samples).

        Through the same compiled networks: a compiled model of the published form, with which they are
        compared when the model loads, would hold its memory to the end.
        """
        return self._in_order(self._at_full_width, pieces)

    def close(self) -> None:
        """Wait for the runs under way and end the worker threads."""
        self._workers.shutdown()

    def _in_order(self, form: Form, pieces: Iterable[Pixels]) -> Iterator[Frames]:
        checked = (self._checked(piece) for piece in pieces)
        return read_in_order(self._workers, form, checked, ahead=self._ahead)

    def _checked(self, piece: Pixels) -> Pixels:
        fits = piece.shape[1] >= 1 and (self.card_width == 0 or piece.shape[1] <= self.card_width)
        if piece.dtype != "uint8" or (piece.shape[0], *piece.shape[2:]) != self._shape or not fits:
            raise ValueError(
                f"a piece must be uint8 {self._shape} with 1 to {self.card_width or 'any number of'} columns "
                f"as its second axis, not {piece.dtype} {piece.shape}"
            )
        return piece


def _compiler(core: Any, card: ModelCard, properties: Mapping[str, Any]) -> Compile:
    def compile_model(network: Any) -> Any:
        try:
            return core.compile_model(network, "CPU", dict(properties))
        except RuntimeError as exc:
            raise ModelError(f"{card.name}: OpenVINO cannot compile the network: {exc}") from exc

    return compile_model


def _checked_way(
    network: Any, card: ModelCard, options: EngineOptions, compile_model: Compile, publish: Callable[[], Way]
) -> tuple[Way, str]:
    """The way to read, and "" where it is the chosen one, else why it is the published one."""
    try:
        way = choose(network, card, options, compile_model)
    except CannotElide as reason:
        return publish(), str(reason)
    if options.padding is not Padding.EXACT or way.widths.step == 0 or not options.self_check:
        return way, ""
    published = publish()
    lines = selfcheck.drawn_lines(card, way.widths, lines=_CHECKED_LINES)
    difference = selfcheck.disagreement(way.form, published.form, lines, options.precision)
    return (published, f"self-check: {difference}") if difference else (way, "")


def _precision(options: EngineOptions) -> tuple[str, str]:
    """What OpenVINO will really compute in, and why that is not what was asked for (else "").

    On a CPU without bf16 it silently takes f32: a cluster of both kinds would read with both.
    """
    if options.precision is not Precision.BF16 or has_bf16():
        return str(options.precision), ""
    return str(Precision.F32), "bf16 was asked for, but this worker's CPU has none: it reads in f32"


def _chosen(way: Way, fallback: str) -> Facts:
    facts: dict[str, str | int | float | bool] = {"path": way.name}
    if way.columns is not None:
        facts |= {"margin": way.widths.margin, "width_step": way.widths.step, "stride": way.columns.stride}
        facts["radius"] = max(way.columns.before, way.columns.after)
    if way.batches:
        facts["batches"] = " ".join(map(str, way.batches))
    return {**facts, "fallback": fallback} if fallback else facts


def _machine(core: Any, card: ModelCard, options: EngineOptions, streams: int) -> Facts:
    return {
        "openvino": ov.__version__,
        "cpu": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "isa": threads.instruction_set(),
        "streams": streams,
        "threads": streams,
        "pinning": threads.pinned(options, card),
    }
