"""Multi-page TIFF: a row for each frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from hwr_batch.errors import LineError
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.image_files import HEADER_BLOCK, look
from hwr_batch.storage import Store, redact


def frames_in(line: FoundLine, store: Store) -> Iterator[Item]:
    """One row for a file with one frame, else one for each. Reads headers only. Raises StorageError only."""
    try:
        with store.open(line.image, block=HEADER_BLOCK) as file:
            frames = look(file).frames
    except LineError as exc:
        yield Problem(redact(line.image), None, ProblemKind.IMAGE_UNREADABLE, exc.sentence)
    except OSError:
        yield Problem(redact(line.image), None, ProblemKind.IMAGE_MISSING, "cannot be opened")
    else:
        yield from _each(line, frames)


def frames_of(line: FoundLine, data: bytes) -> Iterator[Item]:
    """The same, of a file that was read."""
    try:
        yield from _each(line, look(io.BytesIO(data)).frames)
    except LineError as exc:
        yield Problem(redact(line.image), None, ProblemKind.IMAGE_UNREADABLE, exc.sentence)


def _each(line: FoundLine, frames: int) -> Iterator[FoundLine]:
    if frames == 1:
        yield line
        return
    for frame in range(frames):
        yield replace(line, line_id=f"{line.line_id}#page={frame}", page=frame)
