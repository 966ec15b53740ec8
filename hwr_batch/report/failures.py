"""Failed lines by cause: exact counts from the ledger, examples from the parts that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwr_batch.errors import Status
from hwr_batch.ledger import Ledger
from hwr_batch.report.parts import SomeParts
from hwr_batch.report.words import cut
from hwr_batch.results import part_name
from hwr_batch.results.reading import PartStore, read_columns
from hwr_batch.storage import redact

EXAMPLES = 3  # of each cause
PARTS_LOOKED_INTO = 48

_WHAT_TO_DO = {
    Status.IMAGE_MISSING: "The file is not where the manifest says: mend the path or bring the file.",
    Status.IMAGE_UNREADABLE: "The file is damaged, empty or of an unknown format: scan or convert it again.",
    Status.IMAGE_TOO_LARGE: "The file or its pixels exceed the caps on one image: cut or scale it down.",
    Status.REGION_INVALID: "The box, polygon or page does not fit the image: mend the manifest's cells.",
    Status.LINE_TOO_WIDE: "The line is wider than the model and --wide reject was chosen.",
    Status.TIMED_OUT: "Reading the image took too long: try again with --retry-failed.",
    Status.WORKER_CRASHED: "Decoding this line ends the process: keep the file, and report it as a bug.",
    Status.ACCESS_DENIED: "The image lies where the run may not read: --allow-root or --allow-url.",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One failed line; `image` without anything secret."""

    line_id: str
    image: str
    error: str


@dataclass(frozen=True, slots=True)
class Cause:
    """A status that is not `ok`: `lines` of the whole run, a few of them named."""

    status: str
    lines: int
    share: float
    advice: str
    examples: tuple[Example, ...]


def causes(output: str, store: PartStore, ledger: Ledger) -> tuple[Cause, ...]:
    """The causes, most frequent first. Opens at most `PARTS_LOOKED_INTO` parts."""
    counts = {status: n for status, n in ledger.by_status.items() if status != Status.OK}
    examples = _examples(output, store, sorted(ledger.failed)[:PARTS_LOOKED_INTO], len(counts))
    return tuple(
        Cause(
            status=status,
            lines=lines,
            share=lines / ledger.lines,
            advice=_WHAT_TO_DO[Status(status)],
            examples=tuple(examples.get(status, ())),
        )
        for status, lines in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _examples(output: str, store: PartStore, shards: Iterable[int], kinds: int) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for shard in shards:
        alone = SomeParts(store, (part_name(shard),))
        for batch in read_columns(output, alone, ("line_id", "image", "status", "error")):
            for line_id, image, status, error in zip(*batch.values(), strict=True):
                if status != Status.OK and len(kept := found.setdefault(status, [])) < EXAMPLES:
                    kept.append(Example(cut(redact(line_id), 200), cut(redact(image), 200), cut(error, 300)))
        if len(found) == kinds and all(len(kept) == EXAMPLES for kept in found.values()):
            break
    return found
