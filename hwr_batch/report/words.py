"""Values as a person reads them."""

from __future__ import annotations

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"))


def cut(text: str | None, most: int) -> str:
    """`text`, its end left out beyond `most` characters: the page has a size to keep."""
    whole = text or ""
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def number(value: float) -> str:
    """1234567 → 1,234,567; 12.345 → 12.3."""
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2g}"


def compact(value: float) -> str:
    """1500000 → 1.5M, for the ticks of an axis."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.1234 → 12.3 %; a share that only rounds to 0 or 1 says so."""
    if share is None:
        return "–"
    shown = f"{100 * share:.{digits}f} %"
    if 0 < share < 1 and float(shown[:-2]) in (0, 100):
        return f"under {10**-digits:g} %" if share < 0.5 else f"over {100 - 10**-digits:g} %"
    return shown


def duration(seconds: float) -> str:
    """3723 → 1 h 2 min."""
    for size, unit in _STEPS[:2]:
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            smaller = _STEPS[_STEPS.index((size, unit)) + 1]
            return f"{whole:.0f} {unit} {rest // smaller[0]:.0f} {smaller[1]}"
    if seconds >= 60:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def visible(character: str) -> str:
    """A character by itself: nothing, spaces and controls get a name."""
    if not character:
        return "nothing"
    if character == " ":
        return "space"
    return character if character.isprintable() else f"U+{ord(character[0]):04X}"
