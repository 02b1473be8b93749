"""The regex that finds the tags with links in a page, with a fast path for tags in their usual form.

It matches a tag of interest, or anything that it can't parse: tags in an unusual form, comments,
declarations, and the start of elements that change how tags are read; `page_scan.py` parses those with
`html_syntax.py`. It skips other tags whose source contains no `<`, since no tag can start inside them.

Time is linear in the page: an attempt consumes no more characters than the tag has, or than precede the next
`<`. Repeated groups are bounded, because each repetition takes memory.
"""

from __future__ import annotations

import re
from functools import lru_cache

W = r"\t\n\f\r\ "
NAMES = """
    a area base link img image script source video audio track embed iframe frame input object
    svg math template style textarea title xmp noembed noframes plaintext
"""
"""Tags of interest: those with links, and those that change how the following tags are read."""
ATTRIBUTE_NAME = rf"""[^{W}"'<>/=]++"""
VALUE = rf"""(?:"[^"<]*+"|'[^'<]*+'|[^{W}"'<>]++)"""
MAX_ATTRIBUTES = 30
"""Maximum number of attributes of a tag in its usual form."""


def any_case(names: str) -> str:
    """Return a pattern that matches one of the names in any case. `re.IGNORECASE` would take longer."""
    return "|".join("".join(f"[{c}{c.upper()}]" for c in name) for name in names.split())


@lru_cache
def token_regex(attributes: str = "", *, is_a_short: bool) -> re.Pattern[str]:
    """Return the regex. Its groups: the `href` of an `a` without `rel`; the name and the attributes of any
    other tag of interest; none for the rest, whose `<` it matches.

    `attributes` are the names of attributes that make any tag interesting, as `background` does.
    `is_a_short`: only the `href` and `rel` of an `a` matter.
    """
    names = f"background {attributes}"
    blanks, title, href = f"[{W}/]++", any_case("title"), any_case("href")
    # Most are descriptions: one matters if it may be a refresh or have directives for robots.
    meta = f"{any_case('meta')}(?=[^<]*(?:{any_case('refresh robots fetchpool')}))"

    def rest(unless: str) -> str:
        """Return a pattern for the attributes and the end of a tag without the attributes `unless`."""
        name = f"(?!(?:{any_case(unless)})[{W}/>=]){ATTRIBUTE_NAME}" if unless else ATTRIBUTE_NAME
        return f"(?:{blanks}{name}(?:={VALUE})?){{0,{MAX_ATTRIBUTES}}}[{W}/]*+>"

    other = f"(?!(?:{any_case(f'href rel {names}')})[{W}/>=]){ATTRIBUTE_NAME}"
    before = rf'(?:[{W}]++{other}="[^"<]*+"){{0,9}}'
    short = rf'[aA]{before}[{W}]++{href}="([^"<]*+)"{rest(f"rel {names}")}' if is_a_short else r"(?!)()"
    return re.compile(
        rf"""<(?!
            [^a-zA-Z/!?]
          | /[a-zA-Z][^"'<>]*+>
          | {title}>[^<]*+</{title}[{W}/>]
          | ![a-zA-Z][^<>]*+>
          | !--[^<>]*+(?<=--)>
          | (?!(?:{any_case(NAMES)}|{meta})[{W}/>]) [a-zA-Z][^{W}/>"'<]*+ {rest(names)}
        )(?: {short} | ([a-zA-Z][^{W}/>"'<]*+)({rest("")}) | )""",
        re.VERBOSE,
    )
