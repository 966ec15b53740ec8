"""A shard's rows become results: fetch, open, crop, prepare, read, decode, merge.

One row in, one result out, in order. A line that cannot be read becomes a failed row here and nowhere
else. Needs neither Ray nor OpenVINO nor fsspec: the source of bytes and the network come as arguments.
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from hwr_batch import ctc, image, preprocess, region, wide
from hwr_batch.binarize import binarize_gnhk
from hwr_batch.config import Binarize, ReadingOptions
from hwr_batch.decode_room import DecodeRoom
from hwr_batch.errors import LineError, Status
from hwr_batch.image_threads import ImageTask, ImageThreads
from hwr_batch.records import (
    Failure,
    FrameGeometry,
    Frames,
    LineResult,
    Pixels,
    PreparedLine,
    Reading,
    Row,
)
from hwr_batch.stages import StageClock
from hwr_batch.zoo.card import ModelCard

IMAGES_AHEAD = 96  # images being fetched and prepared ahead of the network, at most
REREAD_ONE_IN = 500


class Network(Protocol):
    """What the pipeline needs of `hwr_batch.engine.Engine`."""

    geometry: FrameGeometry
    facts: Mapping[str, str | int | float | bool]

    def read(self, pieces: Iterable[Pixels]) -> Iterator[Frames]: ...

    def read_published(self, pieces: Iterable[Pixels]) -> Iterator[Frames]: ...


@dataclass(frozen=True, slots=True)
class LineReader:
    """The tools that turn rows into results. `fetch` gives an image file's bytes or raises LineError."""

    card: ModelCard
    charset: tuple[str, ...]
    network: Network
    fetch: Callable[[str], bytes]
    options: ReadingOptions
    allowed: frozenset[str] | None
    threads: ImageThreads
    room: DecodeRoom = field(default_factory=DecodeRoom)


@dataclass(slots=True)
class ShardReading:
    """Results in row order; `reread`, `differing`: lines read again the published way, and how many of
    their texts differ; `done`: rows finished so far, for whoever watches."""

    results: list[LineResult | None]
    done: int = 0
    reread: int = 0
    differing: int = 0

    def put(self, position: int, result: LineResult) -> None:
        self.results[position] = result
        self.done += 1

    def complete(self) -> list[LineResult]:
        return [result for result in self.results if result is not None]


def read_rows(
    reader: LineReader, rows: Sequence[Row], clock: StageClock, shard: ShardReading | None = None
) -> ShardReading:
    """Read every row. Raises StorageError when a store fails for good; never for one bad line."""
    shard = shard or ShardReading([None] * len(rows))
    waiting: deque[tuple[int, PreparedLine]] = deque()
    sample: list[tuple[PreparedLine, str]] = []
    readings: list[Reading] = []
    pieces = _Pieces(_outcomes(reader, rows, clock), rows, shard, waiting)
    begun = time.perf_counter()
    for frames in reader.network.read(pieces):
        clock.add("infer", time.perf_counter() - begun - pieces.take_seconds())
        with clock.stage("text"):
            position, line = waiting[0]
            readings.append(_decode(reader, frames))
            if len(readings) == len(line.pieces):
                waiting.popleft()
                reading = wide.merge(readings, line)
                readings = []
                shard.put(position, _read_result(rows[position], line, reading))
                if _rereads(reader.network) and _sampled(rows[position]):
                    sample.append((line, reading.text))
        begun = time.perf_counter()
    with clock.stage("infer"):
        _reread(reader, sample, shard)
    return shard


class _Pieces:
    """The pieces of every readable line, in row order; failed rows go straight to the results.

    Keeps the seconds spent waiting for images apart from the network's own.
    """

    def __init__(
        self,
        outcomes: Iterator[tuple[int, PreparedLine | Failure]],
        rows: Sequence[Row],
        shard: ShardReading,
        waiting: deque[tuple[int, PreparedLine]],
    ) -> None:
        self._outcomes, self._rows, self._shard, self._waiting = outcomes, rows, shard, waiting
        self._seconds = 0.0

    def __iter__(self) -> Iterator[Pixels]:
        while True:
            begun = time.perf_counter()
            position, outcome = next(self._outcomes, (-1, None))
            self._seconds += time.perf_counter() - begun
            if outcome is None:
                return
            if isinstance(outcome, Failure):
                self._shard.put(position, failed_result(self._rows[position], outcome))
            else:
                self._waiting.append((position, outcome))
                yield from (piece.pixels for piece in outcome.pieces)

    def take_seconds(self) -> float:
        seconds, self._seconds = self._seconds, 0.0
        return seconds


