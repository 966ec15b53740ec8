"""Character lists: one character a line, the first line is the first class that is not blank.

Lines are never stripped: the first line of the published English list is one space, and the lists
of larger scripts hold the ideographic space and other characters that `str.strip` and
`str.splitlines` would eat.
"""

from __future__ import annotations

from hwr_batch.errors import ModelError
from hwr_batch.zoo.card import ModelCard
from hwr_batch.zoo.card_file import METADATA_PREFIX
from hwr_batch.zoo.onnx_file import read_metadata


def parse_charset(data: bytes, where: str) -> tuple[str, ...]:
    """The characters of a list file: UTF-8, separated by line feeds (a final one may be missing).

    CR LF files are taken as such when every line ends so. Raises ModelError for an empty list, an
    empty line, and bytes that are not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ModelError(f"{where} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    lines = text.split("\n")  # not splitlines: NEL, U+2028 and their like are characters here
    if lines[-1] == "":
        lines.pop()
    if lines and all(line.endswith("\r") for line in lines):
        lines = [line[:-1] for line in lines]
    if lines in ([], [""]):
        raise ModelError(f"{where} is empty: a character list has one character on each line")
    if "" in lines:
        number = lines.index("") + 1
        raise ModelError(f"{where}, line {number} is empty: put one character there (a space is one space)")
    return tuple(lines)


def read_charset(card: ModelCard, list_file: bytes | None, weights: bytes) -> tuple[str, ...]:
    """The C - 1 characters of `card`, from its list file or from the metadata inside the ONNX weights.

    `list_file` is None exactly where the card says `metadata:KEY`.
    """
    if list_file is not None:
        characters = parse_charset(list_file, card.charset)
    else:
        characters = _from_metadata(card, weights)
    return (*characters, " ") if card.append_space else characters


def _from_metadata(card: ModelCard, weights: bytes) -> tuple[str, ...]:
    key = card.charset.removeprefix(METADATA_PREFIX)
    metadata = read_metadata(weights, card.weights)
    if key not in metadata:
        found = ", ".join(sorted(metadata)) or "none"
        raise ModelError(
            f"{card.weights} has no metadata {key!r} to read the characters from (it has: {found})"
        )
    return parse_charset(metadata[key], f"the metadata {key!r} of {card.weights}")
