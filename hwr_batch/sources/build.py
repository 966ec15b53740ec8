"""Anything → manifest: name the places, read them, find lines, embed images, write."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from hwr_batch.config import AccessOptions, Limits
from hwr_batch.errors import LineError, ManifestError
from hwr_batch.sources import iiif, tar
from hwr_batch.sources.ahead import ahead
from hwr_batch.sources.embed import Embedder
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.frames import frames_in
from hwr_batch.sources.image_files import LineFormat
from hwr_batch.sources.layout_files import LayoutSource
from hwr_batch.sources.manifest_writer import ManifestWriter, Shape
from hwr_batch.sources.places import FileKind, Place, common_root, kind_of, place_of, relative_name
from hwr_batch.storage import AccessPolicy, ImageSource, Store, is_local, member_of, parent
from hwr_batch.storage.uri import origin

PROBLEMS_KEPT = 1000  # of more, the counts are kept
PageFinder = Callable[[Iterable[Item], ImageSource], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`embed`: as which format cut lines are stored, None for no images in the manifest; `colour`: whether
    they keep colour, for models that see it; `find_lines`: finds
    the lines of page images, None where each image is a line; `access`: where else IIIF images may lie."""

    embed: LineFormat | None = None
    colour: bool = False
    find_lines: PageFinder | None = None
    access: AccessOptions = field(default_factory=AccessOptions)
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Summary:
    """What was found. `pages`: images, or frames; `left_out`: problems that cost a row.

    `outside`, `hosts`: the folder above all local images, and the places of remote ones, that a run over the
    manifest may not read by itself.
    """

    rows: int = 0
    pages: int = 0
    with_text: int = 0
    images_without_layout: int = 0
    problems: list[Problem] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    outside: str | None = None
    hosts: set[str] = field(default_factory=set)

    def allow_options(self) -> list[str]:
        """What `recognize` must be told to read the images."""
        roots = [] if self.outside is None else ["--allow-root", self.outside]
        return roots + [word for host in sorted(self.hosts) for word in ("--allow-url", host)]


def build(
    sources: Sequence[str],
    output: str,
    store: Store,
    options: BuildOptions,
    tell: Callable[[Problem], None],
) -> Summary:
    """Write the manifest of all `sources` (normalized) to `output`, and say what was wrong with them.

    `tell` hears each problem as it is found. Raises ManifestError where no line was found or one was found
    twice, ConfigError for a source that can be none, StorageError.
    """
    places = [place_of(source, store) for source in dict.fromkeys(sources)]
    reader = _Reader(store, options, common_root(places))
    ledger = _Ledger(output, Summary(), tell, remember_roots=options.embed is None)
    layout = options.find_lines is not None or any(map(reader.has_layout, places))
    items: Iterator[Item] = chain.from_iterable(map(reader.items, places))
    images = ImageSource(store, None, options.limits)
    if options.find_lines is not None:
        items = options.find_lines(items, images)
    if options.embed is not None:
        items = Embedder(images, options.embed, 3 if options.colour else 1, options.limits).embedded(items)
    with ManifestWriter(output, store, Shape(options.embed is not None, layout)) as writer:
        for item in items:
            if ledger.note(item):
                writer.add(item)  # type: ignore[arg-type]
        if not writer.rows:
            raise ManifestError("no line was found in the sources; what is wrong with them stands above")
        writer.finish()
    ledger.summary.images_without_layout = max(0, reader.images_beside - ledger.summary.pages)
    return ledger.summary


