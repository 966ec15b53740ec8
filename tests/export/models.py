"""Content models of PAGE and ALTO, as far as an export writes: what must stand where, and with what.

Written down from the published schemas (PAGE 2013-07-15, 2016-07-15, 2019-07-15; ALTO 2.0, 4.2, 4.4), which
are not ours to ship. Each element: the names of its children as a regular expression, its required
attributes, and patterns of attributes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

_SHARE = r"0(\.\d+)?|1(\.0+)?"
_POINTS = r"(\d+,\d+ )+\d+,\d+"
_NUMBER = r"-?\d+(\.\d+)?"
_BOX = dict.fromkeys(("HPOS", "VPOS", "WIDTH", "HEIGHT"), _NUMBER)

_PAGE = {
    "PcGts": ("Metadata Page ", {}),
    "Page": (
        "(ReadingOrder )?(TextRegion )*",
        {"imageFilename": ".+", "imageWidth": r"\d+", "imageHeight": r"\d+"},
    ),
    "OrderedGroup": ("(RegionRefIndexed )+", {"id": ".+"}),
    "RegionRefIndexed": ("", {"index": r"\d+", "regionRef": ".+"}),
    "TextRegion": ("Coords (TextLine )*(TextEquiv )*(TextStyle )?", {"id": ".+"}),
    "Coords": ("", {"points": _POINTS}),
    "Baseline": ("", {"points": _POINTS}),
    "TextLine": ("Coords (Baseline )?(Word )*(TextEquiv )*(TextStyle )?", {"id": ".+"}),
    "Word": ("Coords (Glyph )*(TextEquiv )*(TextStyle )?", {"id": ".+"}),
    "Glyph": ("Coords (TextEquiv )*(TextStyle )?", {"id": ".+"}),
    "TextEquiv": ("(PlainText )?Unicode ", {}),
}
_PAGE_ATTRIBUTES = {"TextEquiv": {"conf": _SHARE, "index": r"\d+"}}
_ALTO = {
    "Page": ("(PrintSpace )?", {"ID": ".+", "PHYSICAL_IMG_NR": _NUMBER}),
    "PrintSpace": ("(TextBlock )*", _BOX),
    "TextBlock": ("(Shape )?(TextLine )*", {"ID": ".+"}),
    "TextLine": ("(Shape )?(String (SP )?)+(HYP )?", {}),
    "String": ("(Shape )?(ALTERNATIVE )*(Glyph )*", {"CONTENT": "(?s:.*)"}),
    "SP": ("", {}),
    "HYP": ("", {"CONTENT": ".*"}),
    "Glyph": ("", {"CONTENT": "(?s:.)"}),
    "Shape": ("Polygon ", {}),
    "Polygon": ("", {"POINTS": ".+"}),
}
_ALTO_ATTRIBUTES = {
    "String": {"WC": _SHARE, "CC": r"[0-9]*", **_BOX},
    "SP": {"HPOS": _NUMBER, "VPOS": _NUMBER, "WIDTH": _NUMBER},
    "Glyph": {"GC": _SHARE, **_BOX},
}


def problems(data: bytes) -> list[str]:
    """What contradicts the schema of a PAGE or ALTO file; empty where nothing does."""
    root = ElementTree.fromstring(data)
    namespace = root.tag[1:].partition("}")[0]
    is_page = "PAGE" in namespace
    models, patterns = (_PAGE, _PAGE_ATTRIBUTES) if is_page else (_ALTO, _ALTO_ATTRIBUTES)
    found = [problem for element in root.iter() for problem in _problems(element, models, patterns)]
    names = [value for element in root.iter() if (value := element.get("id" if is_page else "ID"))]
    found += [f"the id {name!r} stands twice" for name in {n for n in names if names.count(n) > 1}]
    if "2013" in namespace:
        found += _one_text_each(root)
    if not is_page and "v4" not in namespace:
        found += ["Glyph before ALTO 4" for element in root.iter() if _local(element) == "Glyph"]
    return found


def _problems(element, models, patterns):  # type: ignore[no-untyped-def]
    name = _local(element)
    if name in models:
        children, required = models[name]
        present = "".join(f"{_local(child)} " for child in element)
        if not re.fullmatch(children, present):
            yield f"{name} has the children {present}"
        yield from (f"{name} lacks {key}" for key in required if key not in element.attrib)
    for key, pattern in {**models.get(name, ("", {}))[1], **patterns.get(name, {})}.items():
        value = element.get(key)
        if value is not None and not re.fullmatch(pattern, value):
            yield f"{name}/@{key} is {value!r}"


def _one_text_each(root: ElementTree.Element) -> list[str]:
    """The schema of 2013 allows one TextEquiv and no index."""
    found = []
    for element in root.iter():
        texts = [child for child in element if _local(child) == "TextEquiv"]
        found += ["two TextEquiv in PAGE 2013"] * (len(texts) > 1)
        found += ["an index in PAGE 2013" for text in texts if "index" in text.attrib]
    return found


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
