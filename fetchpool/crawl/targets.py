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

MAX_REMEMBERED = 50_000
"""URLs whose verdict is remembered: some 12 MB."""
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

Verdicts = dict[str, "int | str"]
"""By normalised URL: its verdict. By another absolute URL: the normalised one."""


class Targets:
    """The targets of one page's links."""

    def __init__(
        self, policy: LinkPolicy, verdicts: Verdicts, base: Base, url: str, encoding: Callable[[], str]
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
        self._verdicts = verdicts
        self._base = base
        self._url = url
        self._encoding = encoding
        self._bytes = 0

    def add_all(self, links: Mapping[str, int], *, wants_sources: bool = False) -> None:
        """Add links, with URLs as they are written in attributes."""
        verdicts, found = self._verdicts, self.found
        base = self._base.href
        self_link = base == self._url
        root = origin(base)
        path = base.partition("?")[0]
        directory = path[: path.rindex("/") + 1]
        for number, (written, bits) in enumerate(links.items(), 1):
            text = decoded(written) if "&" in written else written
            fragment: str | None = None
            if "#" in text:
                text, _, fragment = text.partition("#")
            if not text and self_link:
                href = base
                if not wants_sources:
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
            verdict = verdicts.get(key) if key else None
            if verdict is None:
                href = self._resolved(text, key)
            elif type(verdict) is str:
                href = verdict
            else:
                href = key
            found[href] = found.get(href, 0) | bits
            if wants_sources:
                self.by_source[written] = (href, fragment)
            if self._bytes > MAX_BYTES:
                self.too_many = len(links) - number
                return

    def _resolved(self, text: str, key: str) -> str:
        """Return the normalised URL of a link whose verdict is not known by `key`; remember it."""
        if OTHER_SCHEME.match(text):
            return self._remember(text, SCHEME_VERDICT)
        if not text.isascii():
            text = encode_query(text, self._encoding())
            key = ""  # depends on the encoding
        target = self._base.resolve(text)
        if not isinstance(target, Url):
            is_scheme = target.kind is FailureKind.UNSUPPORTED_SCHEME
            return self._remember(text, SCHEME_VERDICT if is_scheme else INVALID_VERDICT)
        href = self._policy.without_ignored(target.href)
        verdict = self._verdicts.get(href)
        if verdict is None:
            reason = self._policy.reason(href)
            self._remember(href, NEW if reason is None else FIRST_REASON + REASONS.index(reason))
        if (
            key != href
            and 0 < len(key) <= LONGEST_REMEMBERED
            and key.isprintable()
            and href not in self.local
        ):
            self._verdicts[key] = href
        return href

    def _remember(self, href: str, verdict: int) -> str:
        """Return `href`, or the beginning of what is no URL that can be fetched."""
        if verdict in (SCHEME_VERDICT, INVALID_VERDICT):
            href = href[:MAX_LENGTH]
        if len(href) <= LONGEST_REMEMBERED and len(self._verdicts) < MAX_REMEMBERED:
            self._verdicts[href] = verdict
        else:
            self.local[href] = verdict
            self._bytes += len(href)
        return href


_SPECIAL = frozenset(("", " ", "?", "/", "\\"))
