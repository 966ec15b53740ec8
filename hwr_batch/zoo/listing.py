"""What `models list` and `models show` tell: facts and whether the files are here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from hwr_batch.storage import join
from hwr_batch.zoo import catalog
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.card import ModelCard
from hwr_batch.zoo.entry import Entry, ModelFile


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One line of `models list`. `size` in bytes and `where` are of the default variant.

    `present`: every file is there with its published size; digests are checked when a model is loaded.
    """

    name: str
    summary: str
    languages: tuple[str, ...]
    license: str
    accuracy: str
    size: int
    where: str
    present: bool


@dataclass(frozen=True, slots=True)
class VariantListing:
    """One published arithmetic of a model: its files with addresses and digests, and where they go."""

    variant: str
    files: tuple[ModelFile, ...]
    where: str
    present: bool


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """All of `models show`."""

    listing: ModelListing
    card: ModelCard
    variants: tuple[VariantListing, ...]


def list_models(cache: Cache) -> tuple[ModelListing, ...]:
    """Every named model. Raises StorageError where the cache's store is gone."""
    return tuple(_listing(catalog.entry(name), cache) for name in catalog.names())


def describe(name: str, cache: Cache) -> ModelDescription:
    """Raises ModelError for an unknown name."""
    model = catalog.entry(name)
    variants = tuple(_variant(model, variant, cache) for variant in model.variants)
    return ModelDescription(listing=_listing(model, cache), card=model.card, variants=variants)


def _listing(model: Entry, cache: Cache) -> ModelListing:
    default = _variant(model, model.default_variant, cache)
    return ModelListing(
        name=model.card.name,
        summary=model.summary,
        languages=model.card.languages,
        license=model.card.license,
        accuracy=model.accuracy,
        size=sum(file.size for file in default.files),
        where=default.where,
        present=default.present,
    )


def _variant(model: Entry, variant: str, cache: Cache) -> VariantListing:
    wanted = model.variants[variant]
    if model.shipped:
        where = str(files("hwr_batch").joinpath("models", model.card.name))
        return VariantListing(variant, wanted, where, present=True)
    where = cache.folder(model.card.name, variant)
    present = all(_size(cache, join(where, file.name)) == file.size for file in wanted)
    return VariantListing(variant, wanted, where, present=present)


def _size(cache: Cache, uri: str) -> int | None:
    """None where the file is missing. Not a listing: a cache may be plain HTTP, which has none.

    A bucket whose names may not be listed answers 403 for what is missing, so that counts as missing.
    """
    try:
        return cache.store.size(uri)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
