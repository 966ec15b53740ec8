"""card.toml: a whole card is read back as written; every wrong field is named with what it may hold."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr_batch.errors import ExitCode, ModelError
from hwr_batch.zoo import catalog
from hwr_batch.zoo.card import Activation, Context, Layout, ModelCard
from hwr_batch.zoo.card_file import parse_card, render_card

CARD = """
name = "mine"
weights = "net.xml"
charset = "list.txt"
height = 96
width = 2000
channels = 1
output = "output"
layout = "TBC"
activation = "logits"
context = "recurrent"
languages = ["en", "fr"]
license = "Apache-2.0"
"""


def parse(text: str) -> ModelCard:
    return parse_card(text.encode(), "m/card.toml")


def with_field(name: str, value: str) -> str:
    kept = [line for line in CARD.splitlines() if not line.startswith(f"{name} =")]
    return "\n".join([*kept, f"{name} = {value}"])


def test_metadata_needs_a_key() -> None:
    onnx = with_field("weights", '"net.onnx"').replace("list.txt", "metadata:")
    with pytest.raises(ModelError, match="charset must be a printable text that is not empty"):
        parse(onnx)
    assert parse(onnx.replace("metadata:", "metadata:k")).charset == "metadata:k"


def test_the_fields_that_need_not_be_written_have_the_published_defaults() -> None:
    assert parse(CARD) == ModelCard(
        name="mine",
        weights="net.xml",
        charset="list.txt",
        append_space=False,
        blank=0,
        height=96,
        width=2000,
        channels=1,
        mean=0.0,
        scale=1.0,
        output="output",
        layout=Layout.TBC,
        activation=Activation.LOGITS,
        context=Context.RECURRENT,
        languages=("en", "fr"),
        license="Apache-2.0",
        binarize="none",
    )


def test_a_whole_number_is_a_number() -> None:
    card = parse(with_field("mean", "127"))
    assert card.mean == 127.0
    assert isinstance(card.mean, float)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", '""', "name must be a printable text that is not empty, not ''"),
        ("name", "7", "name must be a text in quotes, not 7"),
        ("weights", '"net.pt"', "weights must be a file that ends in .xml, .onnx, .npz, not 'net.pt'"),
        ("weights", '"../net.xml"', "weights must be the plain name of a file in the model's own folder"),
        ("weights", '"/etc/net.xml"', "weights must be the plain name"),
        ("weights", "'sub\\net.xml'", "weights must be the plain name"),
        ("weights", '"s3://bucket/net.xml"', "weights must be the plain name"),
        ("weights", '"a\\u0000.xml"', "weights must be the plain name"),
        ("charset", '".."', "charset must be the plain name"),
        (
            "charset",
            '"metadata:key"',
            "charset must be a file name (metadata:KEY reads it from .onnx weights only)",
        ),
        ("append_space", "1", "append_space must be true or false, not 1"),
        ("blank", "-1", "blank must be a whole number, 0 or more, not -1"),
        ("blank", "true", "blank must be a whole number, 0 or more, not True"),
        ("height", "0", "height must be a whole number, 1 or more, not 0"),
        ("height", "96.0", "height must be a whole number, 1 or more, not 96.0"),
        ("width", '"2000"', "width must be a whole number, 0 or more, not '2000'"),
        ("channels", "2", "channels must be 1 or 3, not 2"),
        ("channels", "true", "channels must be 1 or 3, not True"),
        ("mean", "nan", "mean must be a number, not nan"),
        ("scale", "0", "scale must be a number other than 0"),
        ("scale", "inf", "scale must be a number, not inf"),
        ("layout", '"BCT"', 'layout must be "TBC" or "BTC", not \'BCT\''),
        ("activation", '"softmax"', 'activation must be "logits" or "probabilities", not \'softmax\''),
        ("context", '"local"', 'context must be "convolutional" or "recurrent" or "global", not \'local\''),
        ("languages", '"en"', "languages must be a list of language codes such as [\"en\"], not 'en'"),
        ("languages", "[]", "languages must be a list"),
        ("languages", '["en", 3]', "languages must be a list"),
        ("binarize", '"otsu"', 'binarize must be "none" or "gnhk", not \'otsu\''),
    ],
)
def test_a_wrong_field_is_named_with_what_it_may_hold(field: str, value: str, says: str) -> None:
    with pytest.raises(ModelError) as refused:
        parse(with_field(field, value))
    assert str(refused.value).startswith("m/card.toml: ")
    assert says in str(refused.value)
    assert refused.value.exit_code is ExitCode.BAD_MODEL


@pytest.mark.parametrize(
    "field",
    [name for name in ModelCard.__slots__ if f"\n{name} =" in CARD],
)
def test_a_missing_field_is_named(field: str) -> None:
    text = "\n".join(line for line in CARD.splitlines() if not line.startswith(f"{field} ="))
    with pytest.raises(ModelError, match=f"the field {field} is missing"):
        parse(text)


def test_an_unknown_field_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(ModelError, match="no field heigth; did you mean height"):
        parse(CARD + "heigth = 48")
    with pytest.raises(ModelError, match="no field zzz; the fields are name, weights"):
        parse(CARD + "zzz = 48")


@pytest.mark.parametrize("data", [b"name = ", b"\xff\xfe", b'name = "a"\nname = "b"'])
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="is not a TOML file"):
        parse_card(data, "m/card.toml")


@pytest.mark.parametrize("name", catalog.names())
def test_the_catalogs_cards_are_read_back_as_written(name: str) -> None:
    card = catalog.entry(name).card
    assert parse_card(render_card(card), "card.toml") == card


@settings(deadline=None)  # the machine may be busy
@given(st.text(min_size=1).filter(str.isprintable), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_survive_the_file(text: str, number: float) -> None:
    card = parse(CARD)
    written = ModelCard(**{**_fields(card), "name": text, "mean": number})
    assert parse_card(render_card(written), "card.toml") == written


def _fields(card: ModelCard) -> dict[str, object]:
    return {name: getattr(card, name) for name in ModelCard.__slots__}


def test_the_file_is_plain_toml() -> None:
    assert tomllib.loads(render_card(parse(CARD)).decode())["languages"] == ["en", "fr"]
