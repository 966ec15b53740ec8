"""One PAGE or ALTO file → its lines, checked against its image, and whatever is wrong with either."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hwr_batch.errors import LineError
from hwr_batch.records import Box
from hwr_batch.sources import alto, page_xml
from hwr_batch.sources.found import FoundLine, Item, Points, Problem, ProblemKind
from hwr_batch.sources.image_files import EXTENSIONS, HEADER_BLOCK, ImageFacts, look
from hwr_batch.sources.layout import LayoutLine, LayoutPage, NotNumbersError, number, points
from hwr_batch.sources.xml_tree import LARGEST, XmlError, local_name, parse
from hwr_batch.storage import Store, TooLargeError, join, parent, redact

_FORMATS = {page_xml.ROOT: page_xml.pages, alto.ROOT: alto.pages}
_SIZE_TOLERANCE = 1  # pixels: some tools write the last coordinate instead of the size
_OUTSIDE_SHARE = 0.5  # of a line's bounding box outside the page: then it is said, though the row stays
_POLYGON_POINTS = 3
_BEGINNING = 1 << 14  # bytes in which the root element of a layout file begins
_ROOTS = re.compile(rb"<([A-Za-z_][\w.-]*:)?(PcGts|alto)[\s>]")


@dataclass(frozen=True, slots=True)
class LayoutSource:
    """Reads layout files through `store`. `prefix`: what the line ids of a file begin with."""

    store: Store
    prefix: Callable[[str], str]

    def lines(self, uri: str) -> list[Item]:
        """Everything in the file `uri`, in reading order. Raises StorageError only."""
        try:
            pages = self._pages(uri)
        except XmlError as exc:
            return [Problem(redact(uri), exc.line, ProblemKind.NOT_XML, exc.sentence)]
        except (OSError, TooLargeError) as exc:
            return [Problem(redact(uri), None, ProblemKind.SOURCE_MISSING, _why(exc))]
        if pages is None:
            sentence = "is neither PAGE nor ALTO: passed over"
            return [Problem(redact(uri), None, ProblemKind.NOT_LAYOUT, sentence, left_out=False)]
        return [item for number, page in enumerate(pages) for item in self._page(uri, number, page)]

    def is_layout(self, uri: str) -> bool:
        """Whether the file is PAGE or ALTO, even a broken one, by how it begins."""
        try:
            return _ROOTS.search(self.store.read_range(uri, 0, _BEGINNING)) is not None
        except OSError:
            return False

    def _pages(self, uri: str) -> list[LayoutPage] | None:
        root = parse(self.store.read(uri, max_bytes=LARGEST))
        reader = _FORMATS.get(local_name(root))
        return None if reader is None else list(reader(root))

    def _page(self, uri: str, number: int, page: LayoutPage) -> Iterator[Item]:
        found = self._image(uri, page)
        if isinstance(found, Problem):
            yield found
            return
        image, facts = found
        if number >= facts.frames:
            sentence = f"is page {number + 1} of the document, but {redact(image)} has {facts.frames}"
            yield Problem(redact(uri), page.source_line, ProblemKind.IMAGE_MISSING, sentence)
            return
        checker = _PageChecker(redact(uri), page, facts)
        if number == 0 and (wrong := checker.wrong_size()) is not None:
            yield wrong
            return
        frame = number if facts.frames > 1 else None
        yield from checker.lines(FoundLine(self.prefix(uri), image, page=frame, source_xml=uri))

    def _image(self, uri: str, page: LayoutPage) -> tuple[str, ImageFacts] | Problem:
        """The page's image: beside its XML, in the folder above (Transkribus), or by the XML's name."""
        for name in _candidates(uri, page.image):
            try:
                with self.store.open(name, block=HEADER_BLOCK) as file:
                    return name, look(file)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except PermissionError:
                sentence = f"its image {redact(name)} may not be read; check its access rights"
                return Problem(redact(uri), page.source_line, ProblemKind.IMAGE_UNREADABLE, sentence)
            except LineError as exc:
                sentence = f"its image {redact(name)}: {exc.sentence}"
                return Problem(redact(uri), page.source_line, ProblemKind.IMAGE_UNREADABLE, sentence)
        named = page.image or "an image that the file does not name"
        sentence = f"{named} is not beside it; put the image there, under that name or the XML's own"
        return Problem(redact(uri), page.source_line, ProblemKind.IMAGE_MISSING, sentence)


@dataclass(slots=True)
class _PageChecker:
    """Turns the lines of one page into rows."""

    source: str
    page: LayoutPage
    facts: ImageFacts

    def wrong_size(self) -> Problem | None:
        """Where the XML was made for an image of another size, its coordinates mean nothing here."""
        if not self.page.pixels or not self.page.width or not self.page.height:
            return None
        try:
            said = number(self.page.width), number(self.page.height)
        except NotNumbersError as exc:
            sentence = f"the page's size {exc}"
            return Problem(self.source, self.page.source_line, ProblemKind.NOT_NUMBERS, sentence)
        real = self.facts.width, self.facts.height
        if all(abs(a - b) <= _SIZE_TOLERANCE for a, b in zip(said, real, strict=True)):
            return None
        sentence = (
            f"says its image has {said[0]:g} × {said[1]:g} pixels, but it has {real[0]} × {real[1]}; "
            "put the image that the layout was made on beside it"
        )
        return Problem(self.source, self.page.source_line, ProblemKind.SIZE_DIFFERS, sentence)

    def lines(self, template: FoundLine) -> Iterator[Item]:
        """`template`: the row but for what the line says; its id is what line ids begin with."""
        seen: set[str] = set()
        order = 0
        for place, line in enumerate(self.page.lines):
            name = line.id or f"line-{place + 1}"
            if name in seen:
                yield self._problem(line, ProblemKind.DUPLICATE_ID, "has the id of a line before it")
                continue
            seen.add(name)
            for item in self._line(template, line, name, order):
                order += isinstance(item, FoundLine)
                yield item

    def _line(self, template: FoundLine, line: LayoutLine, name: str, order: int) -> Iterator[Item]:
        try:
            polygon, box = self._region(line)
        except NotNumbersError as exc:
            yield self._problem(line, ProblemKind.NOT_NUMBERS, f"its region {exc}")
            return
        if polygon is None and box is None:
            yield self._problem(line, ProblemKind.NO_REGION, "has no polygon of three points, and no box")
            return
        outside = self._outside(polygon, box)
        if outside >= 1:
            yield self._problem(line, ProblemKind.OUTSIDE_PAGE, "lies outside the page")
            return
        if outside > _OUTSIDE_SHARE:
            sentence = f"lies outside the page by {outside:.0%}; the rest of it is read"
            yield self._problem(line, ProblemKind.OUTSIDE_PAGE, sentence, left_out=False)
        baseline: Points | None = None
        try:
            baseline = self._scaled(points(line.baseline)) or None
        except NotNumbersError as exc:
            sentence = f"its baseline {exc}; it is read without"
            yield self._problem(line, ProblemKind.NOT_NUMBERS, sentence, left_out=False)
        yield FoundLine(
            line_id=f"{template.line_id}/{name}",
            image=template.image,
            page=template.page,
            box=box,
            polygon=polygon,
            baseline=baseline,
            text=line.text,
            page_id=template.line_id,
            region_id=line.region,
            xml_line_id=line.id,
            reading_order=order,
            page_size=(self.facts.width, self.facts.height),
            source_xml=template.source_xml,
        )

    def _region(self, line: LayoutLine) -> tuple[Points | None, Box | None]:
        """The polygon, or where there is none the box."""
        polygon = self._scaled(points(line.polygon))
        if len(polygon) >= _POLYGON_POINTS:
            return polygon, None
        if line.box is None:
            return None, None
        left, top, width, height = (number(cell.strip()) for cell in line.box)
        (x, y), (right, bottom) = self._scaled(((left, top), (left + width, top + height)))
        box = Box(int(x // 1), int(y // 1), int(-(-right // 1) - x // 1), int(-(-bottom // 1) - y // 1))
        return None, box if box.width > 0 and box.height > 0 else None

    def _scaled(self, found: Points) -> Points:
        """In image pixels, where the document counts tenths of millimetres or parts of an inch."""
        if self.page.pixels:
            return found
        width, height = number(self.page.width), number(self.page.height)
        if width <= 0 or height <= 0:
            raise NotNumbersError("is not in pixels, and the page's size is missing")
        across, down = self.facts.width / width, self.facts.height / height
        return tuple((round(x * across, 2), round(y * down, 2)) for x, y in found)

    def _outside(self, polygon: Points | None, box: Box | None) -> float:
        """Share of the line's bounding box outside the page, 1 where they do not touch."""
        if polygon is not None:
            xs, ys = zip(*polygon, strict=True)
            left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        elif box is not None:
            left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
        across = min(right, self.facts.width) - max(left, 0)
        down = min(bottom, self.facts.height) - max(top, 0)
        area = max(right - left, 1e-9) * max(bottom - top, 1e-9)
        return 1.0 if across < 0 or down < 0 else 1 - max(across, 1e-9) * max(down, 1e-9) / area

    def _problem(self, line: LayoutLine, kind: ProblemKind, text: str, *, left_out: bool = True) -> Problem:
        name = "a line without an id" if line.id is None else f"line {line.id[:200]!r}"
        return Problem(self.source, line.source_line, kind, f"{name} {text}", left_out)


def _candidates(uri: str, named: str) -> Iterator[str]:
    """Where the image may lie, likeliest first."""
    folder, stem = parent(uri), posixpath.splitext(uri)[0].rpartition("/")[2]
    usable = named not in ("", ".", "..") and "\0" not in named
    names = [named] if usable else []
    for name in names:
        yield join(folder, name)
        yield join(parent(folder), name)
    for extension in sorted(EXTENSIONS):
        if stem + extension != named:
            yield join(folder, stem + extension)


def _why(exc: OSError | TooLargeError) -> str:
    if isinstance(exc, TooLargeError):
        return f"has {exc.size} bytes; layout files over {exc.limit >> 20} MB are not read"
    return "may not be read" if isinstance(exc, PermissionError) else "does not exist"
