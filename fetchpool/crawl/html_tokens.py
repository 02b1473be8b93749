"""The regex that finds the tags of a page that have links, with a fast path for tags in their usual form.

It matches at a tag of interest, or at what it can't read: tags in an unusual form, comments, declarations,
and beginnings of elements that change how tags are read. `page_scan.py` reads those by `html_syntax.py`. All
other tags are passed over: those of no interest, if the source of the tag has no `<`, since no other tag can
be found in it then.

Time is linear in the page: an attempt takes no more characters than the tag has, or than there are before the
next `<`. Repeated groups are bounded, as their repetitions take memory.
"""

from __future__ import annotations

import re
from functools import lru_cache

W = r"\t\n\f\r\ "
NAMES = """
    a area base link meta img image script source video audio track embed iframe frame input object
    svg math template style textarea title xmp noembed noframes plaintext
"""
"""Tags of interest: with links, or changing how the tags after them are read."""
ATTRIBUTE_NAME = rf"""[^{W}"'<>/=]++"""
VALUE = rf"""(?:"[^"<]*+"|'[^'<]*+'|[^{W}"'<>]++)"""
MOST = 30
"""Attributes of a tag in its usual form."""


def any_case(names: str) -> str:
    """Return a pattern that matches one of the names in any case. `re.IGNORECASE` would take longer."""
    return "|".join("".join(f"[{c}{c.upper()}]" for c in name) for name in names.split())


@lru_cache
def token_regex(attributes: str = "", *, is_a_short: bool) -> re.Pattern[str]:
    """Return the regex. Its groups: the `href` of an `a`; the name and the attributes of any other tag of
    interest; none for the rest, whose `<` it matches.

    `attributes` are the names of attributes that make any tag interesting. `is_a_short`: of `a`, only `href`
    matters.
    """
    plain = rf"(?!(?:{any_case(attributes)})[{W}/>=])" if attributes else ""
    some = f"(?:[{W}/]++{plain}{ATTRIBUTE_NAME}(?:={VALUE})?){{0,{MOST}}}[{W}/]*+>"
    each = f"(?:[{W}/]++{ATTRIBUTE_NAME}(?:={VALUE})?){{0,{MOST}}}[{W}/]*+>"
    href = any_case("href")
    others = rf'(?:[{W}]++(?!{href}){ATTRIBUTE_NAME}="[^"<]*+"){{0,9}}'
    short = rf'[aA]{others}[{W}]++{href}="([^"<]*+)"{each}' if is_a_short else r"(?!)()"
    return re.compile(
        rf"""<(?!
            [^a-zA-Z/!?]
          | /[a-zA-Z][^"'<>]*+>
          | (?!(?:{any_case(NAMES)})[{W}/>]) [a-zA-Z][^{W}/>"'<]*+ {some}
        )(?: {short} | ([a-zA-Z][^{W}/>"'<]*+)({each}) | )""",
        re.VERBOSE,
    )
