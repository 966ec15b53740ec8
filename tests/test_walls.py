"""Each library has one room, and the pipeline needs none of the heavy ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hwr_batch"

ROOMS = {
    "ray": ("ray_", "bench/"),
    "openvino": ("engine/", "bench/"),
    "fsspec": ("storage/",),
    "aiohttp": ("storage/",),
    "cv2": (
        "image.py",
        "region.py",
        "preprocess.py",
        "wide.py",
        "binarize.py",
        "bench/",
        "report/",
        "sources/",
    ),
    "pyarrow": ("results/", "manifest/", "sources/", "samples/", "bench/"),
    "typer": ("cli/",),
    "rich": ("cli/", "samples/"),
    "requests": ("zoo/",),
    "jinja2": ("report/",),
    "rapidfuzz": ("evaluate/", "calibrate/"),
}


def imports(path: Path) -> set[str]:
    """Top-level names of everything a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", sorted(ROOMS))
def test_a_library_is_imported_in_its_room_only(library: str) -> None:
    importers = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if library in imports(path)]
    assert importers, f"nothing imports {library}: drop it from this table"
    assert [name for name in importers if not name.startswith(ROOMS[library])] == []


@pytest.mark.parametrize(
    "module", ["hwr_batch.pipeline", "hwr_batch.plan", "hwr_batch.schedule", "hwr_batch.ctc"]
)
def test_a_pure_room_loads_without_the_heavy_libraries(module: str) -> None:
    heavy = ["ray", "openvino", "fsspec", "pyarrow", "typer"]
    blocked = f"import sys; sys.modules.update(dict.fromkeys({heavy!r})); import {module}"
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
