"""Where in DEST the file of a page goes: names from an untrusted manifest, made safe and kept apart."""

from __future__ import annotations

import hashlib
import posixpath
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain, count

from hwr_batch.storage.uri import has_scheme, is_local, local_path, split

_LONGEST = 120  # characters of one part of a name: 255 bytes is what file systems allow
# Control characters, and what Windows, URLs and shells read otherwise.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\]')


def safe_name(name: str, bases: Iterable[str]) -> str:
    """`name` (a path or URI out of a manifest) as a relative path that stays where it is put.

    Below one of the folders `bases` it keeps its path from there; else all of its path.
    """
    path = _plain(name)
    if has_scheme(name) or path.startswith("/"):
        within = (path[len(base) + 1 :] for base in map(_plain, bases) if path.startswith(f"{base}/"))
        path = next(within, path)
    parts = [_safe_part(part) for part in posixpath.normpath(path).split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "page"


def _plain(name: str) -> str:
    """The path of a name: without scheme, host and query."""
    if not has_scheme(name):
        return name.rstrip("/")
    if is_local(name):
        return str(local_path(name)).rstrip("/")
    _, authority, path = split(name)
    return f"/{authority}/{path}".rstrip("/")


def _safe_part(part: str) -> str:
    """One part of a path; shortened with a digest of it where it is too long."""
    safe = _UNSAFE.sub("_", part)
    if safe[0] in "._":  # `_…` belongs to the export itself, `.…` is hidden
        safe = f"x{safe}"
    if len(safe) <= _LONGEST and len(safe.encode()) <= 2 * _LONGEST:
        return safe
    stem, dot, extension = safe.rpartition(".")
    digest = hashlib.sha256(part.encode()).hexdigest()[:12]
    return f"{(stem if dot else safe)[:40]}-{digest}{dot}{extension[:10] if dot else ''}"


def with_extension(name: str, frame: int | None, extension: str) -> Iterator[str]:
    """Names for the file of the image `name`, the nicest first: `a.txt`, then `a.jpg.txt`, `a.jpg.2.txt` …"""
    suffix = "" if frame is None else f".page-{frame}"
    folder, slash, last = name.rpartition("/")
    stem = last.rpartition(".")[0] or last
    yield f"{folder}{slash}{stem}{suffix}.{extension}"
    yield from _numbered(f"{name}{suffix}", extension)


def copies(name: str) -> Iterator[str]:
    """Names for the copy of the layout file `name`: its own, and numbered ones where that is taken."""
    stem, dot, extension = name.rpartition(".")
    yield name
    yield from (f"{stem if dot else name}.{number}{dot}{extension if dot else ''}" for number in count(2))


def _numbered(name: str, extension: str) -> Iterator[str]:
    return chain([f"{name}.{extension}"], (f"{name}.{number}.{extension}" for number in count(2)))


class Seen:
    """Strings met before: 16 to 32 bytes each, as an open hash table of 64-bit hashes.

    A set of strings would take 150 bytes for each, 150 MB for a million pages. Two strings with one hash
    (one chance in 10^7 among a million) are taken for the same.
    """

    def __init__(self) -> None:
        self._table, self._count = array("q", bytes(8 << 10)), 0

    def add(self, text: str) -> bool:
        """Remember `text`; False where it is known already."""
        if 2 * (self._count + 1) > len(self._table):
            self._grow()
        added = self._put(hash(text) or 1)
        self._count += added
        return added

    def _put(self, value: int) -> bool:
        table, mask = self._table, len(self._table) - 1
        place = value & mask
        while table[place]:
            if table[place] == value:
                return False
            place = (place + 1) & mask
        table[place] = value
        return True

    def _grow(self) -> None:
        old = self._table
        self._table = array("q", bytes(16 * len(old)))
        for value in old:
            if value:
                self._put(value)
