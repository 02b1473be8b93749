"""Finds the title of an HTML page by the tags before it, without building the page's tree.

In: a page's text. Out: the text of its first title, entities decoded. Tags are recognized by the rules of the
HTML standard's tokenizer (section 13.2.5): comments, quoted attributes, scripts and other elements without
tags in them are skipped. Time and memory are linear in the page, whatever it contains. Building the tree is
not linear: by the standard, formatting elements grow without bound, and repeated attributes are compared.
"""

from __future__ import annotations

import html
import re
from collections import Counter

MAX_TAGS = 100_000
"""The limit of tags and attributes before the title: some hundredths of a second, and more than any page
has."""
TEXT = 40_000
"""Characters of a title's source that are decoded: a thousand, each of them an entity."""

TAG = re.compile(r"<(?:!--|[!?]|/?[a-zA-Z][^\t\n\f\r />]*|/(?!>))")
"""The beginning of a tag, of a comment, or of what counts as a comment."""
ATTRIBUTE = re.compile(
    r"""[\t\n\f\r\ /]*(?:
        (>)
      | [^\t\n\f\r\ />][^\t\n\f\r\ />=]*  # an equals sign may begin a name
        (?:[\t\n\f\r\ ]*=[\t\n\f\r\ ]*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^\t\n\f\r\ >"'][^\t\n\f\r\ >]*)?)?
    )""",
    re.VERBOSE,
)
COMMENT_END = re.compile(r"--!?>")
SCRIPT = re.compile(r"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
"""The sequences that matter within a script."""
LONG_NUMBER = re.compile(r"&#(?:([xX])([0-9a-fA-F]{20,})|([0-9]{20,}))")
DIGITS = 7
"""Digits of the largest number of a character."""

NAMED_END = "</{}(?=[\t\n\f\r />])"
END = {
    name: re.compile(NAMED_END.format(name), re.IGNORECASE | re.ASCII)
    for name in ("style", "xmp", "iframe", "noembed", "noframes", "textarea", "title")
}
"""The end tags of elements that contain no tags."""
INTEGRATION = {
    "svg": frozenset(("foreignobject", "desc", "title")),
    "math": frozenset(("mi", "mo", "mn", "ms", "mtext", "annotation-xml")),
}
"""Elements of a picture or a formula in which HTML begins again (section 13.2.6)."""
HTML_ONLY = """
    b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu
    meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var
"""
BREAKS_OUT = frozenset(HTML_ONLY.split())
"""Tags that end a surrounding picture or formula (section 13.2.6.5)."""


def first_title(page: str) -> str | None:
    """Return the title; None if there is none. A picture's title is not the page's, nor is a template's."""
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


class Place:
    """The position in a page, as far as it matters to a title: the surrounding pictures, formulas and
    templates, and the elements in them that contain HTML again."""

    def __init__(self) -> None:
        self._around: list[str] = []
        self._counts: Counter[str] = Counter()

    @property
    def in_page(self) -> bool:
        return not self._around

    @property
    def foreign(self) -> bool:
        """Whether this is SVG or MathML, not HTML."""
        return bool(self._around) and self._around[-1] in INTEGRATION

    def enter(self, name: str, *, empty: bool) -> bool:
        """Process a start tag. Return whether the content may have tags. `empty`: the tag ends with `/>`,
        which closes it in SVG and MathML."""
        while self.foreign:
            if name in BREAKS_OUT:
                self._leave_last()
                continue
            if not empty and (name in INTEGRATION or name in INTEGRATION[self._around[-1]]):
                self._enter(name)
            return True
        if (name in INTEGRATION and not empty) or name == "template":
            self._enter(name)
        return name not in END and name not in ("script", "plaintext")

    def leave(self, name: str) -> None:
        """Process an end tag."""
        while self.foreign and name in ("br", "p"):
            self._leave_last()
        if self._counts[name]:
            while self._leave_last() != name:
                pass

    def _enter(self, name: str) -> None:
        self._around.append(name)
        self._counts[name] += 1

    def _leave_last(self) -> str:
        name = self._around.pop()
        self._counts[name] -= 1
        return name


def attributes_end(page: str, position: int, left: int) -> tuple[int, int]:
    """Return how many more attributes may be parsed, and the end of the tag whose attributes begin at
    `position`: -1 if it has no end."""
    while left > 0 and (attribute := ATTRIBUTE.match(page, position)):
        position = attribute.end()
        if attribute[1]:
            return left, position
        left -= 1
    return left, -1


def comment_end(page: str, position: int) -> int:
    """Return the end of the comment whose text begins at `position`; -1 if it has no end."""
    for abrupt in (">", "->"):
        if page.startswith(abrupt, position):
            return position + len(abrupt)
    end = COMMENT_END.search(page, position)
    return end.end() if end else -1


def content_end(page: str, position: int, name: str) -> int:
    """Return the position of the end tag of an element without tags in it; -1 if there is none."""
    if name != "script":
        end = END[name].search(page, position) if name in END else None
        return end.start() if end else -1
    # Old scripts are within a comment, which may contain another script.
    hidden = nested = False
    while found := SCRIPT.search(page, position):
        position = found.end()
        if found[0] == "<!--":
            hidden, position = True, position - 2  # these hyphens may also be part of the comment's end
        elif found[0] == "-->":
            hidden = nested = False
        elif not found[1]:
            nested = hidden
        elif nested:
            nested = False
        else:
            return found.start()
    return -1


def after(page: str, end: str, position: int) -> int:
    found = page.find(end, position)
    return found + len(end) if found >= 0 else -1


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
