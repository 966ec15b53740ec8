"""Results → files in DEST, page after page, with a window of pages under way at a time."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from hwr_batch.errors import ConfigError, Status
from hwr_batch.export.destination import Destination
from hwr_batch.export.lines import Page, by_image, by_source, read_pages
from hwr_batch.export.names import Seen, copies, safe_name, with_extension
from hwr_batch.export.pages import PageFiles, PageJob, PageWriter
from hwr_batch.export.request import ExportOptions, ExportSummary, Format
from hwr_batch.export.sinks import NumberedFiles, OneFile
from hwr_batch.export.tables import FILE_BYTES, write_table
from hwr_batch.storage import AccessPolicy, Store, is_local, join, local_path

PAGES_AT_ONCE = 16  # on object stores a page waits for two requests, 50 ms each
_EXTENSIONS = {Format.PAGE: "xml", Format.ALTO: "xml", Format.HOCR: "hocr", Format.TXT: "txt"}


def export(
    options: ExportOptions, store: Store, on_pages: Callable[[int], None] = lambda _: None
) -> ExportSummary:
    """Write the results in `options.output` to `options.dest`; `on_pages` hears how many pages are done.

    Raises ConfigError where OUTPUT is not complete, DEST is not fit, or the rows of a page do not stand
    together; StorageError where a store failed.
    """
    destination = Destination(options, store)
    destination.begin()
    if options.format.by_page:
        summary = _Pages(options, store, destination.policy).write(on_pages)
    else:
        summary = _table(options, store)
    destination.finish(summary)
    return summary


def _table(options: ExportOptions, store: Store) -> ExportSummary:
    extension = options.format.value
    sink: NumberedFiles | OneFile
    if options.dest.endswith(f".{extension}") and is_local(options.dest):
        sink = OneFile(Path(local_path(options.dest)))
    else:
        sink = NumberedFiles(store, options.dest, "lines", extension)
    with sink:
        by_status = write_table(options.output, store, options.format, options.detail, sink)
    lines, read = by_status.total(), by_status.pop(Status.OK, 0)
    return ExportSummary(
        pages=0,
        files=len(sink.names),
        lines=lines,
        written=read,
        failed=lines - read,
        by_reason=dict(by_status),
        notes_files=(),
    )


class _Pages:
    """Writes one file per page."""

    def __init__(self, options: ExportOptions, store: Store, policy: AccessPolicy) -> None:
        self._options, self._store = options, store
        self._bases = (policy.base, *policy.roots, *policy.prefixes)
        self._writer = PageWriter(options, store, policy)
        self._seen_pages, self._seen_names = Seen(), Seen()
        self._counts: Counter[str] = Counter()
        self._by_reason: Counter[str] = Counter()

    def write(self, on_pages: Callable[[int], None]) -> ExportSummary:
        with NumberedFiles(self._store, self._options.dest, "_notes", "jsonl") as notes:
            for done in self._done():
                self._count(done)
                for note in done.notes:
                    notes.write(json.dumps(asdict(note), ensure_ascii=False).encode() + b"\n")
                if notes.size >= FILE_BYTES:
                    notes.begin()
                on_pages(self._counts["pages"])
        return ExportSummary(
            pages=self._counts["pages"],
            files=self._counts["files"],
            lines=self._counts["lines"],
            written=self._counts["written"],
            failed=self._counts["failed"],
            by_reason=dict(self._by_reason),
            notes_files=notes.names,
        )

    def _count(self, done: PageFiles) -> None:
        self._counts.update(pages=1, files=len(done.files), written=done.written)
        self._by_reason.update(note.reason for note in done.notes)

    def _done(self) -> Iterator[PageFiles]:
        """Pages in manifest order, as they are written; as many ahead as there are threads."""
        together = by_source if self._options.format in (Format.PAGE, Format.ALTO) else by_image
        waiting: deque[Future[PageFiles]] = deque()
        with ThreadPoolExecutor(PAGES_AT_ONCE) as threads:
            try:
                for page in read_pages(self._options.output, self._store, together):
                    if len(waiting) >= PAGES_AT_ONCE:
                        yield waiting.popleft().result()
                    waiting.append(threads.submit(self._write, self._job(page)))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _write(self, job: PageJob) -> PageFiles:
        made = self._writer.files(job)
        for name, data in made.files:
            self._store.put(join(self._options.dest, name), data)
        return made

    def _job(self, page: Page) -> PageJob:
        """Names are given out here, one page after another, so that they do not depend on threads."""
        layout = self._options.format in (Format.PAGE, Format.ALTO)
        source = page.source_xml if layout else None
        if not self._seen_pages.add(source or page.name):
            raise ConfigError(
                f"the rows of {source or page.name!r} do not stand together in the results, so its page "
                "cannot be written in one go: sort the manifest by page and recognize again, or export "
                "to jsonl or csv"
            )
        self._counts["lines"] += len(page.lines)
        self._counts["failed"] += sum(not line.read for line in page.lines)
        if source is None:
            name = self._image_name(page)
            return PageJob(page, name, (name,))
        name = self._free(copies(safe_name(source, self._bases)))
        images = list(page.by_image())
        return PageJob(page, name, (name,) if len(images) == 1 else tuple(map(self._image_name, images)))

    def _image_name(self, page: Page) -> str:
        extension = _EXTENSIONS[self._options.format]
        return self._free(with_extension(safe_name(page.image, self._bases), page.frame, extension))

    def _free(self, names: Iterator[str]) -> str:
        return next(name for name in names if self._seen_names.add(name))
