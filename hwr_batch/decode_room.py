"""How many pixels may be unpacked at once in one process.

Images are decoded by many threads, and one just under the pixel cap takes 400 MB as grey and more in colour.
Sixteen of them, a few kilobytes each as files, would end a worker: so large ones wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PIXELS = 256_000_000  # 12 pages of A4 at 400 dpi, or one image at the cap


class DecodeRoom:
    """Lets images in as long as they hold `pixels` together; a larger one goes in alone."""

    def __init__(self, pixels: int = PIXELS) -> None:
        self._free = self._all = pixels
        self._left = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait for room for an image of `pixels`, and keep it until the block is left."""
        taken = min(pixels, self._all)
        with self._left:
            self._left.wait_for(lambda: taken <= self._free)
            self._free -= taken
        try:
            yield
        finally:
            with self._left:
                self._free += taken
                self._left.notify_all()
