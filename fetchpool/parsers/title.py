"""The built-in `--parse title`: the title of an HTML page.

In: a `Response`. Out: `{"title": …}`, None when the page has none or isn't HTML. The only room that
knows selectolax, and imported only when a title is asked for.
"""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from fetchpool.parsers import WANTS
from fetchpool.response import Response, decode

WITHIN = WANTS["title"]
"""Bytes of the page in which the title is looked for."""
TAGS = 10_000
"""Tags before the title. Parsing is quadratic in nested ones, as the HTML standard has it: 200,000
`<div>` take over a minute, 10,000 a tenth of a second."""
LENGTH = 1_000
"""Characters of a title that are kept: a row must stay a row."""
TITLE_END = re.compile("</title", re.ASCII | re.IGNORECASE)
TITLE = "title:not(svg title, math title)"
"""A picture's title is not the page's."""


def title(response: Response) -> dict[str, Any]:
    """`{"title": text}`: entities decoded, white space collapsed, by the charset rules of browsers."""
    if not looks_like_html(response):
        return {"title": None}
    page = decode(response.content[:WITHIN], response.encoding)
    # Nearly always the first title is the one, and what follows it need not be parsed.
    end = TITLE_END.search(page)
    text = find_title(page[: end.start()]) if end else None
    if text is None:
        text = find_title(page)
    return {"title": " ".join(text.split())[:LENGTH] or None if text else None}


def find_title(page: str) -> str | None:
    if page.count("<") > TAGS:
        page = "<".join(page.split("<", TAGS)[:-1])
    node = LexborHTMLParser(page).css_first(TITLE)
    return None if node is None else node.text()


def looks_like_html(response: Response) -> bool:
    """By its `Content-Type`; without one, by how it starts."""
    if response.content_type is None:
        return response.content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\f").startswith(b"<")
    return "html" in response.content_type.lower()
