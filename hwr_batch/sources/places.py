"""What a person names as SOURCE → the files it stands for, one at a time.

folder, glob    its files and those below; layout files where there are any, images otherwise
*.xml           a layout file          *.json, web address    a IIIF manifest
*.tar           an archive of images   *.tif                  an image, or one for each frame
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hwr_batch.errors import ConfigError
from hwr_batch.sources.image_files import EXTENSIONS, FRAMED
from hwr_batch.storage import Store, is_local, join, local_path, parent, redact, scheme

_WILD = re.compile(r"[*?\[]")
_WEB = frozenset({"http", "https"})


class FileKind(StrEnum):
    LAYOUT = "layout"
    IMAGE = "image"
    FRAMED = "framed"
    TAR = "tar"
    IIIF = "iiif"


@dataclass(frozen=True, slots=True)
class Place:
    """A SOURCE. `root`: the folder that ids are relative to; `pattern`: of the files in it by their relative
    names, None for a single file `file`."""

    root: str
    pattern: re.Pattern[str] | None = None
    file: str | None = None

    def files(self, store: Store) -> Iterator[tuple[str, FileKind]]:
        """The files that may hold lines, by their names' endings. Raises StorageError."""
        if self.file is not None:
            kind = kind_of(self.file) or (FileKind.IIIF if scheme(self.file) in _WEB else None)
            yield self.file, kind or FileKind.IMAGE
        elif self.pattern is not None:
            for name, _ in store.walk(self.root):
                kind = kind_of(name)
                if kind is not None and kind is not FileKind.IIIF and self.pattern.fullmatch(name):
                    yield join(self.root, name), kind


def place_of(source: str, store: Store) -> Place:
    """What `source` (normalized) stands for. Raises ConfigError for a wildcard without a folder."""
    kind = scheme(source)
    if not _WILD.search(_path(source)) or (kind not in _WEB and store.exists(source)):
        if _is_folder(source, store):
            return Place(source.rstrip("/") or "/", re.compile(".*", re.S))
        return Place(parent(source), file=source)
    if kind in _WEB:
        return Place(parent(source), file=source)
    folder = source[: _WILD.search(source, len(source) - len(_path(source))).start()].rpartition("/")[0]  # type: ignore[union-attr]
    if not folder:
        raise ConfigError(f"{redact(source)}: a pattern stands after a folder or a bucket")
    return Place(folder, _compiled(source[len(folder) + 1 :]))


def kind_of(name: str) -> FileKind | None:
    """By the ending; None for what holds no lines."""
    ending = posixpath.splitext(_path(name))[1].lower()
    if ending == ".xml":
        return FileKind.LAYOUT
    if ending in EXTENSIONS:
        return FileKind.FRAMED if ending in FRAMED else FileKind.IMAGE
    return {".tar": FileKind.TAR, ".json": FileKind.IIIF}.get(ending)


def common_root(places: Sequence[Place]) -> str:
    """The deepest folder above all places; empty where they lie in different stores."""
    roots = [place.root.rstrip("/").split("/") for place in places]
    shared = []
    for parts in zip(*roots, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    whole = len(shared) > (2 if "://" in places[0].root else 1)  # a bucket, or a folder, is shared
    return "/".join(shared) if whole else ""


def relative_name(uri: str, root: str) -> str:
    """`uri` as ids show it: below `root`, else whole; of a web address without its query."""
    name = re.split(r"[?#]", uri, maxsplit=1)[0] if scheme(uri) in _WEB else uri
    return name[len(root) :].lstrip("/") if root and name.startswith(root + "/") else name.lstrip("/")


def _is_folder(source: str, store: Store) -> bool:
    if scheme(source) in _WEB:
        return False
    if source.endswith("/"):
        return True
    if is_local(source):
        return local_path(source).is_dir()
    known = kind_of(source) is not None or store.exists(source)
    return not known and next(store.walk(source), None) is not None


def _path(source: str) -> str:
    """What follows the bucket or host; of a web address without its query."""
    if is_local(source):
        return source
    path = source.partition("://")[2].partition("/")[2]
    return re.split(r"[?#]", path, maxsplit=1)[0] if scheme(source) in _WEB else path


def _compiled(pattern: str) -> re.Pattern[str]:
    """A glob on relative names: `*` and `?` within a folder, `**/` through any, `[…]` one character."""
    out, at = "", 0
    for match in re.finditer(r"\*\*/|\*\*|\*|\?|\[(!?)([^\]/]+)\]", pattern):
        out += re.escape(pattern[at : match.start()])
        found, at = match[0], match.end()
        if found.startswith("["):
            out += f"[{'^' if match[1] else ''}{re.escape(match[2]).replace(chr(92) + '-', '-')}]"
        else:
            out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}[found]
    return re.compile(out + re.escape(pattern[at:]), re.S)
