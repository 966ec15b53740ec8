"""The official topologies through the whole job, where they are at hand; weights are seeded noise."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pyarrow.dataset as ds
import pytest
from tiny import card, line_image, write_manifest

SHARED = Path(__file__).parents[1].parent / "shared"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (SHARED / "models").exists(), reason="the official topologies are not here"),
]


@pytest.mark.parametrize(
    ("name", "charset", "context", "path"),
    [
        ("english", "gnhk.txt", "recurrent", "exact: split at recurrence"),
        ("chinese", "scut_ept.txt", "convolutional", "exact: elided"),
        ("japanese", "kondate_nakayosi.txt", "convolutional", "exact: elided"),
    ],
)
def test_an_official_topology_reads_the_same_with_and_without_its_padding(
    name: str, charset: str, context: str, path: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    shutil.copytree(SHARED / "models" / f"omz-{name}-ir", folder)
    maker = tmp_path / "make_weights.py"
    shutil.copy(SHARED / "models" / "make_weights.py", maker)
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, capture_output=True)
    shutil.copy(SHARED / "charsets" / charset, folder / charset)
    weights = next(folder.glob("*.xml")).name
    (folder / "card.toml").write_text(card(name, weights, charset, context=context))
    for number, width in enumerate((60, 500, 1100)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), line_image(number, width=width))
    manifest = write_manifest(tmp_path / "manifest.csv", [{"image": f"{n}.png"} for n in range(3)])
    found = {}
    for padding in ("exact", "full"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "hwr_batch", "recognize", str(manifest), str(tmp_path / padding)),
                *("--model", str(folder), "--actors", "0", "--padding", padding),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found[padding] = ds.dataset(tmp_path / padding, format="parquet").to_table().to_pylist()
    assert [row["text"] for row in found["exact"]] == [row["text"] for row in found["full"]]
    assert [row["char_spans"] for row in found["exact"]] == [row["char_spans"] for row in found["full"]]
    assert f'"path": "{path}"' in (tmp_path / "exact" / "_run.json").read_text()