def _outcomes(
    reader: LineReader, rows: Sequence[Row], clock: StageClock
) -> Iterator[tuple[int, PreparedLine | Failure]]:
    """Each row's position with its prepared line or failure, images prepared ahead by threads."""
    images = [list(group) for _, group in itertools.groupby(enumerate(rows), key=_same_image)]
    pending: deque[tuple[list[tuple[int, Row]], ImageTask[list[PreparedLine | Failure]]]] = deque()
    upcoming = iter(images)
    try:
        while True:
            for lines in itertools.islice(upcoming, IMAGES_AHEAD - len(pending)):
                work = partial(_prepare_image, reader, [row for _, row in lines], clock)
                pending.append((lines, reader.threads.submit(work)))
            if not pending:
                return
            lines, task = pending.popleft()
            for (position, _), outcome in zip(lines, _wait(reader.threads, task, len(lines)), strict=True):
                yield position, outcome
    finally:
        for _, task in pending:
            task.future.cancel()


def _same_image(numbered: tuple[int, Row]) -> tuple[object, ...]:
    position, row = numbered
    alone = row.embedded is not None or row.problem is not None
    return (position,) if alone else (row.image, row.page)


def _wait(
    threads: ImageThreads, task: ImageTask[list[PreparedLine | Failure]], lines: int
) -> list[PreparedLine | Failure]:
    try:
        return threads.wait(task)
    except TimeoutError:
        sentence = f"the image was not read and decoded within {threads.seconds:.0f} seconds"
        return [Failure(Status.TIMED_OUT, sentence)] * lines


def _prepare_image(
    reader: LineReader,
    rows: Sequence[Row],
    clock: StageClock,
    task: ImageTask[list[PreparedLine | Failure]],
) -> list[PreparedLine | Failure]:
    """Fetch and decode one image, then cut and resize each of its lines."""
    first = rows[0]
    if first.problem is not None:
        return [first.problem]
    try:
        with clock.stage("read"):
            data = first.embedded if first.embedded is not None else reader.fetch(first.image)
        pixels = image.pixel_count(data, first.page)
        task.stop_clock()
        with reader.room.hold(pixels), clock.stage("decode"):
            task.start_clock()
            page = _open_page(reader, data, first.page)
            return [_prepare_line(reader, page, row) for row in rows]
    except LineError as failure:
        return [Failure(failure.status, failure.sentence)] * len(rows)


def _open_page(reader: LineReader, data: bytes, page: int | None) -> Pixels:
    """The page as the network sees it, binarised where that is asked for."""
    channels, limits = reader.card.channels, reader.options.limits
    if _binarize(reader) is not Binarize.GNHK:
        return image.open_page(data, page=page, channels=channels, limits=limits)
    grey = image.open_page(data, page=page, channels=1, limits=limits)
    return image.with_channels(binarize_gnhk(grey), channels)


def _prepare_line(reader: LineReader, page: Pixels, row: Row) -> PreparedLine | Failure:
    try:
        line, x = region.crop(page, row)
        return preprocess.prepare(
            line,
            x=x,
            height=reader.card.height,
            width=reader.card.width,
            wide=reader.options.wide,
            step=max(1, int(reader.network.geometry.stride)),
        )
    except LineError as failure:
        return Failure(failure.status, failure.sentence)


def _binarize(reader: LineReader) -> Binarize:
    return reader.options.binarize or Binarize(reader.card.binarize)


def _decode(reader: LineReader, frames: Frames) -> Reading:
    return ctc.decode(
        frames,
        reader.charset,
        reader.network.geometry,
        blank=reader.card.blank,
        allowed=reader.allowed,
    )


def _rereads(network: Network) -> bool:
    """Whether reading again the published way is another computation."""
    return network.facts["path"] not in ("full", "own width")


def _sampled(row: Row) -> bool:
    return zlib.crc32(row.line_id.encode()) % REREAD_ONE_IN == 0


def _reread(reader: LineReader, sample: Sequence[tuple[PreparedLine, str]], shard: ShardReading) -> None:
    """Read the sampled lines the published way and count the texts that differ."""
    frames = reader.network.read_published(piece.pixels for line, _ in sample for piece in line.pieces)
    for line, text in sample:
        readings = [_decode(reader, next(frames)) for _ in line.pieces]
        shard.reread += 1
        shard.differing += wide.merge(readings, line).text != text


def _read_result(row: Row, line: PreparedLine, reading: Reading) -> LineResult:
    return LineResult(
        line_id=row.line_id,
        image=row.image,
        status=Status.OK,
        error=None,
        reading=reading,
        image_width=line.width,
        image_height=line.height,
        pieces=len(line.pieces),
    )


def failed_result(row: Row, failure: Failure) -> LineResult:
    """The result row of a line that was not read."""
    return LineResult(row.line_id, row.image, failure.status, failure.error, None, None, None, 0)
