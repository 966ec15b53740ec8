"""Character lists: never stripped, one entry a line, whatever the lines hold."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.errors import ModelError
from hwr_batch.zoo import catalog
from hwr_batch.zoo.charset import parse_charset, read_charset

from .onnx_bytes import onnx_model


@pytest.mark.parametrize(
    ("data", "characters"),
    [
        (b" \n!\n", (" ", "!")),  # the published English list begins with one space
        (b" \n!", (" ", "!")),  # no final line feed
        ("\u3000\n\u2028\n\x85\n\xa0\n".encode(), ("\u3000", "\u2028", "\x85", "\xa0")),
        (b"a\r\nb\r\n", ("a", "b")),  # saved on Windows
        (b"a\r\nb", ("a\r", "b")),  # mixed ends are left as they are
        (b"\xef\xbb\xbfa\nb\n", ("a", "b")),  # a byte order mark is no character
        ("e\u0301\n".encode(), ("e\u0301",)),
    ],
)
def test_lines_are_taken_as_they_are(data: bytes, characters: tuple[str, ...]) -> None:
    assert parse_charset(data, "list.txt") == characters


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.characters(exclude_characters="\n\r\ufeff", codec="utf-8"), min_size=1))
def test_every_character_comes_back(characters: list[str]) -> None:
    assert parse_charset("".join(c + "\n" for c in characters).encode(), "list.txt") == tuple(characters)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "list.txt is empty"),
        (b"\n", "list.txt is empty"),
        (b"a\n\nb\n", "list.txt, line 2 is empty"),
        (b"a\n\n", "list.txt, line 2 is empty"),
        (b"a\n\xff\n", "list.txt is not UTF-8 text: invalid start byte at byte 2"),
    ],
)
def test_a_list_that_is_none_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse_charset(data, "list.txt")


def test_the_list_inside_an_onnx_file_gets_its_final_space() -> None:
    card = catalog.entry("ppocr-v6-small").card
    model = onnx_model({"other": "x", "character": "!\n\u3000\n\U0001f6c5"})
    assert read_charset(card, None, model) == ("!", "\u3000", "\U0001f6c5", " ")


def test_append_space_counts_for_list_files_too() -> None:
    card = dataclasses.replace(catalog.entry("omz-english").card, append_space=True)
    assert read_charset(card, b"a\nb\n", b"") == ("a", "b", " ")


def test_missing_metadata_says_what_there_is() -> None:
    card = catalog.entry("ppocr-v6-small").card
    with pytest.raises(ModelError, match=r"no metadata 'character' .* \(it has: author, shape\)"):
        read_charset(card, None, onnx_model({"shape": "48", "author": "x"}))
