"""A file inside a tar archive, named so that reading it is one ranged read of the archive.

    book.tar#offset=1536&size=20480      bytes 1,536 to 22,016 of book.tar

Only this exact ending, after `.tar`, names a member: every other name with a `#` in it is a file's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MEMBER = re.compile(r"(?P<archive>.+\.tar)#offset=(?P<offset>[0-9]{1,18})&size=(?P<size>[0-9]{1,18})", re.S)


@dataclass(frozen=True, slots=True)
class Member:
    """`archive`: its name as written; `offset`, `size`: bytes of the member's data in it."""

    archive: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.archive}#offset={self.offset}&size={self.size}"


def member_of(image: str) -> Member | None:
    """The member that an `image` cell names, None where it names a file."""
    match = _MEMBER.fullmatch(image)
    if match is None:
        return None
    return Member(match["archive"], int(match["offset"]), int(match["size"]))
