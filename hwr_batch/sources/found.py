"""What sources yield: lines for the manifest, and problems for the person who runs the command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hwr_batch.records import Box

Points: TypeAlias = tuple[tuple[float, float], ...]  # x, y in image pixels


class ProblemKind(StrEnum):
    """What can be wrong with a source. The values are what `--json` says."""

    IMAGE_MISSING = "image_missing"
    IMAGE_UNREADABLE = "image_unreadable"
    SIZE_DIFFERS = "size_differs"
    OUTSIDE_PAGE = "outside_page"
    NOT_NUMBERS = "not_numbers"
    NO_REGION = "no_region"
    DUPLICATE_ID = "duplicate_id"
    NOT_XML = "not_xml"
    NOT_LAYOUT = "not_layout"
    NO_LAYOUT = "no_layout"
    NOT_IIIF = "not_iiif"
    NOT_TAR = "not_tar"
    NOT_AN_IMAGE = "not_an_image"
    SOURCE_MISSING = "source_missing"
    NO_LINES = "no_lines"


@dataclass(frozen=True, slots=True)
class Problem:
    """`line`: in the file `source`, 1-based, None where it has none; `sentence`: free of document text.

    `left_out`: whether something has no row because of it.
    """

    source: str
    line: int | None
    kind: ProblemKind
    sentence: str
    left_out: bool = True

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One manifest row. `image`, `source_xml`: absolute names; `page`: frame, 0-based.

    `text`: None where the line has no transcription. `reading_order`: place on its page, 0-based.
    `page_size`: pixels. `embedded`: an image file's bytes; with `cropped` they show the line only: `box` of
    the page, painted over outside `polygon`.
    """

    line_id: str
    image: str
    page: int | None = None
    box: Box | None = None
    polygon: Points | None = None
    baseline: Points | None = None
    text: str | None = None
    page_id: str | None = None
    region_id: str | None = None
    xml_line_id: str | None = None
    reading_order: int | None = None
    page_size: tuple[int, int] | None = None
    source_xml: str | None = None
    embedded: bytes | None = None
    cropped: bool = False

    @property
    def whole_image(self) -> bool:
        """Whether the row is all of an image, or of a frame."""
        return self.box is None and self.polygon is None


Item: TypeAlias = FoundLine | Problem
