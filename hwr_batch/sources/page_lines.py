"""`--pages`: page images → their text lines, found by the PP-OCR detector of the `rapidocr` package.

The library does the work, on OpenVINO with the model that its wheel carries (PP-OCRv6 small, Apache-2.0);
here pages are fed to it and its quadrilaterals put in reading order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import cv2
import numpy as np

from hwr_batch.config import Limits
from hwr_batch.errors import ConfigError, LineError
from hwr_batch.image import open_page
from hwr_batch.records import Pixels
from hwr_batch.sources.ahead import ahead
from hwr_batch.sources.found import FoundLine, Item, Points, Problem, ProblemKind
from hwr_batch.sources.reading_order import reading_order
from hwr_batch.storage import ImageSource, join, redact

# Longest side that the detector sees, pixels. Of 134 lines that people outlined on eight archive pages, these
# many got a box of their own (intersection over union from 0.5 on): 122 at 960, 123 at 1280, 119 at 1600,
# 115 at 2000; one box covers two lines at each. Chosen on these very pages: expect a little less.
DETECTOR_SIDE = 1280
PICTURES = 20  # pages drawn at most
_PICTURE_SIDE = 1000  # pixels
_WINDOW = 6  # pages decoded or waiting at most
_INK = ((200, 80, 0), (0, 90, 220))  # BGR, alternating, so that neighbours are told apart


class Detector(Protocol):
    """Finds the text lines of a page, uint8 (H, W, 3) BGR: quadrilaterals in page pixels, in any order."""

    def __call__(self, page: Pixels) -> list[Points]: ...


class PpOcrDetector:
    """PP-OCR's detector. Raises ConfigError where `rapidocr` is not installed. `threads`: cores to use."""

    def __init__(self, threads: int) -> None:
        try:
            from rapidocr import EngineType, RapidOCR
        except ImportError as exc:
            raise ConfigError("--pages needs a package more: pip install 'hwr-batch[pages]'") from exc
        self._rapidocr: Any = RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.use_rec": False,
                "Global.log_level": "error",
                "Global.max_side_len": DETECTOR_SIDE,
                "Det.engine_type": EngineType.OPENVINO,
                "EngineConfig.openvino.inference_num_threads": threads,
            }
        )

    def __call__(self, page: Pixels) -> list[Points]:
        boxes = self._rapidocr(page).boxes
        return [] if boxes is None else [tuple((float(x), float(y)) for x, y in box) for box in boxes]


@dataclass(frozen=True, slots=True)
class PageFinder:
    """Replaces each row that is a whole page by its lines. `pictures`: a folder for drawings of the first
    pages with their lines, None for none."""

    detector: Detector
    limits: Limits = field(default_factory=Limits)
    pictures: str | None = None

    def __call__(self, items: Iterable[Item], source: ImageSource) -> Iterator[Item]:
        """Pages are fetched and decoded ahead, and looked at one by one. Raises StorageError only."""

        def opened(item: Item) -> tuple[Item, Pixels | Problem | None]:
            return item, self._open(item, source)

        drawn = 0
        for item, page in ahead(opened, items, window=_WINDOW):
            if isinstance(item, Problem) or page is None:
                yield item
            elif isinstance(page, Problem):
                yield page
            else:
                lines = self._lines(item, page)
                yield from lines
                if self.pictures is not None and drawn < PICTURES:
                    drawn += 1
                    picture = draw(page, [i.polygon for i in lines if isinstance(i, FoundLine) and i.polygon])
                    source.store.put(join(self.pictures, f"page-{drawn:02d}.jpg"), picture)

    def _open(self, item: Item, source: ImageSource) -> Pixels | Problem | None:
        """The page's pixels; None for what is no whole page."""
        if isinstance(item, Problem) or not item.whole_image:
            return None
        try:
            return open_page(source.fetch(item.image), page=item.page, channels=3, limits=self.limits)
        except LineError as exc:
            return Problem(redact(item.image), None, ProblemKind.IMAGE_UNREADABLE, exc.sentence)

    def _lines(self, page: FoundLine, pixels: Pixels) -> list[Item]:
        found = self.detector(pixels)
        if not found:
            sentence = "no text line was found on it"
            return [Problem(redact(page.image), None, ProblemKind.NO_LINES, sentence)]
        page_id = page.page_id or page.line_id
        return [
            replace(
                page,
                line_id=f"{page.line_id}/line-{place + 1:04d}",
                polygon=found[position],
                page_id=page_id,
                reading_order=place,
                page_size=(pixels.shape[1], pixels.shape[0]),
            )
            for place, position in enumerate(reading_order([_bounds(polygon) for polygon in found]))
        ]


def draw(page: Pixels, lines: list[Points]) -> bytes:
    """A small JPEG of the page with each line outlined and numbered in reading order."""
    scale = min(1.0, _PICTURE_SIDE / max(page.shape[:2]))
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for number, line in enumerate(lines):
        corners = np.rint(np.array(line) * scale).astype(np.int32)
        colour = _INK[number % len(_INK)]
        cv2.polylines(small, [corners], isClosed=True, color=colour, thickness=1, lineType=cv2.LINE_AA)
        left, top = corners.min(axis=0).tolist()
        origin = (max(0, left - 2), max(10, top + 4))
        cv2.putText(small, str(number + 1), origin, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _bounds(polygon: Points) -> tuple[float, float, float, float]:
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