class _Reader:
    """Yields what each place holds. `images_beside`: images that lie among layout files."""

    def __init__(self, store: Store, options: BuildOptions, root: str) -> None:
        self.images_beside = 0
        self._store = store
        self._options = options
        self._root = root
        self._layout = LayoutSource(
            store, lambda uri: self._name(uri).removesuffix(".xml").removesuffix(".XML")
        )
        self._has_layout: dict[Place, bool] = {}

    def has_layout(self, place: Place) -> bool:
        """Whether a place holds layout files, which then say which images are pages."""
        if place not in self._has_layout:
            files = place.files(self._store)
            self._has_layout[place] = any(
                kind is FileKind.LAYOUT and (place.file is not None or self._layout.is_layout(uri))
                for uri, kind in files
            )
        return self._has_layout[place]

    def items(self, place: Place) -> Iterator[Item]:
        """Layout files several at a time, as each costs some requests; the rest one after the other."""
        if self.has_layout(place):
            for found in ahead(self._layout.lines, self._layout_files(place)):
                yield from found
        for uri, kind in place.files(self._store):
            if kind is FileKind.TAR or (kind is not FileKind.LAYOUT and not self.has_layout(place)):
                yield from self._file(uri, kind, explicit=place.file is not None)

    def _layout_files(self, place: Place) -> Iterator[str]:
        for uri, kind in place.files(self._store):
            if kind is FileKind.LAYOUT:
                yield uri
            elif kind in (FileKind.IMAGE, FileKind.FRAMED):
                self.images_beside += 1

    def _file(self, uri: str, kind: FileKind, *, explicit: bool) -> Iterator[Item]:
        line = FoundLine(self._name(uri), uri)
        if kind is FileKind.TAR:
            source = ImageSource(self._store, None, self._options.limits)
            yield from tar.members(uri, self._store, source, self._name)
        elif kind is FileKind.IIIF:
            yield from self._allowed(uri, iiif.images(uri, self._store, self._name))
        elif kind is FileKind.FRAMED:
            yield from frames_in(line, self._store)
        elif explicit and kind_of(uri) is None:
            yield Problem(
                uri, None, ProblemKind.NOT_AN_IMAGE, "is no image, layout file, archive or IIIF manifest"
            )
        elif explicit and not self._store.exists(uri):
            yield Problem(uri, None, ProblemKind.SOURCE_MISSING, "does not exist")
        else:
            yield line

    def _allowed(self, uri: str, items: Iterator[Item]) -> Iterator[Item]:
        """Images that a IIIF manifest names are fetched only from its own host, or where the person says."""
        if self._options.find_lines is None and self._options.embed is None:
            yield from items
            return
        policy = AccessPolicy.for_manifest(uri, self._options.access)
        for item in items:
            try:
                if isinstance(item, FoundLine):
                    policy.resolve(item.image)
                yield item
            except LineError as exc:
                yield Problem(uri, None, ProblemKind.IMAGE_UNREADABLE, exc.sentence)

    def _name(self, uri: str) -> str:
        return relative_name(uri, self._root)


class _Ledger:
    """Counts what passes, and works out what `recognize` will have to be allowed to read."""

    def __init__(
        self, output: str, summary: Summary, tell: Callable[[Problem], None], *, remember_roots: bool
    ) -> None:
        self.summary = summary
        self._tell = tell
        self._policy = AccessPolicy.for_manifest(output, AccessOptions()) if remember_roots else None
        self._page: tuple[str, int | None] | None = None

    def note(self, item: Item) -> bool:
        """Whether `item` is a row."""
        if isinstance(item, Problem):
            self._problem(item)
            return False
        self.summary.rows += 1
        self.summary.with_text += item.text is not None
        if (item.image, item.page) != self._page:
            self._page = item.image, item.page
            self.summary.pages += 1
            self._check_access(item.image)
        return True

    def _problem(self, problem: Problem) -> None:
        self.summary.by_kind[problem.kind.value] += 1
        self.summary.left_out += problem.left_out
        if len(self.summary.problems) < PROBLEMS_KEPT:
            self.summary.problems.append(problem)
        self._tell(problem)

    def _check_access(self, image: str) -> None:
        member = member_of(image)
        image = image if member is None else member.archive
        if self._policy is None:
            return
        try:
            self._policy.resolve(image)
        except LineError:
            if not is_local(image):
                self.summary.hosts.add(origin(image))
                return
            folders = [parent(image), *([self.summary.outside] if self.summary.outside else [])]
            self.summary.outside = posixpath.commonpath(folders)
