"""Reads directives for robots in `<meta name=robots>` and `X-Robots-Tag`: whether links may be followed."""

from __future__ import annotations

from collections.abc import Iterable

OURS = ("robots", "fetchpool")
"""The names of `<meta>` that apply to fetchpool."""
VALUED = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))
"""Directives that take a value after a colon; any other name before a colon is a robot's name."""
FORBIDDING = frozenset(("nofollow", "none"))


def meta_forbids(content: str) -> bool:
    """Whether the `content` of a meta element for robots says `nofollow`."""
    return any(directive.strip().lower() in FORBIDDING for directive in content.split(","))


def header_forbids(values: Iterable[str]) -> bool:
    """Whether one of the values of `X-Robots-Tag` says `nofollow` to all robots, or to fetchpool."""
    for value in values:
        ours = True
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            directive = part.strip()
            if colon and name.strip() not in VALUED:
                ours, directive = name.strip() in ("*", *OURS), rest.strip()
            if ours and directive in FORBIDDING:
                return True
    return False
