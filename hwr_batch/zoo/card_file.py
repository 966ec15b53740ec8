"""`card.toml` to `ModelCard` and back: every field checked once, with a sentence that names it."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from functools import partial
from typing import TypeVar

from hwr_batch.errors import ModelError
from hwr_batch.zoo.card import Activation, Context, Layout, ModelCard

CARD_NAME = "card.toml"
METADATA_PREFIX = "metadata:"  # charset = "metadata:KEY" reads the list from the ONNX file itself
WEIGHT_SUFFIXES = (".xml", ".onnx", ".npz")
BINARIZE = ("none", "gnhk")

_DEFAULTS: Mapping[str, object] = {
    "append_space": False,
    "blank": 0,
    "mean": 0.0,
    "scale": 1.0,
    "binarize": "none",
}
_Word = TypeVar("_Word", bound=StrEnum)


def parse_card(data: bytes, where: str) -> ModelCard:
    """The card in `data` (UTF-8 TOML). `where` names it in messages.

    Raises ModelError for anything but a complete card: the sentence names the field, what it holds
    and what it may hold.
    """
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ModelError(f"{where} is not a TOML file: {exc}") from exc
    reader = _Fields({**_DEFAULTS, **table}, where)
    reader.refuse_unknown()
    weights = reader.text("weights", _weights_name)
    return ModelCard(
        name=reader.text("name", _printable),
        weights=weights,
        charset=reader.text("charset", partial(_charset_name, weights=weights)),
        append_space=reader.flag("append_space"),
        blank=reader.count("blank", 0),
        height=reader.count("height", 1),
        width=reader.count("width", 0),
        channels=reader.choice("channels", (1, 3)),
        mean=reader.number("mean"),
        scale=reader.number("scale", zero=False),
        output=reader.text("output", _printable),
        layout=reader.word("layout", Layout),
        activation=reader.word("activation", Activation),
        context=reader.word("context", Context),
        languages=reader.texts("languages"),
        license=reader.text("license", _printable),
        binarize=reader.choice("binarize", BINARIZE),
    )


def render_card(card: ModelCard) -> bytes:
    """`card` as UTF-8 TOML, one field a line; `parse_card` gives the same card back."""
    lines = [f"{field.name} = {_toml(getattr(card, field.name))}" for field in fields(card)]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # A JSON string with its escapes is a TOML basic string, but for DEL, which TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


class _Fields:
    """Typed reads from the parsed table; each refusal names the field."""

    def __init__(self, table: Mapping[str, object], where: str) -> None:
        self._table = table
        self._where = where

    def refuse_unknown(self) -> None:
        known = [field.name for field in fields(ModelCard)]
        for name in self._table:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(known)}"
                raise ModelError(f"{self._where}: there is no field {name}; {hint}")

    def text(self, name: str, wrong: Callable[[str], str | None]) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self._refusal(name, value, "a text in quotes")
        problem = wrong(value)
        if problem:
            raise self._refusal(name, value, problem)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._get(name)
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            raise self._refusal(name, values, 'a list of language codes such as ["en"]')
        return tuple(values)

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._refusal(name, value, "true or false")
        return value

    def count(self, name: str, least: int) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._refusal(name, value, f"a whole number, {least} or more")
        return value

    def number(self, name: str, *, zero: bool = True) -> float:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._refusal(name, value, "a number")
        if not zero and value == 0:
            raise self._refusal(name, value, "a number other than 0, for inputs are divided by it")
        return float(value)

    def choice(self, name: str, allowed: tuple[_Value, ...]) -> _Value:
        value = self._get(name)
        for candidate in allowed:
            if type(value) is type(candidate) and value == candidate:
                return candidate
        raise self._refusal(name, value, _alternatives(allowed))

    def word(self, name: str, words: type[_Word]) -> _Word:
        return words(self.choice(name, tuple(word.value for word in words)))

    def _get(self, name: str) -> object:
        if name not in self._table:
            raise ModelError(f"{self._where}: the field {name} is missing")
        return self._table[name]

    def _refusal(self, name: str, value: object, wanted: str) -> ModelError:
        return ModelError(f"{self._where}: {name} must be {wanted}, not {value!r}")


_Value = TypeVar("_Value", str, int)


def _alternatives(allowed: tuple[object, ...]) -> str:
    return " or ".join(json.dumps(item) for item in allowed)


def _printable(value: str) -> str | None:
    return None if value and value.isprintable() else "a printable text that is not empty"


def _file_name(value: str) -> str | None:
    # A card may come from anywhere: a name with a folder or a scheme in it would leave the model's folder.
    if not value.isprintable() or value in ("", ".", "..") or any(sign in value for sign in "/\\:?#*"):
        return "the plain name of a file in the model's own folder"
    return None


def _weights_name(value: str) -> str | None:
    if not value.endswith(WEIGHT_SUFFIXES):
        return f"a file that ends in {', '.join(WEIGHT_SUFFIXES)}"
    return _file_name(value)


def _charset_name(value: str, *, weights: str) -> str | None:
    if value.startswith(METADATA_PREFIX):
        if not weights.endswith(".onnx"):
            return f"a file name ({METADATA_PREFIX}KEY reads it from .onnx weights only)"
        return _printable(value.removeprefix(METADATA_PREFIX))
    return _file_name(value)
