"""The bundled sample lines: complete, legible, licensed, and drawn again to the same bytes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from draw_samples import draw_all, draw_line, write
from numpy.typing import NDArray
from PIL import Image, ImageFont
from sample_texts import BROKEN_PNG, COLUMNS, LINES, PAGE, SampleLine

SAMPLES = Path(__file__).parents[1] / "hwr_batch" / "samples"
TRAINED = Path(__file__).parents[2] / "shared" / "models" / "omz-english-trained"
FONTS = os.environ.get("HWR_BATCH_SAMPLE_FONTS", "")
BROKEN = {"14.jpg", "28.png"}


def rows() -> list[dict[str, str]]:
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def image_files() -> set[str]:
    return {path.name for path in SAMPLES.iterdir() if path.suffix in (".jpg", ".png")}


def pixels(row: dict[str, str]) -> NDArray[np.uint8]:
    """A row's line as grey uint8 (H, W): the box, or the polygon on the page's median grey."""
    page = np.asarray(Image.open(SAMPLES / row["image"]).convert("L"))
    if row["x"]:
        x, y, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        return page[y : y + height, x : x + width]
    if row["polygon"]:
        outline = polygon(row)
        x, y, width, height = cv2.boundingRect(outline)
        mask = cv2.fillPoly(np.zeros(page.shape, np.uint8), [outline], 1)
        page = np.where(mask == 1, page, np.uint8(np.median(page)))
        return page[y : y + height, x : x + width]
    return page


def polygon(row: dict[str, str]) -> NDArray[np.int32]:
    return np.array([point.split(",") for point in row["polygon"].split()], dtype=np.int32)


def good_rows() -> list[dict[str, str]]:
    return [row for row in rows() if row["image"] not in BROKEN]


def test_manifest_says_what_was_drawn() -> None:
    drawn = [(line.image, line.text, line.hand, line.condition) for line in (*LINES, *PAGE)]
    assert [(row["image"], row["text"], row["hand"], row["condition"]) for row in rows()] == drawn
    assert tuple(rows()[0]) == COLUMNS


def test_every_image_is_in_the_manifest_and_every_region_once() -> None:
    listed = [tuple(row[name] for name in ("image", "x", "y", "polygon")) for row in rows()]
    assert len(set(listed)) == len(listed) == 41
    assert {row["image"] for row in rows()} == image_files()


def test_texts_are_plain_ascii() -> None:
    for row in good_rows():
        text = row["text"]
        assert text.isascii() and text.isprintable() and "\\" not in text  # the model has no backslash
        assert text == " ".join(text.split())


def test_the_set_stays_small() -> None:
    kinds = (".jpg", ".png", ".csv", ".txt", ".md")
    sizes = [path.stat().st_size for path in SAMPLES.rglob("*") if path.suffix in kinds]
    assert sum(sizes) < 500_000 and max(sizes) < 50_000


def test_line_sizes_are_those_of_archives() -> None:
    shapes = [pixels(row).shape for row in good_rows()]
    assert all(60 <= height <= 130 for height, _ in shapes)
    wide = [width for height, width in shapes if width * 96 / height >= 2000]
    assert len(wide) == 1


def test_exactly_two_files_are_broken() -> None:
    for name in image_files() - BROKEN:
        Image.open(SAMPLES / name).load()
    with Image.open(SAMPLES / "14.jpg") as cut, pytest.raises(OSError, match="truncated"):
        cut.load()
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(SAMPLES / "28.png")
    assert (SAMPLES / "28.png").read_bytes() == BROKEN_PNG


def test_page_regions_lie_on_the_page() -> None:
    with Image.open(SAMPLES / "page.jpg") as page:
        size = page.size
    regions = [row for row in rows() if row["image"] == "page.jpg"]
    assert [bool(row["polygon"]) for row in regions] == [False, False, True, True]
    for row in regions[:2]:
        assert int(row["x"]) + int(row["width"]) <= size[0]
        assert int(row["y"]) + int(row["height"]) <= size[1]
    for row in regions[2:]:
        assert (polygon(row) >= 0).all() and (polygon(row) <= size).all()


def test_overlapping_boxes_are_told_apart_by_their_polygons() -> None:
    upper, lower = (cv2.boundingRect(polygon(row)) for row in rows() if row["polygon"])
    assert upper[1] + upper[3] > lower[1]


def test_every_hand_is_under_the_open_font_license() -> None:
    hands = {row["hand"] for row in rows()} - {""}
    assert len(hands) >= 5
    assert {path.stem for path in (SAMPLES / "licences").glob("*.txt")} == hands
    for hand in hands:
        assert "SIL OPEN FONT LICENSE Version 1.1" in (SAMPLES / "licences" / f"{hand}.txt").read_text()


@pytest.mark.parametrize("condition", sorted({line.condition for line in LINES} - {"not an image"}))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_seed_gives_the_same_bytes(condition: str, name: str) -> None:
    font = ImageFont.load_default(30)
    assert isinstance(font, ImageFont.FreeTypeFont)
    line = SampleLine(name, "default", condition, 60, "Paid in full")
    assert draw_line(line, font, seed=4) == draw_line(line, font, seed=4)
    assert draw_line(line, font, seed=4) != draw_line(line, font, seed=5)


def test_no_ink_is_cut_off() -> None:
    font = ImageFont.load_default(30)
    assert isinstance(font, ImageFont.FreeTypeFont)
    ink = np.asarray(write("Paid in full, 3 April", font, 60, np.random.default_rng(0)))
    assert ink.shape[0] == 60
    assert not ink[:2].any() and not ink[-2:].any() and not ink[:, :5].any() and not ink[:, -5:].any()


@pytest.mark.skipif(not FONTS, reason="HWR_BATCH_SAMPLE_FONTS names no folder with the fonts")
def test_the_fonts_give_the_shipped_bytes() -> None:
    for name, data, _ in draw_all(Path(FONTS)):
        assert (SAMPLES / name).read_bytes() == data, name


@pytest.mark.skipif(not TRAINED.is_dir(), reason="the trained English model is not beside this checkout")
def test_the_lines_are_legible_to_the_english_model() -> None:
    """A plain reading, one line at a time as published: label accuracy 0.986 over 38 lines."""
    openvino = pytest.importorskip("openvino")
    distance = pytest.importorskip("rapidfuzz.distance").Levenshtein.distance
    charset = ["", *(TRAINED / "gnhk.txt").read_text(encoding="utf-8").split("\n")]
    model = TRAINED / "handwritten-english-recognition-0001.xml"
    network = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    edits = characters = 0
    for row in good_rows():
        line = pixels(row)
        width = int(96 * line.shape[1] / line.shape[0])
        if width > 2000:
            continue
        scaled = cv2.resize(line, (width, 96), interpolation=cv2.INTER_AREA)
        padded = np.pad(scaled, ((0, 0), (0, 2000 - width)), mode="edge")
        classes = network(padded[None, None].astype(np.float32))["output"][:, 0].argmax(axis=1)
        runs = np.concatenate(([True], classes[1:] != classes[:-1]))
        edits += distance("".join(charset[c] for c in classes[runs]), row["text"])
        characters += len(row["text"])
    assert 1 - edits / characters >= 0.95
