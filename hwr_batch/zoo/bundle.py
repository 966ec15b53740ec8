"""A model into memory: by name from the cache, or from any folder with a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hwr_batch.config import Precision
from hwr_batch.errors import ModelError
from hwr_batch.storage import Store, is_local, join, local_path, redact
from hwr_batch.zoo import catalog
from hwr_batch.zoo.cache import Cache, absolute, read
from hwr_batch.zoo.card import ModelBundle, ModelCard
from hwr_batch.zoo.card_file import CARD_NAME, METADATA_PREFIX, parse_card, render_card
from hwr_batch.zoo.charset import read_charset
from hwr_batch.zoo.pull import obtain
from hwr_batch.zoo.weights import check_weights, class_count, weight_names


def load(
    name_or_folder: str, *, precision: Precision, cache: Cache, variant: str | None = None
) -> ModelBundle:
    """The model as actors receive it. A known name is pulled where the cache does not hold it.

    `name_or_folder`: a name from the catalog, else a folder (a path or storage URL) with a card; write
    `./NAME` for a folder that has a model's name. `precision` picks the published variant of a named
    model, unless `variant` does. Raises ModelError, ConfigError, StorageError.
    """
    if name_or_folder in catalog.names():
        chosen = catalog.choose_variant(name_or_folder, variant, precision)
        model = catalog.entry(name_or_folder)
        return _bundle(model.card, render_card(model.card), obtain(model, chosen, cache))
    return _load_folder(name_or_folder, cache.store)


def _load_folder(folder: str, store: Store) -> ModelBundle:
    folder = absolute(folder).rstrip("/")
    if is_local(folder) and local_path(folder).is_file():
        raise ModelError(f"--model {folder} is a file; give the folder it lies in, with a {CARD_NAME}")
    card_bytes = read(store, join(folder, CARD_NAME))
    if card_bytes is None:
        known = ", ".join(catalog.names())
        raise ModelError(f"--model {redact(folder)}: no {CARD_NAME} there, nor is it a known model ({known})")
    card = parse_card(card_bytes, redact(join(folder, CARD_NAME)))
    wanted = list(weight_names(card.weights))
    if not card.charset.startswith(METADATA_PREFIX):
        wanted.append(card.charset)
    return _bundle(card, card_bytes, {name: _required(store, folder, name) for name in wanted})


def _required(store: Store, folder: str, name: str) -> bytes:
    data = read(store, join(folder, name))
    if data is None:
        raise ModelError(f"{redact(join(folder, name))} is missing: {CARD_NAME} beside it names it")
    return data


def _bundle(card: ModelCard, card_bytes: bytes, files: Mapping[str, bytes]) -> ModelBundle:
    weights = {name: files[name] for name in weight_names(card.weights)}
    check_weights(weights)
    charset = read_charset(card, files.get(card.charset), weights[card.weights])
    classes = class_count(weights)
    if classes is not None and len(charset) != classes - 1:
        raise ModelError(
            f"{card.name}: {card.charset} has {len(charset)} characters, the network has {classes} classes; "
            f"it must have one character for each class but blank, {classes - 1}"
        )
    if classes is not None and card.blank >= classes:
        raise ModelError(f"{card.name}: blank is class {card.blank}, the network has {classes} classes")
    read_from = {CARD_NAME: card_bytes, **weights}
    if card.charset in files:
        read_from[card.charset] = files[card.charset]
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(read_from.items())}
    return ModelBundle(card=card, charset=charset, files=weights, digests=digests)
