"""IIIF presentation manifests, versions 2 and 3: the image of every canvas, in order.

Specifications: https://iiif.io/api/presentation/2.1/ and https://iiif.io/api/presentation/3.0/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.storage import RefusedError, Store, TooLargeError, redact, scheme

LARGEST = 64 << 20  # bytes
Json = Any


class _NotIiifError(ValueError):
    """The message is the end of a sentence about the file."""


def images(uri: str, store: Store, prefix: Callable[[str], str]) -> Iterator[Item]:
    """A row for each canvas of the manifest at `uri`; its `page_id` is the canvas's own id.

    Raises StorageError only. Nothing is fetched but the manifest.
    """
    source = redact(uri)
    try:
        manifest = _load(store.read(uri, max_bytes=LARGEST))
        canvases = _canvases(manifest)
    except _NotIiifError as exc:
        yield Problem(source, None, ProblemKind.NOT_IIIF, str(exc))
        return
    except (OSError, TooLargeError) as exc:
        sentence = str(exc) if isinstance(exc, RefusedError) else "cannot be read"
        yield Problem(source, None, ProblemKind.SOURCE_MISSING, sentence)
        return
    for number, canvas in enumerate(canvases, 1):
        image = _image(canvas)
        if image is None:
            sentence = f"canvas {number} names no image under http(s)"
            yield Problem(source, None, ProblemKind.IMAGE_MISSING, sentence)
            continue
        page_id = _text(canvas.get("id") or canvas.get("@id")) or f"canvas-{number}"
        yield FoundLine(f"{prefix(uri)}/canvas-{number:04d}", image, page_id=page_id)


def _load(data: bytes) -> Mapping[str, Json]:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _NotIiifError("is not JSON") from exc
    if not isinstance(manifest, dict):
        raise _NotIiifError("is not a IIIF manifest")
    return manifest


def _canvases(manifest: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Canvases of version 3 (`items`) or 2 (`sequences`)."""
    kind = manifest.get("type") or manifest.get("@type")
    if kind in ("Collection", "sc:Collection"):
        raise _NotIiifError("is a IIIF collection; name the manifests in it")
    if kind not in ("Manifest", "sc:Manifest"):
        raise _NotIiifError("is not a IIIF presentation manifest, version 2 or 3")
    found: Json = (
        manifest.get("items") if kind == "Manifest" else _first(manifest.get("sequences")).get("canvases")
    )
    return [canvas for canvas in _list(found) if isinstance(canvas, dict)]


def _image(canvas: Mapping[str, Json]) -> str | None:
    """The painted image's URL; of a choice of several the first."""
    if "images" in canvas:
        painted = _first(canvas["images"]).get("resource")
    else:
        painted = _first(_first(canvas.get("items")).get("items")).get("body")
    painted = _first(painted)
    if painted.get("type") == "Choice":
        painted = _first(painted.get("items"))
    elif painted.get("@type") == "oa:Choice":
        painted = _first(painted.get("default"))
    url = _text(painted.get("id") or painted.get("@id")) or _from_service(painted)
    return url if scheme(url) in ("http", "https") else None


def _from_service(painted: Mapping[str, Json]) -> str:
    """The whole image from an image service, where the resource has no address of its own."""
    service = _first(painted.get("service"))
    base = _text(service.get("id") or service.get("@id")).rstrip("/")
    size = "max" if _text(service.get("type")).endswith("3") else "full"
    return f"{base}/full/{size}/0/default.jpg" if base else ""


def _first(value: Json) -> Mapping[str, Json]:
    """The first object of a list, or the object itself; an empty one for anything else."""
    found: Json = next(iter(_list(value)), {})
    return found if isinstance(found, dict) else {}


def _list(value: Json) -> Sequence[Json]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
