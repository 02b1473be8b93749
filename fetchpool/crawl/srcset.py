"""Parses the attribute `srcset` (section 4.8.4.4.8 of the HTML standard): the URLs of its candidates."""

from __future__ import annotations

import re

BLANKS = "\t\n\f\r "
URL = re.compile(r"[\t\n\f\r ,]*([^\t\n\f\r ]*)")
DELIMITER = re.compile(r"[,(]")
INTEGER = re.compile(r"0*[1-9][0-9]*")
NUMBER = re.compile(r"(?:-(?=[0.]*(?:[eE]|$)))?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
"""A non-negative floating-point number (section 2.3.4.3), such as -0."""


def srcset_urls(value: str) -> list[str]:
    """Return the URLs, as written. A candidate with invalid descriptors is left out, as in browsers."""
    urls: list[str] = []
    position = 0
    while (start := URL.match(value, position)) and (url := start[1]):
        position = start.end()
        if url[-1] == ",":
            urls.append(url.rstrip(","))
            continue
        end = _descriptors_end(value, position)
        if _are_valid(value[position:end]):
            urls.append(url)
        position = end + 1
    return urls


def _descriptors_end(value: str, position: int) -> int:
    """Return the position of the comma that ends the descriptors; commas in parentheses don't count."""
    while found := DELIMITER.search(value, position):
        if found[0] == ",":
            return found.start()
        position = value.find(")", found.end()) + 1
        if not position:
            break
    return len(value)


def _are_valid(source: str) -> bool:
    """Whether descriptors are valid: a width with an optional height, a density, or none."""
    if "(" in source:
        return False
    units = ""
    for descriptor in source.translate(_TO_SPACES).split(" "):
        if descriptor:
            unit = descriptor[-1]
            if not (NUMBER if unit == "x" else INTEGER).fullmatch(descriptor, 0, len(descriptor) - 1):
                return False
            units += unit
    return units in ("", "x", "w", "wh", "hw")


_TO_SPACES = str.maketrans(BLANKS, " " * len(BLANKS))
