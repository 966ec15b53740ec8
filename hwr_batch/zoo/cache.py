"""Where models are kept: a folder or any storage URL, laid out NAME/VARIANT/FILE.

Each NAME/VARIANT is itself a model folder with a card, so that it also serves as `--model`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from hwr_batch.errors import ConfigError, ModelError
from hwr_batch.storage import Store, is_local, join, local_path, normalize, redact
from hwr_batch.storage.faults import reason
from hwr_batch.storage.uri import has_scheme
from hwr_batch.zoo import omz
from hwr_batch.zoo.entry import ModelFile

CACHE_VARIABLE = "HWR_BATCH_CACHE"
_APP = "hwr-batch"


def _silent(_message: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Transport:
    """How patiently files are fetched. Before retry n: 0 to min(longest, first * 2**n) seconds.

    `attempts` count per file and run; each goes on where the last one stopped. `lock_timeout_s`: how
    long to wait for another pull of the same file, `pip_timeout_s` for one wheel. `origin` replaces
    the Open Model Zoo's storage host, for a mirror: the paths below it stay the same.
    """

    origin: str = omz.ORIGIN
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    pip_timeout_s: float = 900.0
    lock_timeout_s: float = 3600.0

    def __post_init__(self) -> None:
        if urlsplit(self.origin).scheme not in ("http", "https"):
            raise ConfigError(f"the origin of published models must be an http(s) URL, not {self.origin!r}")


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache root and how to fill it. `tell` receives one-line messages such as "downloading …".

    `staging`: local folder for unfinished downloads; None takes one inside a local cache, and one in
    the user's cache directory for a remote one.
    """

    root: str
    store: Store
    transport: Transport = Transport()
    tell: Callable[[str], None] = _silent
    staging: Path | None = None

    def folder(self, name: str, variant: str) -> str:
        """The URI of a model's folder: an absolute path, or a URL."""
        return join(absolute(self.root), f"{name}/{variant}")

    def staging_folder(self) -> Path:
        if self.staging is not None:
            return self.staging
        root = absolute(self.root)
        return (local_path(root) if is_local(root) else platformdirs.user_cache_path(_APP)) / "_partial"


def default_cache(environ: Mapping[str, str]) -> str:
    """The cache root: `HWR_BATCH_CACHE` where it is set, else a folder in the user's cache directory."""
    chosen = environ.get(CACHE_VARIABLE, "")
    if not chosen:
        return str(platformdirs.user_cache_path(_APP) / "models")
    return chosen if has_scheme(chosen) else str(Path(chosen).expanduser())


def absolute(path_or_uri: str) -> str:
    """Raises ConfigError where a URL carries credentials."""
    return normalize(path_or_uri, Path.cwd())


def read(store: Store, uri: str) -> bytes | None:
    """The file's bytes, None where there is none.

    Raises ModelError where it may not be read, StorageError where the store is gone.
    """
    try:
        return store.read(uri)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (PermissionError, IsADirectoryError) as exc:
        raise ModelError(f"{redact(uri)} cannot be read as a model file: {reason(exc)}") from exc


def matches(file: ModelFile, data: bytes) -> bool:
    """Whether `data` is exactly the published file: size first, then digest."""
    return len(data) == file.size and hashlib.new(file.algorithm, data).hexdigest() == file.digest
