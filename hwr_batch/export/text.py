"""A page → plain text."""

from __future__ import annotations

from hwr_batch.export.lines import Page


def plain(page: Page) -> str:
    """One line of text for each line of the page, in reading order, so that numbers agree.

    A line that could not be read is an empty one. A line end inside a text is written as a blank.
    """
    return "".join(" ".join((line.text or "").splitlines()) + "\n" for line in page.in_reading_order())
