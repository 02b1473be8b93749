"""Finds the title of an HTML page by parsing the tags before it, without building a tree.

In: a page's text. Out: the text of its first title, entities decoded. Tags are recognized by the rules of the
HTML standard, in linear time and memory, whatever the page contains (`crawl/html_syntax.py`).
"""

from __future__ import annotations

import html
import re

from fetchpool.crawl.html_syntax import END, TAG, Place, after, comment_end, content_end

MAX_TAGS = 100_000
"""Maximum number of tags and attributes before the title, which takes a few hundredths of a second and is
more than any real page has."""
TEXT = 40_000
"""Maximum number of characters of a title's source that are decoded: enough for a thousand entities."""

ATTRIBUTE = re.compile(
    r"""[\t\n\f\r\ /]*(?:
        (>)
      | [^\t\n\f\r\ />][^\t\n\f\r\ />=]*  # an equals sign may begin a name
        (?:[\t\n\f\r\ ]*=[\t\n\f\r\ ]*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^\t\n\f\r\ >"'][^\t\n\f\r\ >]*)?)?
    )""",
    re.VERBOSE,
)
LONG_NUMBER = re.compile(r"&#(?:([xX])([0-9a-fA-F]{20,})|([0-9]{20,}))")
DIGITS = 7
"""Number of digits in the largest code point."""


def first_title(page: str) -> str | None:
    """Return the title; None if there is none. The title of an SVG or of a template is not the page's."""
    place = Place()
    position, left = 0, MAX_TAGS
    while left > 0 and position >= 0 and (found := TAG.search(page, position)):
        left -= 1
        tag, position = found[0], found.end()
        if tag == "<!--":
            position = comment_end(page, position)
        elif tag in ("<!", "<?", "</"):
            is_data = place.foreign and page.startswith("[CDATA[", position)
            position = after(page, "]]>" if is_data else ">", position)
        else:
            left, position = attributes_end(page, position, left)
            if position < 0:
                break
            if tag[1] == "/":
                place.leave(tag[2:].lower())
                continue
            name = tag[1:].lower()
            has_tags = place.enter(name, empty=page[position - 2] == "/")
            if has_tags:
                continue
            if name == "title" and place.in_page:
                end = END[name].search(page, position)
                return unescaped(page[position : end.start()] if end else page[position:])
            position = content_end(page, position, name)
    return None


def attributes_end(page: str, position: int, left: int) -> tuple[int, int]:
    """Return how many more attributes may be parsed, and the end of the tag whose attributes begin at
    `position`: -1 if it has no end."""
    while left > 0 and (attribute := ATTRIBUTE.match(page, position)):
        position = attribute.end()
        if attribute[1]:
            return left, position
        left -= 1
    return left, -1


def unescaped(source: str) -> str:
    """Return a title's text: entities decoded, white space collapsed."""
    source = " ".join(source.split())[:TEXT].replace("\0", "\ufffd")
    if "&" in source:
        source = " ".join(html.unescape(LONG_NUMBER.sub(shorter, source)).split())
    return source


def shorter(found: re.Match[str]) -> str:
    """Return a numeric reference without leading zeros; Python refuses to parse thousands of digits."""
    digits = (found[2] or found[3]).lstrip("0") or "0"
    return "&#xFFFD" if len(digits) > DIGITS else f"&#{found[1] or ''}{digits}"
