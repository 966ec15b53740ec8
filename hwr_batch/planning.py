"""From a configuration to a plan on storage: scan the manifest, fingerprint it, claim or resume OUTPUT."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version

from hwr_batch import __version__
from hwr_batch.calibrate import Calibration
from hwr_batch.config import JobConfig, Padding, Review
from hwr_batch.errors import ConfigError, PlanMismatchError
from hwr_batch.manifest import Scan, open_manifest, schema_to_text
from hwr_batch.plan import (
    LARGEST_AUTO_SHARD,
    Plan,
    auto_shard_lines,
    changed,
    cut_shards,
    fingerprint,
    mark_spacing,
)
from hwr_batch.results import FINGERPRINT, SCHEMA_VERSION
from hwr_batch.storage import Store, join, unsigned
from hwr_batch.zoo.card import ModelBundle

PLAN = "_plan.json"
READING = "hwr_batch.reading"  # footer key
PIPELINE_VERSION = 1  # raise it whenever preprocessing, splitting or decoding changes a text or a score
SECONDS_BETWEEN_COUNTS = 5.0
TRIM_TIMES = 8  # shards of 512 lines instead of 256 read 10 % more lines per second


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
    """Scan the manifest and cut it into shards. Writes nothing.

    Raises ConfigError where the calibration was made with another model or way of reading.
    """
    manifest = open_manifest(config.manifest, store)
    scan = manifest.scan(mark_spacing(config.shard_lines), config.limit, _Counting(tell))
    manifest.close()
    shards = cut_shards(scan.marks, scan.rows, config.shard_lines or _auto_shard_lines(config, scan.rows))
    components = _components(config, bundle, scan)
    made = Plan(
        fingerprint=fingerprint(components),
        components=components,
        manifest=unsigned(config.manifest),
        rows=scan.rows,
        limit=config.limit,
        shards=shards,
        carried=schema_to_text(scan.carried),
        model=asdict(bundle.card),
        digests=dict(bundle.digests),
        versions={name: version(name) for name in ("ray", "openvino", "numpy", "pyarrow")}
        | {"hwr-batch": __version__},
        options={
            "shard_lines": config.shard_lines,
            "limit": config.limit,
            "review": _review_options(config.reading.review),
        },
    )
    if config.reading.review is not None:
        _check_calibration(config.reading.review, made)
    return made


def _auto_shard_lines(config: JobConfig, rows: int) -> int:
    """Larger shards where only lines of equal width share a batch: the more there are, the more share one."""
    times = TRIM_TIMES if config.reading.padding is Padding.TRIM else 1
    return min(LARGEST_AUTO_SHARD, times * auto_shard_lines(rows))


def footer(plan: Plan) -> dict[str, str]:
    """What every part of a plan says of where it comes from."""
    return {
        FINGERPRINT: plan.fingerprint,
        "hwr_batch.model": str(plan.model["name"]),
        "hwr_batch.model_digests": _joined(plan.digests),
        "hwr_batch.precision": plan.components["precision"],
        READING: _reading(plan.components),
    }


def _reading(components: Mapping[str, str]) -> str:
    """What decides a score besides model and precision, in one line: a calibration holds for this too."""
    allowed = components["allow-chars"]
    characters = allowed if allowed == "all" else hashlib.sha256(allowed.encode()).hexdigest()
    return f"binarize {components['binarize']}, wide {components['wide']}, characters {characters}"


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
        **_review_components(reading.review),
    }


def _review_components(review: Review | None) -> dict[str, str]:
    """Only where lines are judged, so that a run without a calibration keeps its fingerprint."""
    if review is None:
        return {}
    return {
        "calibration": hashlib.sha256(review.calibration).hexdigest(),
        "review precision": str(review.precision),
    }


def _review_options(review: Review | None) -> dict[str, object] | None:
    """What the calibration means by a right line, for whoever reports on the results."""
    if review is None:
        return None
    calibration = Calibration.loads(review.calibration)
    return {
        "precision": review.precision,
        "right_cer": calibration.right_cer,
        "normalisation": dict(calibration.normalisation),
    }


def _check_calibration(review: Review, made: Plan) -> None:
    """A calibration speaks of the scores of one model, read one way; of others it says nothing."""
    made_with = Calibration.loads(review.calibration).made_with
    kinds = {
        "hwr_batch.model": "another model",
        "hwr_batch.model_digests": "other model files",
        "hwr_batch.precision": "another precision",
        READING: "other reading options",
    }
    now = footer(made)
    for name, kind in kinds.items():
        if made_with.get(name) != now[name]:
            raise ConfigError(
                f"--calibration was made with {kind} ({_short(made_with.get(name))}; this run has "
                f"{_short(now[name])}): calibrate again, on results read as this run reads"
            )


def _short(value: str | None) -> str:
    text = value or "none"
    return text if len(text) <= 60 else text[:59] + "…"


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
