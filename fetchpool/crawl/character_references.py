"""Decodes character references in the value of an HTML attribute (section 13.2.5.72 of the standard).

`html.unescape()` is for text: in an attribute, `&copy=1` and `&notes` are not references.
"""

from __future__ import annotations

import re
from html.entities import html5

REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([a-zA-Z][a-zA-Z0-9]*);?(=?))")
MAX_DIGITS = 7
"""Number of digits in the largest code point."""
LONGEST_NAME = max(map(len, html5))
REPLACEMENT = "\ufffd"


def decoded(value: str) -> str:
    """Return an attribute's value with its references decoded."""
    if "&" in value:
        value = REFERENCE.sub(_character, value)
    return value.replace("\0", REPLACEMENT) if "\0" in value else value


def _character(found: re.Match[str]) -> str:
    hexadecimal, decimal, name, equals = found.groups()
    if name is None:
        digits = (hexadecimal or decimal).lstrip("0") or "0"
        return _numbered(int(digits, 16 if hexadecimal else 10)) if len(digits) <= MAX_DIGITS else REPLACEMENT
    source = found[0]
    if len(name) > LONGEST_NAME:
        return source
    if source[-1 - len(equals)] == ";":
        return html5[f"{name};"] + equals if f"{name};" in html5 else source
    return source if equals or name not in html5 else html5[name]


def _numbered(code: int) -> str:
    if 0x80 <= code < 0xA0:  # intended as windows-1252
        return bytes((code,)).decode("cp1252", "replace") if code not in _UNDEFINED else chr(code)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return REPLACEMENT
    return chr(code)


_UNDEFINED = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))
