"""Which way a network is run: exactly without its padding, trimmed, at its own width, or as published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hwr_batch.config import Padding
from hwr_batch.engine import elide, head, split
from hwr_batch.engine.batches import Widths
from hwr_batch.engine.columns import Columns
from hwr_batch.engine.forms import Form, SplitForm, WholeForm, answer_alike
from hwr_batch.engine.graph import CannotElide, Walk, walk
from hwr_batch.engine.options import EngineOptions
from hwr_batch.engine.run_costs import run_costs
from hwr_batch.zoo.card import Context, ModelCard

Compile: TypeAlias = Callable[[Any], Any]

EXACT_STEP = 32  # columns: the English network could go by 8, but four times the shapes cost memory
TRIM_MARGIN = 32  # columns of padding kept right of the content where `trim` was asked for
# Columns: coarser widths, so that more lines share a batch. 96 was a tenth slower on shards of 256 lines.
TRIM_STEP = 192
CHECKED_FRAMES = 64


@dataclass(frozen=True, slots=True)
class Way:
    """A network ready to read: the form, how it may be named in a report, and what was derived.

    `at_full_width`: the same compiled networks with nothing left out, for samples: another compiled model of
    the published form would hold 70 MB (English) or 190 (Chinese). `columns`: where the output's frames lie,
    None where the network was not walked. `batches`: lines that may share a run of the recurrent part, none
    where there is no such part.
    """

    name: str
    form: Form
    widths: Widths
    at_full_width: Form
    columns: Columns | None = None
    batches: tuple[int, ...] = ()


def as_published(network: Any, card: ModelCard, options: EngineOptions, compile_model: Compile) -> Way:
    """One piece a run, padded to the card's width; at its own width where the card takes any."""
    compiled = compile_model(_answering(head.take_pixels(network.clone(), card), card, options))
    widths = Widths(card.width)
    form = WholeForm(compiled, widths)
    return Way("full" if card.width else "own width", form, widths, form)


def choose(network: Any, card: ModelCard, options: EngineOptions, compile_model: Compile) -> Way:
    """The way that `options.padding` asks for. Raises CannotElide where the network does not allow it."""
    if options.padding is Padding.FULL or card.width == 0:
        return as_published(network, card, options, compile_model)
    if card.context is Context.CONVOLUTIONAL:
        return _elided(network, card, options, compile_model)
    if card.context is Context.RECURRENT:
        return _split(network, card, options, compile_model)
    raise CannotElide("the card says that every column reaches every frame (context = global)")


def _elided(network: Any, card: ModelCard, options: EngineOptions, compile_model: Compile) -> Way:
    exact = options.padding is Padding.EXACT
    network = network.clone()
    elide.fold_shapes(network)
    found = walk(network)
    elide.widen(network, found, exact=exact)
    network = _answering(head.take_pixels(network, card), card, options)
    if exact:
        network = head.each_output(network, lambda y: elide.repeat_steady(y, found.output, found, axis=1))
    widths, compiled = _widths(found, exact=exact), compile_model(network)
    full = WholeForm(compiled, Widths(found.published))
    return Way("exact: elided" if exact else "trim", WholeForm(compiled, widths), widths, full, found.output)


def _split(network: Any, card: ModelCard, options: EngineOptions, compile_model: Compile) -> Way:
    exact = options.padding is Padding.EXACT
    first, sequence = split.cut(network)
    elide.fold_shapes(first)
    found = walk(first)
    axis = found.output.axis
    elide.widen(first, found, exact=exact)
    if exact:
        first = head.each_output(first, lambda y: elide.repeat_steady(y, found.output, found, axis=axis))
    widths = _widths(found, exact=exact)
    columns = compile_model(head.take_pixels(first, card))

    def sequence_for(batch: int) -> Any:
        batched = split.with_batch(sequence, batch, any_length_axis=None if exact else axis)
        return compile_model(_answering(batched, card, options))

    costs = options.batches or run_costs(options.precision, options.padding)
    sequences = _sequences(sequence_for, sorted(costs, reverse=True), options)
    whole = max(sequences)

    def form(widths: Widths, *, window: int) -> Form:
        return SplitForm(columns, sequences, widths, costs=costs, window=window, trimmed=not exact)

    return Way(
        "exact: split at recurrence" if exact else "trim",
        form(widths, window=whole if exact else options.window),
        widths,
        form(Widths(found.published), window=whole),
        found.output,
        tuple(sorted(sequences)),
    )


def _sequences(
    sequence_for: Callable[[int], Any], sizes: Sequence[int], options: EngineOptions
) -> dict[int, Any]:
    """The recurrent part for a whole batch, and for smaller ones where those are seen to answer alike."""
    whole, *smaller = sizes
    sequences = {whole: sequence_for(whole)}
    for size in smaller if options.self_check else ():
        part = sequence_for(size)
        if answer_alike(sequences[whole], part, lines=size, frames=CHECKED_FRAMES):
            sequences[size] = part
    return sequences


def _widths(found: Walk, *, exact: bool) -> Widths:
    margin, step = (found.margin, EXACT_STEP) if exact else (TRIM_MARGIN, TRIM_STEP)
    return Widths(found.published, margin, max(found.step, step // found.step * found.step))


def _answering(network: Any, card: ModelCard, options: EngineOptions) -> Any:
    return head.answer(network, card, top_k=options.top_k)
