"""Text → XML and HTML source: what must be escaped, and what XML cannot hold at all."""

from __future__ import annotations

import re

from hwr_batch.records import Box

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Everything outside the Char production of XML 1.0 (section 2.2). No reference can express it either.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[^\W\d][\w.\-]*", re.ASCII)


def printable(text: str) -> str:
    """`text` with U+FFFD, one for one, in place of characters that XML 1.0 has no way to write."""
    return _FORBIDDEN.sub(REPLACEMENT, text)


def in_text(text: str) -> str:
    """`text` as the content of an element. A bare carriage return would be read as a line feed."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r", "&#13;")


def in_attribute(text: str) -> str:
    """`text` between double quotes. Bare tabs and line ends would be read as spaces."""
    escaped = in_text(text).replace('"', "&quot;")
    return escaped.replace("\t", "&#9;").replace("\n", "&#10;")


def is_name(text: str) -> bool:
    """Whether `text` can be an `xs:ID` everywhere: an ASCII name without a colon."""
    return _NAME.fullmatch(text) is not None


def share(score: float) -> str:
    """A confidence 0 … 1 with four digits."""
    return f"{score:.4f}"


def rectangle(box: Box) -> str:
    """The corners of `box` as PAGE writes points: whole, not negative, clockwise from the top left."""
    left, top = max(0, box.x), max(0, box.y)
    right, bottom = max(left + 1, box.x + box.width), max(top + 1, box.y + box.height)
    return f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
