"""Tar archives of line images: every member a row that names its bytes, so nothing is unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable, Iterator

from hwr_batch.errors import LineError
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.frames import frames_of
from hwr_batch.sources.image_files import EXTENSIONS, FRAMED
from hwr_batch.storage import ImageSource, Member, Store, redact

_BLOCK = 1 << 20  # bytes fetched at a time: members are of a similar size, so skipping them saves nothing


def members(uri: str, store: Store, source: ImageSource, prefix: Callable[[str], str]) -> Iterator[Item]:
    """The images in the archive `uri`, in its order. Raises StorageError only.

    Files that are no images (labels, layout) are left out, and counted in one problem.
    """
    passed = 0
    seen: set[int] = set()  # hashes of names: appending to an archive can repeat them
    try:
        with store.open(uri, block=_BLOCK) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in _files(archive):
                ending = posixpath.splitext(member.name)[1].lower()
                if ending not in EXTENSIONS or member.issparse():
                    passed += 1
                    continue
                if hash(member.name) in seen:
                    yield Problem(
                        redact(uri), None, ProblemKind.DUPLICATE_ID, f"{member.name} is in it twice"
                    )
                    continue
                seen.add(hash(member.name))
                image = str(Member(uri, member.offset_data, member.size))
                line = FoundLine(f"{prefix(uri)}/{member.name}", image)
                yield from _frames(line, source) if ending in FRAMED else (line,)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        yield Problem(redact(uri), None, ProblemKind.SOURCE_MISSING, "does not exist, or is a folder")
    except (tarfile.TarError, EOFError) as exc:
        sentence = f"is damaged, compressed, or no tar archive ({exc}); what was found before is kept"
        yield Problem(redact(uri), None, ProblemKind.NOT_TAR, sentence)
    if passed:
        sentence = f"{passed} members are no images by their names: passed over"
        yield Problem(redact(uri), None, ProblemKind.NOT_AN_IMAGE, sentence, left_out=False)


def _files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Regular files; the archive's own list of them is kept empty, as it would grow with every member."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]
        if member.isreg():
            yield member
    _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Raises TarError where what stopped the reading was no end mark: tarfile takes a damaged header, and the
    end of a file cut short, for the end of the archive."""
    file = archive.fileobj
    if file is None:
        raise tarfile.ReadError("closed")
    file.seek(archive.offset)
    block = file.read(tarfile.BLOCKSIZE)
    if not block:
        raise tarfile.ReadError("it ends without an end mark")
    if block.strip(b"\0"):
        raise tarfile.ReadError(f"damaged at byte {archive.offset}")


def _frames(line: FoundLine, source: ImageSource) -> Iterator[Item]:
    try:
        data = source.fetch(line.image)
    except LineError as exc:
        yield Problem(redact(line.image), None, ProblemKind.IMAGE_UNREADABLE, exc.sentence)
        return
    yield from frames_of(line, data)
