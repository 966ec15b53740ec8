"""Models by name: from where they are published into the cache, each file verified on every way in."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import filelock

from hwr_batch.config import Precision
from hwr_batch.errors import ModelError
from hwr_batch.storage import join, redact
from hwr_batch.zoo import catalog
from hwr_batch.zoo.cache import CACHE_VARIABLE, Cache, absolute, matches, read
from hwr_batch.zoo.card_file import CARD_NAME, render_card
from hwr_batch.zoo.download import download
from hwr_batch.zoo.entry import Entry, ModelFile, Published, Shipped, WheelMember
from hwr_batch.zoo.wheel import fetch_member


def pull(name: str, cache: Cache, *, variant: str | None = None) -> str:
    """Puts the model into the cache where it is not there already; the URI of its folder.

    A model that ships with this package is only checked, and its own folder is returned. Raises
    ModelError, ConfigError (no such variant), StorageError (the cache's store is gone).
    """
    chosen = catalog.choose_variant(name, variant, Precision.F32)
    model = catalog.entry(name)
    obtain(model, chosen, cache)
    if model.shipped:
        return str(files("hwr_batch").joinpath("models", name))
    folder = cache.folder(name, chosen)
    _write_card(model, folder, cache)
    return folder


def bundle_to(name: str, dest: str, cache: Cache, *, variant: str | None = None) -> str:
    """Copies the verified model to DEST/NAME/VARIANT (a path or any storage URL); that folder's URI.

    DEST thereby is a cache: `HWR_BATCH_CACHE=DEST` finds the model there by name, and the returned
    folder serves as `--model`. Pulls first what the cache does not hold.
    """
    chosen = catalog.choose_variant(name, variant, Precision.F32)
    model = catalog.entry(name)
    data = obtain(model, chosen, cache)
    folder = join(absolute(dest), f"{name}/{chosen}")
    for file_name, content in data.items():
        cache.store.put(join(folder, file_name), content)
    _write_card(model, folder, cache)
    return folder


def obtain(model: Entry, variant: str, cache: Cache) -> dict[str, bytes]:
    """Name → bytes of every file of the variant, each equal to its published digest.

    What the cache does not hold is fetched into it. A cache that holds all of it is only read, so it
    may be one that this user cannot write.
    """
    wanted = model.variants[variant]
    if model.shipped:
        return {file.name: _shipped(file) for file in wanted}
    folder = cache.folder(model.card.name, variant)
    held = {file.name: data for file in wanted if (data := _cached(file, folder, cache)) is not None}
    missing = [file for file in wanted if file.name not in held]
    fetched = {file.name: _fetch(file, join(folder, file.name), cache) for file in missing}
    if missing:
        _write_card(model, folder, cache)
    return held | fetched


def _write_card(model: Entry, folder: str, cache: Cache) -> None:
    """Last of all files: a folder with a card is whole. Left alone where it is right already."""
    uri, content = join(folder, CARD_NAME), render_card(model.card)
    if read(cache.store, uri) != content:
        cache.store.put(uri, content)


def _cached(file: ModelFile, folder: str, cache: Cache) -> bytes | None:
    uri = join(folder, file.name)
    data = read(cache.store, uri)
    if data is not None and not matches(file, data):
        cache.tell(f"{redact(uri)} is not the published file; fetching it again")
        return None
    return data


def _fetch(file: ModelFile, uri: str, cache: Cache) -> bytes:
    """The verified bytes of `file` from where it is published, stored at `uri`."""
    if isinstance(file.source, Published):
        return _fetch_published(file, file.source, uri, cache)
    if isinstance(file.source, WheelMember):
        cache.tell(f"{file.name}: pip downloads the wheel {file.source.requirement}")
        data = fetch_member(file, file.source, timeout_s=cache.transport.pip_timeout_s)
    else:
        data = _shipped(file)
    cache.store.put(uri, data)
    return data


def _fetch_published(file: ModelFile, source: Published, uri: str, cache: Cache) -> bytes:
    """Download under a lock, so that two pulls at once append to one partial file in turn."""
    partial = _staging(cache) / f"{file.digest[:16]}-{file.name}.partial"
    try:
        with filelock.FileLock(f"{partial}.lock", timeout=cache.transport.lock_timeout_s):
            data = read(cache.store, uri)  # the pull that held the lock before may have brought it
            if data is None or not matches(file, data):
                url = f"{cache.transport.origin.rstrip('/')}/{source.path}"
                cache.tell(f"{file.name}: downloading {file.size / 1e6:.1f} MB")
                data = download(file, url, partial, cache.transport)
                cache.store.put(uri, data)
            partial.unlink(missing_ok=True)
            return data
    except filelock.Timeout as exc:
        raise ModelError(f"another pull of {file.name} holds {partial}.lock; wait for it or end it") from exc
    except OSError as exc:
        raise ModelError(f"{partial} cannot be used for the download: {exc.strerror or exc}") from exc


def _staging(cache: Cache) -> Path:
    folder = cache.staging_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ModelError(
            f"{folder} cannot be made for unfinished downloads ({exc.strerror}); "
            f"set {CACHE_VARIABLE} or XDG_CACHE_HOME to a writable place"
        ) from exc
    return folder


def _shipped(file: ModelFile) -> bytes:
    if not isinstance(file.source, Shipped):
        raise ModelError(f"{file.name} does not ship with this package")
    data = files("hwr_batch").joinpath("models", file.source.path).read_bytes()
    if not matches(file, data):
        raise ModelError(f"{file.source.path} in this installation is damaged; install hwr-batch again")
    return data
