"""Parser for `robots.txt` (RFC 9309).

In: bytes, whatever a server sends. Out: the rules of one user agent. No text raises an exception, and the
cost is bounded: parsing takes time and memory in proportion to the text, however many groups, agents and
rules it has; matching a path looks up literal rules, and tries at most `MOST_PATTERNS` others, without
backtracking.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

MOST_PATTERNS = 5_000
"""Maximum of rules with `*` or `$`, which are tried for each path. Any others are cut at their first `*`;
they then forbid more than intended, and allow nothing."""
WHITESPACE = " \t\v\f\0"
MAX_COMPARISONS = 4_000_000
"""Characters of a path times characters of patterns, above which the path is padded: CPython's search for a
short string is quadratic in the worst case, but linear in a long string."""
PADDING = "\0" * 30_000

AGENT, ALLOW, DISALLOW, DELAY = "user-agent", "allow", "disallow", "crawl-delay"
FIELDS = {
    # With common misspellings, as Google's parser accepts them.
    AGENT: AGENT,
    "useragent": AGENT,
    "user agent": AGENT,
    ALLOW: ALLOW,
    DISALLOW: DISALLOW,
    "dissallow": DISALLOW,
    "dissalow": DISALLOW,
    "disalow": DISALLOW,
    "diasllow": DISALLOW,
    "disallaw": DISALLOW,
    DELAY: DELAY,
    "crawl delay": DELAY,
}
_LINE = re.compile(r"[^\r\n]+")
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9\-._~!&'()+,;=:@/?%\[\]]")
"""Characters that a URL does not contain, or may contain in two ways, or that have a meaning in a rule."""
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Pattern(NamedTuple):
    """A rule with `*` or `$`."""

    octets: int
    """Length of the rule: the longest rule that matches applies."""
    allows: bool
    parts: tuple[str, ...]
    """The texts between the stars; the path starts with the first."""
    anchored: bool
    """Whether the path ends with the last part."""


class RobotsTxt:
    """The rules of one file for one user agent."""

    __slots__ = ("_lengths", "_patterns", "_patterns_size", "_prefixes", "crawl_delay", "num_parts")

    def __init__(self, text: bytes, agent: str) -> None:
        """`agent`: a product name. Its own groups apply, or those for all agents if it has none (2.2.1)."""
        own, common = _Group(), _Group()
        named = False  # there is a group for this agent, even an empty one
        groups: list[_Group] = []
        begun = True
        for field, value in _fields(text):
            if field == AGENT:
                if begun:
                    groups, begun = [], False
                name = value.partition("/")[0].strip(WHITESPACE).lower()
                if name == agent.lower():
                    named = True
                    _add_once(groups, own)
                elif name.split(None, 1)[:1] == ["*"]:
                    _add_once(groups, common)
                continue
            begun = True
            for group in groups:
                group.add(field, value)
        group = own if named else common
        self._prefixes = group.prefixes
        self._lengths = sorted({len(prefix) for prefix in group.prefixes}, reverse=True)
        self._patterns = sorted(group.patterns, key=lambda each: (-each.octets, not each.allows))
        self._patterns_size = sum(each.octets for each in group.patterns)
        self.crawl_delay = group.crawl_delay
        self.num_parts = len(group.prefixes) + sum(1 + len(each.parts) for each in group.patterns)
        """Number of parts of the rules, a measure of their memory."""

    def allows(self, path: str) -> bool:
        """Whether a path with its query, as in a normalised URL, may be fetched: the longest matching rule
        applies, and between two of equal length, the one that allows (section 2.2.2)."""
        if path == "/robots.txt" or not (self._prefixes or self._patterns):
            return True
        path = normalised(path)
        octets, allowed = 0, True
        for length in self._lengths:
            found = self._prefixes.get(path[:length]) if length <= len(path) else None
            if found is not None:
                octets, allowed = length, found
                break
        is_expensive = len(path) * self._patterns_size > MAX_COMPARISONS
        padded = path + PADDING if is_expensive else path
        for pattern in self._patterns:
            if pattern.octets < octets or (pattern.octets == octets and allowed):
                break
            if _matches(pattern, path, padded):
                return pattern.allows or (pattern.octets == octets and allowed)
        return allowed


class _Group:
    """The rules of all groups for one agent, which count as one group."""

    __slots__ = ("crawl_delay", "patterns", "prefixes")

    def __init__(self) -> None:
        self.prefixes: dict[str, bool] = {}
        """Whether paths with this prefix may be fetched."""
        self.patterns: set[Pattern] = set()
        self.crawl_delay = 0.0

    def add(self, field: str, value: str) -> None:
        if field == DELAY:
            if _NUMBER.fullmatch(value) and isfinite(seconds := float(value)):
                self.crawl_delay = seconds
        elif value:  # an empty value is not a rule
            self._add_rule(value if value[0] in "/*" else f"/{value}", allows=field == ALLOW)

    def _add_rule(self, rule: str, *, allows: bool) -> None:
        anchored = rule.endswith("$")
        if "*" not in rule and not anchored:
            prefix = normalised(rule)
            self.prefixes[prefix] = allows or self.prefixes.get(prefix, False)
        elif len(self.patterns) < MOST_PATTERNS:
            first, *others = (normalised(part) for part in rule.removesuffix("$").split("*"))
            # Consecutive stars count as one, except at the end.
            parts = (first, *(part for part in others[:-1] if part), *others[-1:])
            self.patterns.add(Pattern(len(rule), allows, parts, anchored))
        elif not allows:
            self.prefixes.setdefault(normalised(rule.rstrip("$").partition("*")[0]) or "/", False)


def _add_once(groups: list[_Group], group: _Group) -> None:
    if group not in groups:
        groups.append(group)


def _fields(text: bytes) -> Iterator[tuple[str, str]]:
    """Yield the known fields and their values; each byte is one character."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text.decode("utf-16", "replace").encode("utf-8", "replace")
    # Joined files contain byte order marks; authors use no-break spaces as spaces.
    text = text.replace(codecs.BOM_UTF8, b"").replace(b"\xc2\xa0", b" ")
    for match in _LINE.finditer(text.decode("latin-1")):
        line = match[0].partition("#")[0].strip(WHITESPACE)
        name, colon, value = line.partition(":")
        field = FIELDS.get(name.strip(WHITESPACE).lower()) if len(name) < 100 else None
        if field is None and not (colon and value[:1] in WHITESPACE):
            # Without a colon, or with a colon that is part of the value.
            words = line.split(None, 2)
            for count in (1, 2):
                if field is None and (field := FIELDS.get(" ".join(words[:count]).lower())):
                    value = " ".join(words[count:])
        if field is not None:
            yield field, value.strip(WHITESPACE)


def normalised(path: str) -> str:
    """Write every octet in one way (section 2.2.2): unescaped if that is allowed, else percent-encoded."""
    if "%" in path:
        path = _ESCAPED.sub(_unescaped, path)
    return _NOT_PLAIN.sub(_escaped, path)


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _escaped(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def _matches(pattern: Pattern, path: str, padded: str) -> bool:
    """Whether a pattern matches: each part at its first position, the last one at the end if the pattern is
    anchored. `padded` starts with the path."""
    first, *others = pattern.parts
    if not path.startswith(first):
        return False
    place = len(first)
    if not others:
        return place == len(path)
    last = others.pop()
    for part in others:
        place = padded.find(part, place)
        if place < 0:
            return False
        place += len(part)
    if pattern.anchored:
        return len(path) - len(last) >= place and path.endswith(last)
    return padded.find(last, place) >= 0
