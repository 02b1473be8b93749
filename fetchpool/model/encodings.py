"""Finds the encoding of a body, as browsers do (WHATWG Encoding Standard), and decodes text by it.

In: the bytes of a body and its `Content-Type`. Out: the name of the encoding, or text. Pure; linear in time.
"""

from __future__ import annotations

import re

import webencodings  # type: ignore[import-untyped]  # it ships no types

PRESCAN = 4096
"""Number of bytes searched for a page's own declaration of its encoding. The HTML standard searches 1024
before parsing, and checks each `<meta>` that it finds later."""


def decode(content: bytes, encoding: str) -> str:
    """Return `content` as text; a byte order mark is honoured and removed. `encoding` is from
    `find_encoding()`."""
    text: str = webencodings.decode(content, encoding)[0]
    return text


def find_encoding(content: bytes, content_type: str | None) -> str:
    """Return the WHATWG name of the encoding; see `Response.encoding`."""
    for mark, marked in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return marked
    if content_type and (label := CHARSET.search(content_type)) and (name := known(label[1])):
        return name
    if not content_type or "html" in content_type.lower() or "xml" in content_type.lower():
        return declared(content[:PRESCAN]) or "utf-8"
    return "utf-8"


def declared(start: bytes) -> str | None:
    """Return the encoding that a page declares, by the HTML standard's prescan: in the first `<meta>` with
    a known encoding, or in the XML declaration."""
    if (xml := XML_DECLARATION.match(start)) and (name := known_inside(xml[1])):
        return name
    start = COMMENT.sub(b"", start)
    position = 0
    while meta := META.search(start, position):
        attributes: dict[bytes, bytes] = {}
        position = meta.end()
        while found := ATTRIBUTE.match(start, position):
            position = found.end()
            attributes.setdefault(found[1].lower(), found[2] or found[3] or found[4] or b"")
        label = attributes.get(b"charset")
        if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
            inside = META_CHARSET.search(attributes.get(b"content", b""))
            label = inside[1] if inside else None
        if label and (name := known_inside(label)):
            return name
    return None


def known(label: str) -> str | None:
    """Return the standard's name for a label of servers or pages: `latin1` is `windows-1252`."""
    encoding = webencodings.lookup(label)
    return None if encoding is None else encoding.name


def known_inside(label: bytes) -> str | None:
    """Return the standard's name for a label within a page. The label was read as ASCII, so it is not
    UTF-16."""
    name = known(label.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
# Possessive (`*+`), where two runs of blanks may meet: a regex that tries each way to share them out takes
# the square of their number.
CHARSET = re.compile(r""";\s*+charset\s*+=\s*+["']?+\s*+([^\s;"',]+)""", re.IGNORECASE)
XML_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?encoding\s*+=\s*+["']([^"'>]*)""")
COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
META_CHARSET = re.compile(rb"""charset\s*+=\s*+["']?+\s*+([^\s;"']+)""", re.IGNORECASE)
META = re.compile(rb"<meta[\s/]", re.IGNORECASE)
ATTRIBUTE = re.compile(rb"""[\s/]*+([^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']*+)))?""")
