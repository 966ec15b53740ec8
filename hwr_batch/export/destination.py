"""DEST: fit to be written to, and marked as what it is.

`_export.json` stands in DEST from the beginning to the end of an export and after it. What is in DEST without
that mark is somebody's, and nothing is written beside it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from hwr_batch import __version__
from hwr_batch.errors import ConfigError, PlanMismatchError
from hwr_batch.export.request import ExportOptions, ExportSummary
from hwr_batch.plan import Plan
from hwr_batch.results import part_name
from hwr_batch.results.reading import part_names
from hwr_batch.results.verify import PLAN
from hwr_batch.storage import AccessPolicy, Store, is_local, join, local_path, redact

RECORD = "_export.json"


class Destination:
    """Where one export goes. `policy`: what its manifest may name.

    Raises ConfigError where OUTPUT is no complete output, or DEST cannot be DEST.
    """

    def __init__(self, options: ExportOptions, store: Store) -> None:
        self._options, self._store = options, store
        self._plan = _complete_plan(options.output, store)
        manifest = options.manifest or self._plan.manifest
        self.policy = AccessPolicy.for_manifest(manifest, options.access)
        self._check_apart()

    @property
    def _is_file(self) -> bool:
        """Whether DEST names one file (a table) rather than a folder."""
        return not self._options.format.by_page and self._options.dest.endswith(f".{self._options.format}")

    def begin(self) -> None:
        """Claim DEST. Raises ConfigError where something else is in it."""
        dest = self._options.dest
        if self._is_file:
            if not is_local(dest):
                raise ConfigError(
                    f"DEST {redact(dest)}: on an object store name a folder, it gets several files"
                )
            if self._store.exists(dest):
                raise ConfigError(f"DEST {redact(dest)} exists; remove it or choose another")
            return
        begun = self._begun()
        if begun is None and not _is_empty(dest, self._store):
            raise ConfigError(f"DEST {redact(dest)} holds other files; choose a new folder")
        if begun is not None and begun != self._identity():
            raise ConfigError(f"DEST {redact(dest)} holds another export; choose a new folder")
        self._record({"state": "begun"})

    def finish(self, summary: ExportSummary) -> None:
        """Record what was written."""
        if not self._is_file:
            self._record({"state": "complete", **summary.to_json()})

    def _identity(self) -> dict[str, str]:
        return {
            "format": self._options.format.value,
            "detail": self._options.detail.value,
            "fingerprint": self._plan.fingerprint,
        }

    def _record(self, content: dict[str, object]) -> None:
        whole = {**self._identity(), "version": __version__, **content}
        data = json.dumps(whole, indent=2, ensure_ascii=False).encode() + b"\n"
        self._store.put(join(self._options.dest, RECORD), data)

    def _begun(self) -> dict[str, str] | None:
        """What the export in DEST was of; None where there is none."""
        try:
            content = json.loads(self._store.read(join(self._options.dest, RECORD)))
            return {name: content[name] for name in self._identity()}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(f"{RECORD} in DEST cannot be read; choose a new folder") from exc

    def _check_apart(self) -> None:
        """DEST is neither in OUTPUT nor around what the manifest names: nothing of it may be written over."""
        dest = _canonical(self._options.dest)
        output = _canonical(self._options.output)
        if _within(dest, output):
            raise ConfigError("DEST lies in OUTPUT, whose readers would take it for results: choose another")
        sources = [self.policy.base, *self.policy.roots]
        if not self._is_file and any(_within(_canonical(source), dest) for source in sources):
            raise ConfigError(
                f"DEST {redact(self._options.dest)} is the folder that the manifest and its pages lie in, or "
                "around it: choose one of its own"
            )


def _complete_plan(output: str, store: Store) -> Plan:
    """The plan of OUTPUT, whose every part is there."""
    try:
        plan = Plan.from_json(store.read(join(output, PLAN)).decode())
    except (FileNotFoundError, PlanMismatchError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{redact(output)} is no OUTPUT of a recognize run: it has no {PLAN} to go by"
        ) from exc
    there = set(part_names(output, store))
    missing = [index for index in range(len(plan.shards)) if part_name(index) not in there]
    if missing:
        raise ConfigError(
            f"{redact(output)} is not complete: {len(missing)} of {len(plan.shards)} parts are missing; "
            "run the same recognize command again first"
        )
    return plan


def _is_empty(folder: str, store: Store) -> bool:
    """Whether nothing is there; on object stores, no object directly in it."""
    if is_local(folder):
        path = Path(local_path(folder))
        return not path.exists() or (path.is_dir() and next(path.iterdir(), None) is None)
    return next(iter(store.list(folder)), None) is None


def _canonical(name: str) -> str:
    return os.path.realpath(local_path(name)) if is_local(name) else name.rstrip("/")


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")
