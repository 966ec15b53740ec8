"""Elements with byte offsets: what they cover, and copies that differ where they were asked to."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.export.offsets import Edit, LayoutError, inserted, parse, removed, replaced

SOURCE = (
    b"""<?xml version="1.0"?>\r\n<!-- <a> --><p:a xmlns:p='urn:x'\n  t = "1 > 0 &lt; 2"><p:b/>"""
    b"""<p:c >\xc3\xa9&#233;<![CDATA[<b/>]]></p:c\n>tail<p:b k='"'></p:b></p:a>\n"""
)


def test_elements_cover_their_bytes() -> None:
    document = parse(SOURCE)
    covered = [(e.name, document.raw(e)) for e in document.root.walk()]
    assert covered[1:] == [
        ("b", b"<p:b/>"),
        ("c", b"<p:c >\xc3\xa9&#233;<![CDATA[<b/>]]></p:c\n>"),
        ("b", b"<p:b k='\"'></p:b>"),
    ]
    assert document.raw(document.root).startswith(b"<p:a xmlns") and document.raw(document.root).endswith(
        b"</p:a>"
    )
    assert document.root.namespace == "urn:x"
    assert document.root.attributes == {"t": "1 > 0 < 2"}
    assert document.prefix(document.root) == "p:"
    assert document.root.all("c")[0].text == "éé<b/>"


tags = st.sampled_from(["a", "b", "x:c", "d-e.f"])
texts = st.text(alphabet="ab é<>&\"' \n\t=/", max_size=8)


def _source(name: str, attributes: dict[str, str], children: list[str], empty: bool) -> str:
    escaped = {
        key: value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        for key, value in attributes.items()
    }
    start = f"<{name} xmlns:x='urn:x'" + "".join(f' {key}="{value}"' for key, value in escaped.items())
    return f"{start}/>" if empty and not children else f"{start}>{''.join(children)}</{name}>"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


leaves = st.builds(_source, tags, st.dictionaries(st.sampled_from("klm"), texts), st.just([]), st.booleans())
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        _source,
        tags,
        st.dictionaries(st.sampled_from("klm"), texts),
        st.lists(inner | texts.map(_escape), max_size=4),
        st.booleans(),
    ),
    max_leaves=12,
)


@given(trees)
def test_every_element_is_what_another_parser_sees(source: str) -> None:
    document = parse(source.encode())
    theirs = list(ElementTree.fromstring(source).iter())
    ours = list(document.root.walk())
    assert [e.name for e in ours] == [e.tag.rpartition("}")[2] for e in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        again = ElementTree.fromstring(document.raw(mine))
        assert (again.tag, again.attrib) == (other.tag, other.attrib)
        assert set(document.raw_attributes(mine)) - {"xmlns:x"} == set(other.attrib)


@given(trees, st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "iso-8859-1"]))
def test_a_copy_without_edits_is_the_file(source: str, encoding: str) -> None:
    boms = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    declared = f'<?xml version="1.0" encoding="{encoding}"?>\r\n' if encoding.startswith("iso") else ""
    data = boms.get(encoding, b"") + (declared + source).encode(encoding)
    assert parse(data).edited([]) == data


@pytest.mark.parametrize("encoding", ["iso-8859-1", "us-ascii", "windows-1252"])
def test_what_an_encoding_lacks_becomes_a_reference(encoding: str) -> None:
    document = parse(f'<?xml version="1.0" encoding="{encoding}"?><a><b/></a>'.encode(encoding))
    data = document.edited([inserted(document, document.root.children[0], None, "Łódź 你".encode())])
    assert b"&#321;" in data and b"&#20320;" in data
    assert ElementTree.fromstring(data)[0].text == "Łódź 你"


def test_edits_change_their_bytes_alone() -> None:
    document = parse(b"<a>\r\n  <b/>\r\n  <c>x</c>\r\n  <d/>\r\n</a>")
    b, c, d = document.root.children
    assert document.lead(c) == b"\r\n  "
    edits = [removed(document, d), replaced(c, b"<e/>"), inserted(document, b, None, b"<f/>")]
    assert document.edited(edits) == b"<a>\r\n  <b><f/></b>\r\n  <e/>\r\n</a>"
    assert document.edited([inserted(document, document.root, b, b"!")]) == document.data.replace(
        b"<b/>", b"<b/>!"
    )


def test_two_edits_of_the_same_bytes_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        parse(b"<a>xyz</a>").edited([Edit(3, 5, b""), Edit(4, 6, b"")])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a></b>", "not well-formed"),
        (b"<a>&eacute;</a>", "not well-formed"),
        (b"<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a/>", "DOCTYPE"),
        (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>", "DOCTYPE"),
        (b"<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;'>]><a>&y;</a>", "DOCTYPE"),
        (b"<?xml version='1.0' encoding='utf-7'?><a/>", "utf-7"),
        (b"<?xml version='1.0' encoding='unicode_escape'?><a/>", "unicode_escape"),
        (b"<?xml version='1.0' encoding='zlib'?><a/>", "zlib"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "no-such"),
        (b"<a>\xff</a>", "encoding it declares"),
        (b"<?xml version='1.0' encoding='us-ascii'?><a>\xc3\xa9</a>", "encoding it declares"),
        (b"\x89PNG\r\n\x1a\n", "encoding it declares"),
    ],
)
def test_what_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(LayoutError, match=complaint):
        parse(data)


def test_depth_is_no_recursion() -> None:
    document = parse(b"<a>" * 50_000 + b"</a>" * 50_000)
    assert sum(1 for _ in document.root.walk()) == 50_000
