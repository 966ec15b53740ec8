"""What an export is asked for, and what it says of itself afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from hwr_batch.config import AccessOptions
from hwr_batch.errors import ConfigError


class Format(StrEnum):
    """What the results are written as."""

    PAGE = "page"
    ALTO = "alto"
    HOCR = "hocr"
    TXT = "txt"
    JSONL = "jsonl"
    CSV = "csv"

    @property
    def by_page(self) -> bool:
        """Whether there is one file for each page rather than one row for each line."""
        return self not in (Format.JSONL, Format.CSV)


class Detail(StrEnum):
    """The smallest thing that gets a position and a score of its own."""

    LINE = "line"
    WORD = "word"
    CHAR = "char"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """One export. `output`, `dest` and `manifest` are normalized names; `now` is written into new PAGE files.

    `manifest`: where the manifest lies now; None means where the plan says it lay. `access`: what may be
    read besides its folder.
    """

    output: str
    dest: str
    format: Format
    detail: Detail = Detail.CHAR
    manifest: str | None = None
    access: AccessOptions = field(default_factory=AccessOptions)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if not self.dest:
            raise ConfigError("DEST is empty; name a folder")


@dataclass(frozen=True, slots=True)
class Note:
    """A line whose text is not in the export, or not as it was read, and why.

    `reason`: the line's status where it could not be read; otherwise one of

        source_unusable   its PAGE or ALTO file cannot be used
        not_in_source     the file has no such line
        stands_twice      the file or the results have the line id twice
        altered           written, but with U+FFFD for characters that XML cannot hold
    """

    line_id: str
    page: str
    reason: str
    sentence: str


ALTERED = "altered"
SOURCE_UNUSABLE = "source_unusable"
NOT_IN_SOURCE = "not_in_source"
STANDS_TWICE = "stands_twice"


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """Counts of lines but for `pages` and `files`; what is not `written` is named in `notes_files`.

    `failed`: lines without a text, whose existing content was left alone. `unplaced`: lines with a text
    that found no place. `by_reason` counts the notes.
    """

    pages: int
    files: int
    lines: int
    written: int
    failed: int
    by_reason: Mapping[str, int]
    notes_files: tuple[str, ...]

    @property
    def unplaced(self) -> int:
        return self.lines - self.written - self.failed

    def to_json(self) -> dict[str, object]:
        """As it stands in `_export.json`."""
        return {
            "pages": self.pages,
            "files": self.files,
            "lines": self.lines,
            "written": self.written,
            "failed": self.failed,
            "unplaced": self.unplaced,
            "by_reason": dict(sorted(self.by_reason.items())),
            "notes_files": list(self.notes_files),
        }
