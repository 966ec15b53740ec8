"""The Open Model Zoo's three handwriting models: facts only (Apache-2.0).

`omz_files.csv` holds what the `model.yml` files in openvino-dev 2024.6.0 say of each published file:
address below the origin, size in bytes, SHA-384. The character lists are in the same wheel.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath

from hwr_batch.zoo.card import Activation, Context, Layout, ModelCard
from hwr_batch.zoo.entry import Entry, ModelFile, Published, Shipped, WheelMember

ORIGIN = "https://storage.openvinotoolkit.org/repositories/open_model_zoo"
CHARSET_WHEEL = "openvino-dev==2024.6.0"
ENGLISH_CHARSET = "english-open/charset.txt"  # under hwr_batch/models
ENGLISH_CHARSET_SHA256 = "07f1cd9a8e527bdb838c62e8fc66774c3ac436887be4c6cd38dc0462ee6e6e28"


def _published() -> Mapping[str, Mapping[str, tuple[ModelFile, ...]]]:
    """Model → variant → its .xml and .bin. An address reads RELEASE/models_bin/1/MODEL/VARIANT/FILE."""
    found: dict[str, dict[str, tuple[ModelFile, ...]]] = {}
    table = files("hwr_batch.zoo").joinpath("omz_files.csv").read_text("utf-8")
    for row in csv.DictReader(table.splitlines()):
        *_, model, variant, name = PurePosixPath(row["path"]).parts
        file = ModelFile(name, int(row["size"]), "sha384", row["sha384"], Published(row["path"]))
        variants = found.setdefault(model, {})
        variants[variant] = (*variants.get(variant, ()), file)
    return found


_PUBLISHED = _published()


def _entry(
    name: str, model: str, charset: ModelFile, context: Context, language: str, *, accuracy: str
) -> Entry:
    return Entry(
        card=_card(name, model, charset, context, language),
        summary=f"Open Model Zoo, {model}",
        accuracy=accuracy,
        variants={variant: (*pair, charset) for variant, pair in _PUBLISHED[model].items()},
    )


def _card(name: str, model: str, charset: ModelFile, context: Context, language: str) -> ModelCard:
    return ModelCard(
        name=name,
        weights=f"{model}.xml",
        charset=charset.name,
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
        context=context,
        languages=(language,),
        license="Apache-2.0",
        binarize="gnhk" if name == "omz-english" else "none",  # measured on binarised lines
    )


def _charset(name: str, size: int, digest: str) -> ModelFile:
    member = f"omz_tools/data/dataset_classes/{name}"
    return ModelFile(name, size, "sha256", digest, WheelMember(CHARSET_WHEEL, member))


ENGLISH = _entry(
    "omz-english",
    "handwritten-english-recognition-0001",
    # Byte for byte the list that ships with english-open: no wheel is needed for it.
    ModelFile("gnhk.txt", 189, "sha256", ENGLISH_CHARSET_SHA256, Shipped(ENGLISH_CHARSET)),
    Context.RECURRENT,
    "en",
    accuracy="82.0 % on GNHK (binarised lines), published",
)
CHINESE = _entry(
    "omz-chinese",
    "handwritten-simplified-chinese-recognition-0001",
    _charset("scut_ept.txt", 16211, "05ab1434b40b10ea1e97e206dc458375e77843be4cd253f5c3cb4c26fd9775a9"),
    Context.CONVOLUTIONAL,
    "zh-Hans",
    accuracy="75.31 % on SCUT-EPT, published",
)
JAPANESE = _entry(
    "omz-japanese",
    "handwritten-japanese-recognition-0001",
    _charset(
        "kondate_nakayosi.txt", 17711, "9851b52c412e2d8ae8a6ab3f9eaa69a53c7b3c9b87c2b5dd75f2ed8d7312ddf0"
    ),
    Context.CONVOLUTIONAL,
    "ja",
    accuracy="98.16 % on Kondate and Nakayosi, published",
)
