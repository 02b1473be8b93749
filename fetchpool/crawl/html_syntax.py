"""Parses the syntax of HTML tags (section 13.2.5 of the standard) without building a tree.

Tags, comments and raw-text elements are recognized as browsers do; `Place` knows which surrounding elements
change how a tag is read. Time and memory are linear in the page, whatever it contains. Building a tree would
not be linear: the standard lets formatting elements grow without bound, and compares repeated attributes.
"""

from __future__ import annotations

import re

TAG = re.compile(r"<(?:!--|[!?]|/?[a-zA-Z][^\t\n\f\r />]*|/(?!>))")
"""The beginning of a tag, of a comment, or of what counts as a comment."""
ATTRIBUTE = re.compile(
    r"""[\t\n\f\r\ /]*(?:
        (>)
      | ([^\t\n\f\r\ />][^\t\n\f\r\ />=]*)  # an equals sign may begin a name
        (?:[\t\n\f\r\ ]*=[\t\n\f\r\ ]*(?:
            "([^"]*)(?:"|\Z) | '([^']*)(?:'|\Z) | ([^\t\n\f\r\ >"'][^\t\n\f\r\ >]*)
        )?)?
    )""",
    re.VERBOSE,
)
COMMENT_END = re.compile(r"--!?>")
SCRIPT = re.compile(r"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
"""The sequences that matter within a script."""
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
"""Elements of SVG or MathML whose content is HTML again (section 13.2.6)."""
HTML_ONLY = """
    b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu
    meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var
"""
BREAKS_OUT = frozenset(HTML_ONLY.split())
"""Tags that end surrounding SVG or MathML (section 13.2.6.5)."""


class Place:
    """The elements around a position in a page that change how tags are read: SVG, MathML, templates, and the
    elements in them whose content is HTML again."""

    def __init__(self) -> None:
        self._around: list[str] = []
        self._counts: dict[str, int] = {}

    @property
    def in_page(self) -> bool:
        return not self._around

    @property
    def in_template(self) -> bool:
        return self._counts.get("template", 0) > 0

    @property
    def foreign(self) -> bool:
        """Whether this is SVG or MathML, not HTML."""
        return bool(self._around) and self._around[-1] in INTEGRATION

    def enter(self, name: str, *, empty: bool) -> bool:
        """Process a start tag. Return whether its content may contain tags. `empty`: the tag ends with `/>`,
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
        if self._counts.get(name):
            while self._leave_last() != name:
                pass

    def _enter(self, name: str) -> None:
        self._around.append(name)
        self._counts[name] = self._counts.get(name, 0) + 1

    def _leave_last(self) -> str:
        name = self._around.pop()
        self._counts[name] -= 1
        return name


def attributes_of(page: str, position: int) -> tuple[dict[str, str], int]:
    """Return the attributes of the tag whose name ends at `position`, and where the tag ends (-1 if it
    doesn't). Values are as written, with character references; the first attribute of each name counts."""
    attributes: dict[str, str] = {}
    while attribute := ATTRIBUTE.match(page, position):
        position = attribute.end()
        end, name, double, single, bare = attribute.groups()
        if end:
            return attributes, position
        attributes.setdefault(name.lower(), double or single or bare or "")
    return attributes, -1


def comment_end(page: str, position: int) -> int:
    """Return the end of the comment whose text begins at `position`; -1 if it has no end."""
    for abrupt in (">", "->"):
        if page.startswith(abrupt, position):
            return position + len(abrupt)
    end = COMMENT_END.search(page, position)
    return end.end() if end else -1


def content_end(page: str, position: int, name: str) -> int:
    """Return the position of the end tag of a raw-text element; -1 if there is none."""
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
