"""From a configuration to a plan on storage: scan the manifest, take the fingerprint, claim or resume OUTPUT."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version

from hwr_batch import __version__
from hwr_batch.config import JobConfig
from hwr_batch.errors import PlanMismatchError
from hwr_batch.manifest import Scan, open_manifest, schema_to_text
from hwr_batch.plan import Plan, changed, cut_shards, fingerprint, mark_spacing
from hwr_batch.results import FINGERPRINT, SCHEMA_VERSION
from hwr_batch.storage import Store, join
from hwr_batch.zoo.card import ModelBundle

PLAN = "_plan.json"
PIPELINE_VERSION = 1  # raise it whenever preprocessing, splitting or decoding changes a text or a score
SECONDS_BETWEEN_COUNTS = 5.0


def plan_run(config: JobConfig, bundle: ModelBundle, store: Store, tell: Callable[[str], None]) -> Plan:
    """The plan of this run, now in OUTPUT: the one that was there, or a new one.

    Raises PlanMismatchError where OUTPUT was begun with anything else, naming what changed.
    """
    plan = make_plan(config, bundle, store, tell)
    begun = _begun(config.output, store)
    if begun is None:
        store.put(join(config.output, PLAN), plan.to_json().encode())
        return plan
    if begun.fingerprint != plan.fingerprint:
        differences = " ".join(changed(begun.components, plan.components))
        raise PlanMismatchError(
            f"{config.output} belongs to another plan: {differences} "
            "Choose another OUTPUT, or run with what it was begun with"
        )
    return begun


def make_plan(config: JobConfig, bundle: ModelBundle, store: Store, tell: Callable[[str], None]) -> Plan:
    """Scan the manifest and cut it into shards. Writes nothing."""
    manifest = open_manifest(config.manifest, store)
    scan = manifest.scan(mark_spacing(config.shard_lines), config.limit, _Counting(tell))
    manifest.close()
    shards = cut_shards(scan.marks, scan.rows, config.shard_lines)
    components = _components(config, bundle, scan)
    return Plan(
        fingerprint=fingerprint(components),
        components=components,
        manifest=config.manifest,
        rows=scan.rows,
        limit=config.limit,
        shards=shards,
        carried=schema_to_text(scan.carried),
        model=asdict(bundle.card),
        digests=dict(bundle.digests),
        versions={name: version(name) for name in ("ray", "openvino", "numpy", "pyarrow")}
        | {"hwr-batch": __version__},
        options={"shard_lines": config.shard_lines, "limit": config.limit},
    )


def footer(plan: Plan) -> dict[str, str]:
    """What every part of a plan says of where it comes from."""
    return {
        FINGERPRINT: plan.fingerprint,
        "hwr_batch.model": str(plan.model["name"]),
        "hwr_batch.model_digests": _joined(plan.digests),
        "hwr_batch.precision": plan.components["precision"],
    }


def _components(config: JobConfig, bundle: ModelBundle, scan: Scan) -> dict[str, str]:
    """Everything that decides a result, by the name a person knows it by."""
    reading = config.reading
    allowed = reading.allowed_chars
    return {
        "manifest": scan.digest,
        "model": hashlib.sha256(_joined(bundle.digests).encode()).hexdigest(),
        "model name": bundle.card.name,
        "precision": reading.precision.value,
        "padding": reading.padding.value,
        "wide": reading.wide.value,
        "binarize": bundle.card.binarize if reading.binarize is None else reading.binarize.value,
        "allow-chars": "all" if allowed is None else f"{reading.top_k}:{allowed}",
        "image limits": f"{reading.limits.image_bytes} bytes, {reading.limits.image_pixels} pixels",
        "shard-lines": "auto" if config.shard_lines is None else str(config.shard_lines),
        "limit": "none" if config.limit is None else str(config.limit),
        "pipeline version": str(PIPELINE_VERSION),
        "schema version": str(SCHEMA_VERSION),
    }


def _joined(digests: Mapping[str, str]) -> str:
    return " ".join(f"{name}={digest}" for name, digest in sorted(digests.items()))


def _begun(output: str, store: Store) -> Plan | None:
    try:
        return Plan.from_json(store.read(join(output, PLAN)).decode())
    except FileNotFoundError:
        return None


class _Counting:
    """Tells how many manifest rows were read, every few seconds."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._told = tell, time.monotonic()

    def __call__(self, rows: int) -> None:
        if time.monotonic() - self._told >= SECONDS_BETWEEN_COUNTS:
            self._told = time.monotonic()
            self._tell(f"reading the manifest: {rows:,} rows so far")
