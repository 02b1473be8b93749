"""The built-in `--parse links`: all links of an HTML page.

In: a `Response`. Out: `links`, the absolute URLs of `<a href>` and `<area href>`, http and https only,
without fragments, each once, in their order; empty when there are none or it isn't HTML.
"""

from __future__ import annotations

from typing import Any

from fetchpool.crawl.character_references import decoded
from fetchpool.http.parsers.run import LARGE_RESULT, InvalidFieldError
from fetchpool.http.parsers.title import looks_like_html
from fetchpool.http.parsers.walk import walk
from fetchpool.http.response import Response
from fetchpool.model import urls

MAX_BASE = 2_048
"""Maximum length of a `<base>` in characters, since it is part of every relative link."""
BLANKS = "\t\n\f\r "


def links(response: Response) -> dict[str, Any]:
    """Return the field."""
    if not looks_like_html(response):
        return {"links": []}
    document = response.url_effective or response.url
    base = ""
    found: dict[str, None] = {}
    for kind, tag, _, attributes in walk(response.text):
        if kind == "start" and (href := attributes.get("href")):
            if tag in ("a", "area"):
                found[href] = None
            elif tag == "base" and not base and len(href) <= MAX_BASE:
                target = urls.parse(decoded(href).strip(BLANKS), document)
                base = target.href if isinstance(target, urls.Url) else ""
    absolute: dict[str, None] = {}
    size = 0
    for href in found:
        text = decoded(href).strip(BLANKS)
        if not text or text.startswith("#"):
            continue
        link = urls.parse(text, base or document)
        if isinstance(link, urls.Url) and link.href not in absolute:
            absolute[link.href] = None
            size += len(link.href)
            if size > LARGE_RESULT:
                raise InvalidFieldError(f"found more than {LARGE_RESULT >> 20} MiB")
    return {"links": list(absolute)}
