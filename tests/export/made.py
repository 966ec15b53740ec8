"""Outputs and layout files made by hand, for the tests of the export."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from made_results import line, write_part

from hwr_batch.plan import Plan, Shards, fingerprint

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/{}-07-15"
ALTO = "http://www.loc.gov/standards/alto/ns-v{}#"


def spans(text: str, *, start: int, step: int = 10) -> list[dict[str, int]]:
    """Each character `step` pixels wide, side by side from `start`."""
    return [{"start": start + i * step, "end": start + (i + 1) * step} for i in range(len(text))]


def row(name: str, text: str | None, *, source: str | None = "page.xml", **columns: Any) -> dict[str, Any]:
    """The result of the line `name` at (100, 200), 300 × 40; read where `text` is a str."""
    made: dict[str, Any] = {
        "image": "page.jpg",
        "source_xml": source,
        "xml_line_id": name,
        "region_id": "r1",
        "reading_order": 0,
        "x": 100,
        "y": 200,
        "width": 300,
        "height": 40,
        "polygon": None,
        "baseline": None,
    }
    if text is not None:
        made["char_spans"] = spans(text, start=100)
    return line(f"page#{name}", text) | made | columns


def write_output(folder: Path, rows: Sequence[Mapping[str, Any]], *, per_part: int = 1000) -> str:
    """A complete OUTPUT in `folder`/out whose manifest is `folder`/manifest.parquet."""
    firsts = list(range(0, len(rows), per_part))
    for index, first in enumerate(firsts):
        write_part(folder / "out", index, rows[first : first + per_part])
    plan = Plan(
        fingerprint=fingerprint({}),
        components={},
        manifest=str(folder / "manifest.parquet"),
        rows=len(rows),
        limit=None,
        shards=Shards(array("q", firsts), array("q"), len(rows)),
        carried="",
        model={"name": "toy"},
        digests={},
        versions={},
        options={},
    )
    (folder / "out" / "_plan.json").write_text(plan.to_json())
    return str(folder / "out")


def page_xml(*lines: str, year: int = 2019, prefix: str = "") -> str:
    """A PAGE file with `lines` (the source of TextLine elements, without prefix) in its only region."""
    bound = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    source = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PcGts {bound}="{PAGE.format(year)}">
    <Metadata><Creator>somebody</Creator><Created>2020-01-01T00:00:00</Created>
        <LastChange>2020-01-01T00:00:00</LastChange></Metadata>
    <Page imageFilename='page.jpg'   imageWidth="1000" imageHeight="1400">
        <!-- kept: <TextLine id="no"/> -->
        <TextRegion id="r1" custom="readingOrder {{index:0;}}">
            <Coords points="0,0 1000,0 1000,1400 0,1400"/>
{chr(10).join("            " + line for line in lines)}
        </TextRegion>
    </Page>
</PcGts>
"""
    return _prefixed(source, prefix)


def text_line(name: str, *inside: str, attributes: str = "") -> str:
    """A PAGE TextLine with Coords and Baseline, then `inside`."""
    indent = "\n                "
    shape = ('<Coords points="100,200 400,200 400,240 100,240"/>', '<Baseline points="100,230 400,230"/>')
    return (
        f'<TextLine id="{name}"{attributes}>{indent}{indent.join([*shape, *inside])}\n            </TextLine>'
    )


def equiv(text: str, attributes: str = "") -> str:
    return f"<TextEquiv{attributes}><Unicode>{text}</Unicode></TextEquiv>"


def alto_xml(*lines: str, version: int = 4, prefix: str = "", unit: str = "pixel") -> str:
    """An ALTO file with `lines` (the source of TextLine elements, without prefix) in its only block."""
    bound = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    source = f"""<?xml version="1.0" encoding="UTF-8"?>
<alto {bound}="{ALTO.format(version)}">
  <Description><MeasurementUnit>{unit}</MeasurementUnit></Description>
  <Layout>
    <Page ID="p1" PHYSICAL_IMG_NR="1" WIDTH="1000" HEIGHT="1400">
      <PrintSpace HPOS="0" VPOS="0" WIDTH="1000" HEIGHT="1400">
        <TextBlock ID="r1" HPOS="0" VPOS="0" WIDTH="1000" HEIGHT="1400">
{chr(10).join("          " + line for line in lines)}
        </TextBlock>
      </PrintSpace>
    </Page>
  </Layout>
</alto>
"""
    return _prefixed(source, prefix)


def alto_line(
    name: str, *inside: str, position: str = 'HPOS="100" VPOS="200" WIDTH="300" HEIGHT="40"'
) -> str:
    indent = "\n            "
    return f'<TextLine ID="{name}" {position}>{indent}{indent.join(inside)}\n          </TextLine>'


def _prefixed(source: str, prefix: str) -> str:
    """`source` with `prefix` before the name of each element."""
    if not prefix:
        return source
    head, newline, body = source.partition("\n")
    for mark in ("</", "<"):
        pieces = body.split(mark)
        body = pieces[0] + "".join(
            mark + (prefix if piece[:1].isalpha() else "") + piece for piece in pieces[1:]
        )
    return head + newline + body
