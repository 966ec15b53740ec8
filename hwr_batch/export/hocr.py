"""A page → hOCR 1.2: HTML that carries where each line, word and character stands.

ocr_page   image, bbox, ppageno
ocr_carea  one per region of the manifest
ocr_line   bbox; a line that could not be read is there without words
ocrx_word  bbox, x_wconf 0 … 100
ocrx_cinfo x_bboxes, x_conf 0 … 100 (where characters are asked for)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hwr_batch import __version__
from hwr_batch.export.lines import Line, Page, bounds
from hwr_batch.export.markup import in_attribute, in_text
from hwr_batch.export.request import Detail
from hwr_batch.export.words import Word, words
from hwr_batch.records import Box

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="">
<head>
<meta charset="utf-8"/>
<title>{title}</title>
<meta name="ocr-system" content="hwr-batch {version}"/>
<meta name="ocr-capabilities" content="{capabilities}"/>
</head>
<body>
"""
_CAPABILITIES = ("ocr_page", "ocr_carea", "ocr_line", "ocrx_word")


def hocr(page: Page, size: tuple[int, int], detail: Detail) -> str:
    """The hOCR file of `page`; `size`: of its image, (width, height) in pixels."""
    capabilities = [*_CAPABILITIES, *(["ocrx_cinfo"] if detail is Detail.CHAR else [])]
    head = _HEAD.format(title=in_text(page.name), version=__version__, capabilities=" ".join(capabilities))
    return head + "\n".join([*_body(page, size, detail), "</body>", "</html>", ""])


def _body(page: Page, size: tuple[int, int], detail: Detail) -> Iterator[str]:
    image = page.image.replace("\\", "/").replace('"', "%22")  # a file name in quotes, inside an attribute
    title = f'image "{image}"; bbox 0 0 {size[0]} {size[1]}; ppageno {page.frame or 0}'
    yield f'<div class="ocr_page" id="page_1" title="{in_attribute(title)}">'
    lines, number = page.in_reading_order(), 0
    areas = groupby(lines, key=lambda line: line.region_id)
    for area, (_, members) in enumerate(areas, 1):
        inside = tuple(members)
        box = _bbox(bounds([line.extent for line in inside]))
        yield f' <div class="ocr_carea" id="block_1_{area}" title="{box}">'
        for line in inside:
            number += 1
            yield from _line(line, number, detail)
        yield " </div>"
    yield "</div>"


def _line(line: Line, number: int, detail: Detail) -> Iterator[str]:
    yield f'  <span class="ocr_line" id="line_1_{number}" title="{_bbox(line.box)}">'
    if line.read:
        texts = (
            _word(line, word, f"word_1_{number}_{index}") for index, word in enumerate(words(line, detail), 1)
        )
        yield "\n".join(f"   {text}" for text in texts)
    yield "  </span>"


def _word(line: Line, word: Word, name: str) -> str:
    inside = "".join(
        f'<span class="ocrx_cinfo" title="x_bboxes {_numbers(line, char.left, char.right)}; '
        f'x_conf {char.score * 100:.1f}">{in_text(char.text)}</span>'
        for char in word.chars
    )
    title = f"bbox {_numbers(line, word.left, word.right)}; x_wconf {round(word.score * 100)}"
    return f'<span class="ocrx_word" id="{name}" title="{title}">{inside or in_text(word.text)}</span>'


def _numbers(line: Line, left: int, right: int) -> str:
    return f"{left} {line.box.y} {right} {line.box.y + line.box.height}"


def _bbox(box: Box) -> str:
    return f"bbox {box.x} {box.y} {box.x + box.width} {box.y + box.height}"
