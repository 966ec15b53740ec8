"""The five models that have a name, and which files a precision picks."""

from __future__ import annotations

from collections.abc import Mapping

from hwr_batch.config import Precision
from hwr_batch.errors import ConfigError, ModelError
from hwr_batch.zoo import omz
from hwr_batch.zoo.card import Activation, Context, Layout, ModelCard
from hwr_batch.zoo.entry import FP16, FP16_INT8, FP32, Entry, ModelFile, Shipped, WheelMember


def names() -> tuple[str, ...]:
    return tuple(_ENTRIES)


def entry(name: str) -> Entry:
    """Raises ModelError for a name that is not in the catalog."""
    if name not in _ENTRIES:
        raise ModelError(f"there is no model named {name!r}; the named ones are {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def choose_variant(name: str, variant: str | None, precision: Precision) -> str:
    """The variant to use: the one asked for, else the one that `precision` is read from.

    Raises ConfigError for a variant, or a precision, that the model was not published in.
    """
    model = entry(name)
    if variant is None and precision is Precision.INT8:
        if FP16_INT8 not in model.variants:
            raise ConfigError(f"--precision int8: {name} has no published INT8 files; use f32 or bf16")
        return FP16_INT8
    chosen = variant or model.default_variant
    if chosen not in model.variants:
        raise ConfigError(f"--variant {chosen}: {name} is published as {', '.join(model.variants)}")
    return chosen


_ENGLISH_OPEN = Entry(
    card=ModelCard(
        name="english-open",
        weights="weights.npz",
        charset="charset.txt",
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
        languages=("en",),
        license="CC-BY-4.0",
    ),
    summary="the English network with open weights, inside this package",
    accuracy="0.70 on 35 GNHK test lines, measured",
    variants={
        FP16: (
            ModelFile(
                "weights.npz",
                11119194,
                "sha256",
                "3a3d57911494e301da7e0e8801d9d7e72b61bea8f6ad953f492ea1d040ef6816",
                Shipped("english-open/weights.npz"),
            ),
            ModelFile("charset.txt", 189, "sha256", omz.ENGLISH_CHARSET_SHA256, Shipped(omz.ENGLISH_CHARSET)),
            ModelFile(
                "LICENSE.md",  # CC BY: it goes wherever a bundle goes
                1563,
                "sha256",
                "cd76ca64e1733718907353c69cba8e3cc1b4c38b1b0abdb3eac10c64faf6106c",
                Shipped("english-open/LICENSE.md"),
            ),
        )
    },
    default_variant=FP16,
    shipped=True,
)

_PPOCR_V6_SMALL = Entry(
    card=ModelCard(
        name="ppocr-v6-small",
        weights="PP-OCRv6_rec_small.onnx",
        charset="metadata:character",
        append_space=True,
        blank=0,
        height=48,
        width=0,
        channels=3,
        mean=127.5,  # (x / 255 - 0.5) / 0.5 = (x - 127.5) / 127.5
        scale=127.5,
        output="fetch_name_0",
        layout=Layout.BTC,
        activation=Activation.PROBABILITIES,
        context=Context.GLOBAL,
        languages=("zh", "en", "ja", "multilingual"),
        license="Apache-2.0",
    ),
    summary="PP-OCRv6 small recogniser, many scripts, from the package index",
    accuracy="no published figure for handwriting",
    variants={
        FP32: (
            ModelFile(
                "PP-OCRv6_rec_small.onnx",
                21234383,
                "sha256",
                "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
                WheelMember("rapidocr==3.10.0", "rapidocr/models/PP-OCRv6_rec_small.onnx"),
            ),
        )
    },
)

_ENTRIES: Mapping[str, Entry] = {
    model.card.name: model
    for model in (omz.ENGLISH, omz.CHINESE, omz.JAPANESE, _ENGLISH_OPEN, _PPOCR_V6_SMALL)
}
