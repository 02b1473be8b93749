"""Targets: the distinct URLs that the links of a page lead to, each with its verdict. Sites repeat their
navigation on each page, so verdicts are cached by the text of an absolute URL: most links need neither be
parsed nor evaluated again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fetchpool.crawl.character_references import decoded
from fetchpool.crawl.policy import LinkPolicy
from fetchpool.crawl.query_encoding import encode_query
from fetchpool.model.crawl_rules import Reason
from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import Base, Url, origin

MAX_REMEMBERED = 200_000
"""Maximum number of URLs whose verdicts are cached, about 30 MB. On a site with more URLs that are linked at
random, most links are parsed and reported again."""
LONGEST_REMEMBERED = 500
"""Maximum length of a cached URL, in characters."""
MAX_LENGTH = 2_083
"""Maximum length of a `<base>`, which is part of every relative link, and of an invalid URL as it is shown,
in characters."""
MAX_TOTAL_LENGTH = 32 << 20
"""Maximum length of all targets of a page together, in characters."""
MANY = 10_000
"""Number of links from which on each is removed while it is examined, to save memory."""

NEW, REPORTED, FIRST_REASON = 0, 1, 2
"""Verdicts: to be followed (new, or already reported). From 2 on, a verdict is the index of a reason."""
REASONS = list(Reason)
SCHEME_VERDICT = FIRST_REASON + REASONS.index(Reason.SCHEME)
INVALID_VERDICT = FIRST_REASON + REASONS.index(Reason.INVALID)
OTHER_SCHEME = re.compile(r"[\0- ]*(?!https?:)[a-zA-Z][a-zA-Z0-9+.-]*:", re.IGNORECASE)


class Memory:
    """A worker's cache of verdicts, in bounded memory."""

    def __init__(self) -> None:
        self.verdicts: dict[str, int] = {}
        """By normalised URL."""
        self.aliases: dict[str, str] = {}
        """Normalised URLs, by the other spellings of absolute URLs."""

    def shrink(self) -> None:
        """Empty the cache if it is too large."""
        if len(self.verdicts) + len(self.aliases) >= MAX_REMEMBERED:
            self.clear()

    def clear(self) -> None:
        self.verdicts.clear()
        self.aliases.clear()


class Targets:
    """The targets of one page's links. The page is in the scope."""

    def __init__(
        self, policy: LinkPolicy, memory: Memory, base: Base, url: str, encoding: Callable[[], str]
    ) -> None:
        self.found: dict[str, int] = {}
        """The bits of each target's links. The key is the normalised URL, or the text as written if it can't
        be fetched."""
        self.local: dict[str, int] = {}
        """Verdicts that are not cached."""
        self.by_source: dict[str, tuple[str, str | None]] = {}
        """The target and the fragment of each URL as written."""
        self.too_many = 0
        """Number of links beyond the limit."""
        self._policy = policy
        self._memory = memory
        self._base = base
        self._url = url
        self._encoding = encoding
        # URLs of the page's origin are in the scope, unless it is limited to a directory.
        self._inside = "\n" if policy.scope.has_paths else f"{origin(url)}/"
        self._total_length = 0

    def add_all(self, links: dict[str, int], *, wants_sources: bool = False) -> None:
        """Add links, with URLs as they are written in attributes, and remove them from `links`."""
        number = len(links)
        verdicts, aliases, found = self._memory.verdicts, self._memory.aliases, self.found
        base = self._base.href
        self_link = base == self._url
        root = origin(base)
        path = base.partition("?")[0]
        directory = path[: path.rindex("/") + 1]
        for written, bits in links.items() if number < MANY else _removed(links):
            text = decoded(written) if "&" in written else written
            fragment: str | None = None
            if "#" in text:
                text, _, fragment = text.partition("#")
            if not text and self_link and not wants_sources:
                continue
            first = text[:1]
            if first == "/":
                key = root + text if text[1:2] not in ("/", "\\") else ""
            elif text.startswith(("https://", "http://")):
                key = text
            elif ":" in text or first in _SPECIAL:
                key = ""
            else:
                key = directory + text
            href = key if key in verdicts else aliases.get(key) or self._resolved(text, key)
            found[href] = found.get(href, 0) | bits
            if wants_sources:
                self.by_source[written] = (href, fragment)
            if self._total_length > MAX_TOTAL_LENGTH:
                self.too_many = number - len(found)
                break
        links.clear()

    def verdict(self, href: str) -> int:
        """Return the verdict on one of the targets."""
        known = self._memory.verdicts.get(href)
        return self.local[href] if known is None else known

    def _resolved(self, text: str, key: str) -> str:
        """Return the normalised URL of a link whose verdict is not cached under `key`, and cache it."""
        if ":" in text and OTHER_SCHEME.match(text):
            return self._remember(text, SCHEME_VERDICT)
        if not text.isascii():
            text = encode_query(text, self._encoding())
            key = ""  # depends on the encoding
        target = self._base.resolve(text)
        if not isinstance(target, Url):
            is_scheme = target.kind is FailureKind.UNSUPPORTED_SCHEME
            return self._remember(text, SCHEME_VERDICT if is_scheme else INVALID_VERDICT)
        href = self._policy.without_ignored(target.href)
        if href not in self._memory.verdicts and href not in self.local:
            reason = self._policy.reason(href, is_in_scope=href.startswith(self._inside))
            self._remember(href, NEW if reason is None else FIRST_REASON + REASONS.index(reason))
        if key != href and self._is_alias(key) and href not in self.local:
            self._memory.aliases[key] = href
        return href

    def _is_alias(self, key: str) -> bool:
        return (
            0 < len(key) <= LONGEST_REMEMBERED
            and key.isprintable()
            and len(self._memory.aliases) < MAX_REMEMBERED
        )

    def _remember(self, href: str, verdict: int) -> str:
        """Cache the verdict on a URL. Return the URL, shortened if it can't be fetched."""
        if verdict in _UNFETCHABLE:
            href = href[:MAX_LENGTH]
        if len(href) <= LONGEST_REMEMBERED and len(self._memory.verdicts) < MAX_REMEMBERED:
            self._memory.verdicts[href] = verdict
        else:
            self.local[href] = verdict
            self._total_length += len(href)
        return href


def _removed(links: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield links in their order, and remove each, so that its text is not in memory twice."""
    left = dict(reversed(links.items()))
    links.clear()
    while left:
        yield left.popitem()


_SPECIAL = frozenset(("", " ", "?", "/", "\\"))
_UNFETCHABLE = (SCHEME_VERDICT, INVALID_VERDICT)
