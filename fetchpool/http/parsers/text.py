"""The built-in `--parse text`: the visible text of an HTML page.

In: a `Response`. Out: `text`, one line: without tags, scripts, styles, the title and hidden parts, white
space collapsed, a space between blocks. For plain text it is the text itself. None if the content is not
text.
"""

from __future__ import annotations

from typing import Any

from fetchpool.http.parsers.title import looks_like_html
from fetchpool.http.parsers.walk import collapsed, decoded, walk
from fetchpool.http.response import Response

BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "frame",
        "frameset",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hgroup",
        "hr",
        "html",
        "img",
        "input",
        "label",
        "legend",
        "li",
        "main",
        "menu",
        "nav",
        "ol",
        "optgroup",
        "option",
        "p",
        "pre",
        "search",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "video",
    ]
)
"""Elements that separate words."""
UNSEEN = frozenset(("noscript", "datalist", "noframes", "audio", "canvas", "object"))
"""Elements whose content browsers don't show when they run scripts and can play media."""
HIDEABLE = frozenset(
    [
        "article",
        "aside",
        "details",
        "dialog",
        "div",
        "fieldset",
        "footer",
        "form",
        "header",
        "main",
        "nav",
        "ol",
        "section",
        "span",
        "table",
        "ul",
    ]
)
"""Elements with an end tag, which the attribute `hidden` hides."""

INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF))
"""Characters that only mark possible line breaks, such as soft hyphens."""


def text(response: Response) -> dict[str, Any]:
    """Return the field."""
    if not looks_like_html(response):
        is_text = (response.content_type or "").partition(";")[0].strip().lower() == "text/plain"
        return {"text": collapsed(response.text) if is_text else None}
    return {"text": visible_text(response.text)}


def visible_text(page: str) -> str:
    """Return the visible text of a page."""
    pieces: list[str] = []
    hidden, depth = "", 0  # the hidden element, and how many elements of its name are open
    for kind, tag, source, attributes in walk(page):
        if hidden:
            if tag == hidden:
                depth += 1 if kind == "start" else -1
                hidden = hidden if depth else ""
        elif kind == "text":
            pieces.append(decoded(source))
        elif tag in BLOCKS:
            pieces.append(" ")
        if not hidden and kind == "start" and (tag in UNSEEN or (tag in HIDEABLE and "hidden" in attributes)):
            hidden, depth = tag, 1
    return collapsed("".join(pieces).translate(INVISIBLE))
