"""Walks through the tags and texts of an HTML page, without building the page's tree.

In: a page's text. Out: its start tags with their attributes, its end tags and the texts between them, in
order. Tags are recognized by the rules of `crawl/html_syntax.py`. Time and memory are linear in the page,
whatever it contains.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from fetchpool.crawl.html_syntax import TAG, Place, after, attributes_of, comment_end, content_end
from fetchpool.http.parsers.markup import LONG_NUMBER, shorter

BLANKS = re.compile(r"[\t\n\f\r ]+")


class Part(NamedTuple):
    """A piece of a page."""

    kind: Literal["start", "end", "text"]
    name: str
    """The tag's name, in lower case."""
    text: str = ""
    attributes: dict[str, str] = {}
    """Values as written, with entities; the first of each name."""


def walk(page: str) -> Iterator[Part]:
    """Yield the parts of a page that are HTML, without the content of SVG, MathML and templates, and without
    the text of scripts, styles and other raw-text elements."""
    place = Place()
    position = 0
    while found := TAG.search(page, position):
        if found.start() > position and place.in_page:
            yield Part("text", "", page[position : found.start()])
        tag, position = found[0], found.end()
        if tag == "<!--":
            position = comment_end(page, position)
        elif tag in ("<!", "<?", "</"):
            is_data = place.foreign and page.startswith("[CDATA[", position)
            position = after(page, "]]>" if is_data else ">", position)
        else:
            attributes, position = attributes_of(page, position)
            if position < 0:
                return
            if tag[1] == "/":
                name = tag[2:].lower()
                place.leave(name)
                if place.in_page:
                    yield Part("end", name)
                continue
            name = tag[1:].lower()
            has_tags = place.enter(name, empty=page[position - 2] == "/")
            if place.in_page:
                yield Part("start", name, attributes=attributes)
            if not has_tags:
                position = content_end(page, position, name)
        if position < 0:
            return
    if place.in_page and position < len(page):
        yield Part("text", "", page[position:])


def decoded(source: str) -> str:
    """Return text with its entities decoded."""
    if "&" in source:
        source = html.unescape(LONG_NUMBER.sub(shorter, source))
    return source.replace("\0", "\ufffd")


def collapsed(text: str) -> str:
    """Return text with each run of whitespace collapsed to one space, and none at its ends."""
    return BLANKS.sub(" ", text).strip(" ")
