"""Where long output goes piece by piece: numbered files in DEST, or one local file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import TracebackType

from hwr_batch.storage import Store, join


class NumberedFiles:
    """`<stem>-00000.<extension>`, `…-00001…` in a folder of any store; one of them in memory at a time."""

    def __init__(self, store: Store, folder: str, stem: str, extension: str) -> None:
        self._store, self._folder = store, folder
        self._stem, self._extension = stem, extension
        self._buffer = bytearray()
        self._names: list[str] = []

    @property
    def size(self) -> int:
        return len(self._buffer)

    @property
    def names(self) -> tuple[str, ...]:
        """The files written so far."""
        return tuple(self._names)

    def begin(self) -> None:
        """The next bytes go to a new file."""
        if self._buffer:
            name = f"{self._stem}-{len(self._names):05d}.{self._extension}"
            self._store.put(join(self._folder, name), bytes(self._buffer))
            self._names.append(name)
            self._buffer.clear()

    def write(self, data: bytes) -> None:
        self._buffer += data

    def __enter__(self) -> NumberedFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.begin()


class OneFile:
    """A local file that has its name only once it is whole."""

    size = 0  # never large enough for another file

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.parent / f"_tmp-{secrets.token_hex(8)}"

    @property
    def names(self) -> tuple[str, ...]:
        return (self._path.name,)

    def begin(self) -> None:
        """Nothing to do: there is one file."""

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def __enter__(self) -> OneFile:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        if error is None:
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink()
