"""Targets: the distinct URLs that the links of a page lead to, each with its verdict.

Sites repeat their navigation on each page. Verdicts are remembered by the text of an absolute URL: most links
need neither be parsed nor judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from fetchpool.crawl.character_references import decoded
from fetchpool.crawl.policy import LinkPolicy
from fetchpool.crawl.query_encoding import encode_query
from fetchpool.model.crawl_rules import Reason
from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import Base, Url, origin

MAX_REMEMBERED = 200_000
"""URLs whose verdict is remembered: some 30 MB. If a site has more, linked at random, most links are parsed
and reported again."""
LONGEST_REMEMBERED = 500
"""Characters of a URL that is remembered."""
MAX_LENGTH = 2_083
"""Characters of a `<base>`, which is part of every relative link, and of what is shown of an invalid URL."""
MAX_BYTES = 32 << 20
"""Characters of all targets of a page together."""

NEW, REPORTED, FIRST_REASON = 0, 1, 2
"""Verdicts: to be followed, and already reported or not. From 2 on they are the index of a reason."""
REASONS = list(Reason)
SCHEME_VERDICT = FIRST_REASON + REASONS.index(Reason.SCHEME)
INVALID_VERDICT = FIRST_REASON + REASONS.index(Reason.INVALID)
OTHER_SCHEME = re.compile(r"[\0- ]*(?!https?:)[a-zA-Z][a-zA-Z0-9+.-]*:", re.IGNORECASE)


class Memory:
    """What a worker remembers of URLs, in bounded memory."""

    def __init__(self) -> None:
        self.verdicts: dict[str, int] = {}
        """By normalised URL."""
        self.aliases: dict[str, str] = {}
        """Normalised URLs by other texts of absolute URLs."""

    def shrink(self) -> None:
        """Forget all if it is much."""
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
        """Each normalised URL, and the bits of its links; what is no URL that can be fetched, as written."""
        self.local: dict[str, int] = {}
        """Verdicts that are not remembered."""
        self.by_source: dict[str, tuple[str, str | None]] = {}
        """By URL as written: the target, and the fragment."""
        self.too_many = 0
        """Links beyond the limit."""
        self._policy = policy
        self._memory = memory
        self._base = base
        self._url = url
        self._encoding = encoding
        # What is of the page's origin is in the scope, unless that is limited to a directory.
        self._inside = "\n" if policy.scope.has_paths else f"{origin(url)}/"
        self._bytes = 0

    def add_all(self, links: Mapping[str, int], *, wants_sources: bool = False) -> None:
        """Add links, with URLs as they are written in attributes."""
        verdicts, aliases, found = self._memory.verdicts, self._memory.aliases, self.found
        base = self._base.href
        self_link = base == self._url
        root = origin(base)
        path = base.partition("?")[0]
        directory = path[: path.rindex("/") + 1]
        for written, bits in links.items():
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
            if self._bytes > MAX_BYTES:
                self.too_many = len(links) - len(found)
                return

    def verdict(self, href: str) -> int:
        """Return the verdict on one of the targets."""
        known = self._memory.verdicts.get(href)
        return self.local[href] if known is None else known

    def _resolved(self, text: str, key: str) -> str:
        """Return the normalised URL of a link whose verdict is not known by `key`; remember it."""
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
        """Return `href`, or the beginning of what is no URL that can be fetched."""
        if verdict in _NO_PAGES:
            href = href[:MAX_LENGTH]
        if len(href) <= LONGEST_REMEMBERED and len(self._memory.verdicts) < MAX_REMEMBERED:
            self._memory.verdicts[href] = verdict
        else:
            self.local[href] = verdict
            self._bytes += len(href)
        return href


_SPECIAL = frozenset(("", " ", "?", "/", "\\"))
_NO_PAGES = (SCHEME_VERDICT, INVALID_VERDICT)
