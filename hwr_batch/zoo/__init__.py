"""Models: their cards, where they come from, and how they get into memory.

    catalog ─▶ pull (download, wheel) ─▶ cache ─▶ bundle ─▶ ModelBundle

Import from the rooms inside; this package is empty so that reading `zoo.card` costs nothing.
"""
