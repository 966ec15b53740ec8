"""How many pixels may be unpacked at once in one process.

Images are decoded by many threads, and one just under the pixel cap takes 400 MB as grey and more in colour.
Sixteen of them, a few kilobytes each as files, would end a worker: so large ones wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hwr_batch.image_threads import LOOK_SECONDS, SECONDS_PER_IMAGE

PIXELS = 256_000_000  # 12 pages of A4 at 400 dpi, or one image at the cap


class DecodeRoom:
    """Lets images in as long as they hold `pixels` together; a larger one goes in alone.

    `seconds`: an image that has been inside for so long counts no more. Its decoder will not come back, and
    others must not wait for it.
    """

    def __init__(self, pixels: int = PIXELS, *, seconds: float = SECONDS_PER_IMAGE) -> None:
        self._all = pixels
        self._seconds = seconds
        self._inside: dict[object, tuple[int, float]] = {}  # pixels, and when it went in
        self._left = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait for room for an image of `pixels`, and keep it until the block is left."""
        image, taken = object(), min(pixels, self._all)
        with self._left:
            while taken > self._free():
                self._left.wait(min(LOOK_SECONDS, self._seconds / 4))
            self._inside[image] = taken, time.monotonic()
        try:
            yield
        finally:
            with self._left:
                del self._inside[image]
                self._left.notify_all()

    def _free(self) -> int:
        now = time.monotonic()
        return self._all - sum(
            pixels for pixels, since in self._inside.values() if now - since < self._seconds
        )
