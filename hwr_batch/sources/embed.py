"""`--embed`: every row carries its own image file, so that reading a shard is one read and no small ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from hwr_batch import image, region
from hwr_batch.config import Limits
from hwr_batch.errors import LineError, Status
from hwr_batch.records import Box, Pixels, Row
from hwr_batch.sources.ahead import ahead
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.image_files import LineFormat, encode
from hwr_batch.storage import ImageSource, redact

_WINDOW = 8  # pages decoded or waiting at most: one of 20 megapixels holds 60 MB
_KINDS = {Status.IMAGE_MISSING: ProblemKind.IMAGE_MISSING, Status.REGION_INVALID: ProblemKind.OUTSIDE_PAGE}


@dataclass(frozen=True, slots=True)
class Embedder:
    """Fetches through `source`; lines with a region are cut out and stored as `kind`.

    `channels`: 1 stores grey, the very pixels that a model of one channel would cut out of the page; from
    colour it would make another grey, as a JPEG's own luminance is not that of its colours. 3 keeps colour.
    """

    source: ImageSource
    kind: LineFormat
    channels: int
    limits: Limits

    def embedded(self, items: Iterable[Item]) -> Iterator[Item]:
        """`items` with the bytes of their images. A line whose image cannot be had is a problem, and has
        a row all the same, so that it is not lost. Raises StorageError only."""
        for found in ahead(self._group, groups(items), window=_WINDOW):
            yield from found

    def _group(self, items: list[Item]) -> list[Item]:
        """Lines of one page, which is fetched and decoded once."""
        lines = [item for item in items if isinstance(item, FoundLine)]
        if not lines:
            return items
        try:
            data = self.source.fetch(lines[0].image)
            if lines[0].page is None and all(line.whole_image for line in lines):
                return [replace(line, embedded=data) for line in lines]
            page = image.open_page(data, page=lines[0].page, channels=self.channels, limits=self.limits)
        except LineError as exc:
            return [_problem(lines[0], exc), *lines]
        return [found for line in lines for found in self._line(page, line)]

    def _line(self, page: Pixels, line: FoundLine) -> list[Item]:
        try:
            row = Row(0, line.line_id, line.image, box=line.box, polygon=line.polygon)
            pixels, left = region.crop(page, row)
            box = Box(left, _top(line), pixels.shape[1], pixels.shape[0])
            return [replace(line, embedded=encode(pixels, self.kind), cropped=True, box=box)]
        except LineError as exc:
            return [_problem(line, exc), line]


def _top(line: FoundLine) -> int:
    """Page y of the first row of a line that was cut out."""
    if line.box is not None:
        return max(0, line.box.y)
    return max(0, math.floor(min((y for _, y in line.polygon or ()), default=0)))


def groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Runs of lines of one image and frame; a problem is alone."""
    for _, run in groupby(enumerate(items), key=_page):
        yield [item for _, item in run]


def _page(numbered: tuple[int, Item]) -> tuple[object, ...]:
    number, item = numbered
    return (number,) if isinstance(item, Problem) else (item.image, item.page)


def _problem(line: FoundLine, exc: LineError) -> Problem:
    kind = _KINDS.get(exc.status, ProblemKind.IMAGE_UNREADABLE)
    return Problem(redact(line.image), None, kind, exc.sentence, left_out=False)
