"""The words of a `robots.txt` (RFC 9309): which of them are for us, and what they say of a path.

In: bytes, as any server may send them. Out: the rules of one user agent. Nothing in the text makes it raise,
and its cost is bounded: reading takes time and memory in proportion to the text, however many groups, agents
and rules it has, and judging a path looks a literal rule up, and takes the others one by one, at most
`MOST_PATTERNS` of them, without ever going back.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

MOST_PATTERNS = 5_000
"""Rules with a star or a dollar sign that are looked at for each path. What comes after them is read up to
its first star: it then forbids more than it says, and allows nothing."""
BLANKS = " \t\v\f\0"
COSTLY = 4_000_000
"""Characters of a path times characters of patterns beyond which CPython's search for a short needle,
quadratic at worst, is given a haystack for which it uses its linear one."""
HAYSTACK = "\0" * 30_000

AGENT, ALLOW, DISALLOW, DELAY = "user-agent", "allow", "disallow", "crawl-delay"
FIELDS = {
    # As their authors write them; Google's and other parsers take the same for what they mean.
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
"""What no URL has as it is, or may have either way; and what is a sign of its own in a rule."""
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Pattern(NamedTuple):
    """A rule with stars, or with an end."""

    octets: int
    """How long it is: the longest rule that matches counts."""
    allows: bool
    parts: tuple[str, ...]
    """What stands between the stars; the first begins the path."""
    anchored: bool
    """The last part ends the path."""


class RobotsTxt:
    """What one text asks of one user agent."""

    __slots__ = ("_lengths", "_patterns", "_patterns_size", "_prefixes", "crawl_delay", "weight")

    def __init__(self, text: bytes, agent: str) -> None:
        """`agent`: a product name; its own groups count, or those for all when it has none (2.2.1)."""
        own, common = _Group(), _Group()
        named = False  # there is a group of our own, even an empty one
        groups: list[_Group] = []
        begun = True
        for field, value in _fields(text):
            if field == AGENT:
                if begun:
                    groups, begun = [], False
                name = value.partition("/")[0].strip(BLANKS).lower()
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
        self.weight = len(group.prefixes) + sum(1 + len(each.parts) for each in group.patterns)
        """How many pieces are held of it."""

    def allows(self, path: str) -> bool:
        """Whether a path with its query, as it is in a normalised URL, may be fetched: the longest rule that
        matches says so, and of two the one that allows (section 2.2.2)."""
        if path == "/robots.txt" or not (self._prefixes or self._patterns):
            return True
        path = normalised(path)
        octets, allowed = 0, True
        for length in self._lengths:
            found = self._prefixes.get(path[:length]) if length <= len(path) else None
            if found is not None:
                octets, allowed = length, found
                break
        costly = len(path) * self._patterns_size > COSTLY
        haystack = path + HAYSTACK if costly else path
        for pattern in self._patterns:
            if pattern.octets < octets or (pattern.octets == octets and allowed):
                break
            if _matches(pattern, path, haystack):
                return pattern.allows or (pattern.octets == octets and allowed)
        return allowed


class _Group:
    """The rules of all groups for one agent, which count as one."""

    __slots__ = ("crawl_delay", "patterns", "prefixes")

    def __init__(self) -> None:
        self.prefixes: dict[str, bool] = {}
        """Whether what begins so may be fetched."""
        self.patterns: set[Pattern] = set()
        self.crawl_delay = 0.0

    def add(self, field: str, value: str) -> None:
        if field == DELAY:
            if _NUMBER.fullmatch(value) and isfinite(seconds := float(value)):
                self.crawl_delay = seconds
        elif value:  # an empty one is no rule
            self._add_rule(value if value[0] in "/*" else f"/{value}", allows=field == ALLOW)

    def _add_rule(self, rule: str, *, allows: bool) -> None:
        anchored = rule.endswith("$")
        if "*" not in rule and not anchored:
            prefix = normalised(rule)
            self.prefixes[prefix] = allows or self.prefixes.get(prefix, False)
        elif len(self.patterns) < MOST_PATTERNS:
            first, *others = (normalised(part) for part in rule.removesuffix("$").split("*"))
            # Stars in a row are one, but for one at the end.
            parts = (first, *(part for part in others[:-1] if part), *others[-1:])
            self.patterns.add(Pattern(len(rule), allows, parts, anchored))
        elif not allows:
            self.prefixes.setdefault(normalised(rule.rstrip("$").partition("*")[0]) or "/", False)


def _add_once(groups: list[_Group], group: _Group) -> None:
    if group not in groups:
        groups.append(group)


def _fields(text: bytes) -> Iterator[tuple[str, str]]:
    """The lines that mean something to us; every byte is one character."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text.decode("utf-16", "replace").encode("utf-8", "replace")
    # Marks of byte order stand where files were joined, too; a no-break space is meant as a blank.
    text = text.replace(codecs.BOM_UTF8, b"").replace(b"\xc2\xa0", b" ")
    for match in _LINE.finditer(text.decode("latin-1")):
        line = match[0].partition("#")[0].strip(BLANKS)
        name, colon, value = line.partition(":")
        field = FIELDS.get(name.strip(BLANKS).lower()) if len(name) < 100 else None
        if field is None and not (colon and value[:1] in BLANKS):
            # Without a colon, or with one that belongs to the value.
            words = line.split(None, 2)
            for count in (1, 2):
                if field is None and (field := FIELDS.get(" ".join(words[:count]).lower())):
                    value = " ".join(words[count:])
        if field is not None:
            yield field, value.strip(BLANKS)


def normalised(path: str) -> str:
    """With every octet written in one way (section 2.2.2): as it is when it may be, else percent-encoded."""
    if "%" in path:
        path = _ESCAPED.sub(_unescaped, path)
    return _NOT_PLAIN.sub(_escaped, path)


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _escaped(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def _matches(pattern: Pattern, path: str, haystack: str) -> bool:
    """Each part as early as it can be, the last at the end if that is where it belongs. `haystack` begins
    with the path."""
    first, *others = pattern.parts
    if not path.startswith(first):
        return False
    place = len(first)
    if not others:
        return place == len(path)
    last = others.pop()
    for part in others:
        place = haystack.find(part, place)
        if place < 0:
            return False
        place += len(part)
    if pattern.anchored:
        return len(path) - len(last) >= place and path.endswith(last)
    return haystack.find(last, place) >= 0
