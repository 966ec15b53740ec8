"""Text as it is compared: which differences between a reading and its reference do not count.

The default composes characters (NFC) and collapses white space: an archive's transcription may hold
"é" as one code point or two and a stray double space, and neither is a reading error. Case and
punctuation count. The Open Model Zoo's own figures were measured with every step off (its
`AverageEditdistanceMeter` compares the raw strings); on its ASCII references, single-spaced and
trimmed, the default changes nothing, and `Normalisation.none()` is exactly its way.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache

from hwr_batch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Four steps, each on or off, applied to reading and reference alike, in this order.

    `fold_case`: Unicode full case folding ("ß" becomes "ss", so the length may change);
    `drop_punctuation`: characters of the Unicode categories P*; `nfc`: canonical composition;
    `collapse_whitespace`: runs of white space become one space, none at either end.
    """

    nfc: bool = True
    fold_case: bool = False
    drop_punctuation: bool = False
    collapse_whitespace: bool = True

    @classmethod
    def none(cls) -> Normalisation:
        """Compare the strings as they are."""
        return cls(nfc=False, collapse_whitespace=False)

    @classmethod
    def from_json(cls, steps: Mapping[str, object]) -> Normalisation:
        """The inverse of `to_json`. Raises `ConfigError` on an unknown or missing step."""
        if set(steps) != {"nfc", "fold_case", "drop_punctuation", "collapse_whitespace"}:
            raise ConfigError(f"normalisation has the steps {sorted(steps)}; this version knows others")
        return cls(**{name: bool(value) for name, value in steps.items()})

    def to_json(self) -> dict[str, bool]:
        return asdict(self)

    def apply(self, text: str) -> str:
        """`text` as it is compared. Applying twice changes nothing more."""
        if self.fold_case:
            # Folding a decomposed letter and composing afterwards is Unicode's caseless match (D145).
            text = unicodedata.normalize("NFD", text).casefold() if self.nfc else text.casefold()
        if self.drop_punctuation:  # before composing: it may bring an accent next to its letter
            text = text.translate(_without_punctuation())
        if self.nfc:
            text = unicodedata.normalize("NFC", text)
        return " ".join(text.split()) if self.collapse_whitespace else text

    def sentence(self) -> str:
        """The steps in words, for a table's caption."""
        return "; ".join(
            (
                "characters composed (NFC)" if self.nfc else "code points as they are",
                "case ignored" if self.fold_case else "case counts",
                "punctuation ignored" if self.drop_punctuation else "punctuation counts",
                "white space collapsed" if self.collapse_whitespace else "white space as it is",
            )
        )


AS_AN_ARCHIVE = Normalisation()
"""The default, for whoever asks nothing else."""


@cache
def _without_punctuation() -> dict[int, None]:
    """Translation table that deletes the characters of the Unicode categories P* (not currency, not +)."""
    points = range(sys.maxunicode + 1)
    return {point: None for point in points if unicodedata.category(chr(point)).startswith("P")}
