"""One page → its file, or files where a new one is needed for each image. Reads, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from hwr_batch.errors import LineError
from hwr_batch.export.alto_xml import alto_edits
from hwr_batch.export.hocr import hocr
from hwr_batch.export.layout import Layout, Placed, copy, place, recognise
from hwr_batch.export.lines import Line, Page
from hwr_batch.export.markup import printable
from hwr_batch.export.new_files import new_file
from hwr_batch.export.offsets import LayoutError, parse
from hwr_batch.export.page_size import page_size
from hwr_batch.export.page_xml import page_edits
from hwr_batch.export.request import ALTERED, SOURCE_UNUSABLE, ExportOptions, Format, Note
from hwr_batch.export.text import plain
from hwr_batch.storage import AccessPolicy, Store, TooLargeError, is_local, join, local_path, redact

LARGEST_XML = 64 << 20  # bytes; a page with a polygon for each of 10,000 characters has 2 MB


@dataclass(frozen=True, slots=True)
class PageJob:
    """A page and the relative names reserved for it: `name`, and one for each image it is made of."""

    page: Page
    name: str
    image_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageFiles:
    """`files`: relative name and content; `written`: lines whose text is in them."""

    files: tuple[tuple[str, bytes], ...]
    written: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class PageWriter:
    """Makes the files of pages as `options` ask; thread-safe."""

    options: ExportOptions
    store: Store
    policy: AccessPolicy

    def files(self, job: PageJob) -> PageFiles:
        """Raises StorageError where a store gave no answer; what is wrong with the page becomes notes."""
        match self.options.format:
            case Format.PAGE | Format.ALTO:
                made = self._layout(job)
            case Format.HOCR:
                content = hocr(job.page, self._size(job.page), self.options.detail)
                made = _whole(job, content.encode(), _alterations(job.page.lines))
            case _:
                made = _whole(job, plain(job.page).encode(), ())
        failed = (
            Note(line.line_id, job.page.name, line.status, line.error or "")
            for line in job.page.lines
            if not line.read
        )
        return PageFiles(made.files, made.written, (*made.notes, *failed))

    def _layout(self, job: PageJob) -> PageFiles:
        """A copy of the page's layout file, or a new one where it has none of this format."""
        try:
            source = self._source(job)
            if source is not None and source.format is self.options.format:
                data, placed = self._written(source, job.page.lines)
                return _files([(job.name, data)], [placed])
            made = [self._new(page) for page in job.page.by_image()]
            return _files(
                [(name, data) for name, (data, _) in zip(job.image_names, made, strict=True)],
                [placed for _, placed in made],
            )
        except LayoutError as exc:
            sentence = f"{redact(job.page.source_xml or job.page.image)} {exc}"
            read = (line for line in job.page.lines if line.read)
            notes = (Note(line.line_id, job.page.name, SOURCE_UNUSABLE, sentence) for line in read)
            return PageFiles((), 0, tuple(notes))

    def _new(self, page: Page) -> tuple[bytes, Placed]:
        made = new_file(page, self._size(page), self.options.format, self.options.now)
        return self._written(recognise(parse(made.data)), made.lines)

    def _written(self, layout: Layout, lines: Sequence[Line]) -> tuple[bytes, Placed]:
        placed = place(layout, lines)
        edits = page_edits if layout.format is Format.PAGE else alto_edits
        return copy(layout, edits(layout, placed.pairs, self.options.detail)), placed

    def _source(self, job: PageJob) -> Layout | None:
        """The page's layout file. LayoutError where it cannot be read, or would be written over."""
        if job.page.source_xml is None:
            return None
        try:
            uri = self.policy.resolve(job.page.source_xml)
            data = self.store.read(uri, max_bytes=LARGEST_XML)
        except LineError as exc:
            raise LayoutError(f"may not be read: {exc.sentence}; see --allow-root and --allow-url") from exc
        except TooLargeError as exc:
            raise LayoutError(f"has {exc.size} bytes, more than the {LARGEST_XML} allowed") from exc
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as exc:
            raise LayoutError("cannot be read: it is missing, or no file, or closed to us") from exc
        for name in (job.name, *job.image_names):
            if _same_place(uri, join(self.options.dest, name)):
                raise LayoutError("would be written over; choose another DEST")
        return recognise(parse(data))

    def _size(self, page: Page) -> tuple[int, int]:
        return page_size(page, self.store, self.policy)


def _whole(job: PageJob, data: bytes, notes: tuple[Note, ...]) -> PageFiles:
    """A file that holds every line of the page."""
    return PageFiles(((job.name, data),), sum(line.read for line in job.page.lines), notes)


def _files(files: Sequence[tuple[str, bytes]], placed: Sequence[Placed]) -> PageFiles:
    lines = [line for one in placed for line, _ in one.pairs]
    notes = (note for one in placed for note in one.notes)
    return PageFiles(tuple(files), len(lines), (*notes, *_alterations(lines)))


def _alterations(lines: Sequence[Line]) -> tuple[Note, ...]:
    sentence = "characters that XML cannot hold are written as U+FFFD"
    return tuple(
        Note(line.line_id, line.image, ALTERED, sentence)
        for line in lines
        if line.text and printable(line.text) != line.text
    )


def _same_place(one: str, other: str) -> bool:
    """Whether two names lead to one file, links followed."""
    if is_local(one) and is_local(other):
        return os.path.realpath(local_path(one)) == os.path.realpath(local_path(other))
    return one == other
