"""The built-in `--parse title`: the title of an HTML page.

In: a `Response`. Out: `{"title": …}`, None when the page has none or isn't HTML. `markup.py` finds it.
"""

from __future__ import annotations

from typing import Any

from fetchpool.http.parsers.markup import first_title
from fetchpool.http.parsers.run import WANTS
from fetchpool.http.response import Response
from fetchpool.model.encodings import decode

SEARCHED_BYTES = WANTS["title"]
"""Number of bytes of the page that are searched for the title."""
LENGTH = 1_000
"""Maximum length of a title in characters, so that rows stay small."""


def title(response: Response) -> dict[str, Any]:
    """Return `{"title": text}`: entities decoded, white space collapsed, by the charset rules of browsers."""
    if not looks_like_html(response):
        return {"title": None}
    text = first_title(decode(response.content[:SEARCHED_BYTES], response.encoding))
    return {"title": text[:LENGTH] or None if text else None}


def looks_like_html(response: Response) -> bool:
    """Whether a page is HTML by its `Content-Type`; without one, by its first bytes."""
    if response.content_type is None:
        return response.content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\f").startswith(b"<")
    return "html" in response.content_type.lower()
