"""The built-in `--parse meta`: the metadata of an HTML page.

In: a `Response`. Out: `description`, `canonical` and `language`, None where the page has none, and the page's
Open Graph properties (ogp.me), `og:title` and so on.
"""

from __future__ import annotations

from typing import Any

from fetchpool.crawl.character_references import decoded
from fetchpool.http.parsers.run import WANTS
from fetchpool.http.parsers.title import looks_like_html
from fetchpool.http.parsers.walk import collapsed, walk
from fetchpool.http.response import Response
from fetchpool.model import urls
from fetchpool.model.encodings import decode

SEARCHED_BYTES = WANTS["meta"]
"""Number of bytes of the page that are searched."""
LENGTH = 5_000
"""Maximum number of characters of a value."""
MAX_PROPERTIES = 100
"""Maximum number of Open Graph properties of a page; real pages have fewer than twenty."""
MAX_NAME = 60
PREFIX = "og:"
COMMON = ("og:title", "og:type", "og:url", "og:image", "og:description", "og:site_name", "og:locale")
"""The properties that every row has."""


def meta(response: Response) -> dict[str, Any]:
    """Return the fields. The first value of each field counts."""
    fields: dict[str, Any] = dict.fromkeys(("description", "canonical", "language", *COMMON))
    if not looks_like_html(response):
        return fields
    page = decode(response.content[:SEARCHED_BYTES], response.encoding)
    base = response.url_effective or response.url
    language_header = ""

    def add(name: str, value: str) -> None:
        if fields.get(name) is None and (text := collapsed(decoded(value[: 4 * LENGTH]))[:LENGTH]):
            fields[name] = text

    for kind, tag, _, attributes in walk(page):
        if kind != "start":
            continue
        if tag == "html":
            add("language", attributes.get("lang", ""))
        elif tag == "meta":
            content = attributes.get("content", "")
            name = attributes.get("name", "").strip().lower()
            key = attributes.get("property", "").strip().lower() or name
            if name == "description":
                add("description", content)
            elif key.startswith(PREFIX) and len(PREFIX) < len(key) <= MAX_NAME:
                if key in fields or len(fields) < MAX_PROPERTIES:
                    add(key, content)
            elif attributes.get("http-equiv", "").strip().lower() == "content-language":
                language_header = language_header or content
        elif tag == "base" and attributes.get("href"):
            found = urls.parse(decoded(attributes["href"]).strip(), response.url_effective or response.url)
            if isinstance(found, urls.Url):
                base = found.href
        elif tag == "link" and "canonical" in attributes.get("rel", "").lower().split():
            target = urls.parse(decoded(attributes.get("href", "")).strip(), base)
            if fields["canonical"] is None and isinstance(target, urls.Url):
                fields["canonical"] = target.href
    add("language", language_header)
    return fields
