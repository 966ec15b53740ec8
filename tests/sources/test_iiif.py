"""IIIF manifests as the specifications show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.iiif import images
from hwr_batch.storage import Store


def read(folder: Path, manifest: Any) -> list[Item]:
    path = folder / "m.json"
    path.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return list(images(str(path), Store(), lambda uri: "m"))


def version_2(*resources: Any) -> dict[str, Any]:
    canvases = [
        {"@id": f"https://x.org/c{n}", "@type": "sc:Canvas", "images": [{"resource": resource}]}
        for n, resource in enumerate(resources, 1)
    ]
    return {"@type": "sc:Manifest", "sequences": [{"canvases": canvases}]}


def version_3(*bodies: Any) -> dict[str, Any]:
    items = [
        {"id": f"https://x.org/c{n}", "type": "Canvas", "items": [{"items": [{"body": body}]}]}
        for n, body in enumerate(bodies, 1)
    ]
    return {"type": "Manifest", "items": items}


URL = "https://img.org/1/full/max/0/default.jpg"


@pytest.mark.parametrize(
    "manifest",
    [
        version_2({"@id": URL}),
        version_2({"@type": "oa:Choice", "default": {"@id": URL}}),
        version_3({"id": URL, "type": "Image"}),
        version_3({"type": "Choice", "items": [{"id": URL}, {"id": "https://img.org/other"}]}),
        version_3({"type": "Image", "service": [{"id": "https://img.org/1/", "type": "ImageService3"}]}),
    ],
)
def test_a_canvas_is_a_row(tmp_path: Path, manifest: Any) -> None:
    assert read(tmp_path, manifest) == [FoundLine("m/canvas-0001", URL, page_id="https://x.org/c1")]


def test_an_older_image_service_is_asked_for_full(tmp_path: Path) -> None:
    found = read(tmp_path, version_2({"service": {"@id": "https://img.org/1"}}))
    assert [item.image for item in found if isinstance(item, FoundLine)] == [
        "https://img.org/1/full/full/0/default.jpg"
    ]


@pytest.mark.parametrize(
    "body", [{"id": "file:///etc/passwd"}, {"id": "s3://b/k"}, {"id": 7}, {}, None, "x", [[]]]
)
def test_a_canvas_without_an_image_on_the_web_is_told_and_the_rest_goes_on(tmp_path: Path, body: Any) -> None:
    found = read(tmp_path, version_3(body, {"id": URL}))
    assert [item.kind if isinstance(item, Problem) else item.line_id for item in found] == [
        ProblemKind.IMAGE_MISSING,
        "m/canvas-0002",
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", "[" * 100_000, '{"type": "Collection"}', '{"type": "Canvas"}', "\x00"]
)
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    assert [item.kind for item in read(tmp_path, text) if isinstance(item, Problem)] == [ProblemKind.NOT_IIIF]


@pytest.mark.parametrize("sequences", [None, [], [None], [{}], [{"canvases": None}], [{"canvases": [3]}]])
def test_an_empty_manifest_has_no_rows(tmp_path: Path, sequences: Any) -> None:
    assert read(tmp_path, {"@type": "sc:Manifest", "sequences": sequences}) == []


def test_a_missing_manifest(tmp_path: Path) -> None:
    found = list(images(str(tmp_path / "none.json"), Store(), str))
    assert [item.kind for item in found if isinstance(item, Problem)] == [ProblemKind.SOURCE_MISSING]
