"""Scope: which URLs belong to a crawl, measured from its start URLs. Pure; a URL takes the same time however
many hosts there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fetchpool.model.crawl_rules import ScopeKind
from fetchpool.model.errors import UsageError
from fetchpool.model.urls import is_address, origin

DEFAULT_PORTS = (":80", ":443")
NEEDS_LIST = "--scope domain needs publicsuffixlist: pip install 'fetchpool[domain]'"
MAX_DOMAINS = 10_000
"""Maximum number of hosts whose domains are cached."""


class Scope:
    """The URLs of a crawl. All URLs are normalised. Raises `UsageError` if `--scope domain` lacks its
    library."""

    def __init__(self, kind: ScopeKind, starts: Iterable[str] = ()) -> None:
        self._kind = kind
        self._known: set[str] = set()
        self._directories: dict[str, tuple[str, ...]] = {}
        self._domain = Domains() if kind is ScopeKind.DOMAIN else None
        for href in starts:
            self.add(href)

    @property
    def has_paths(self) -> bool:
        """Whether one origin can have URLs both inside and outside the scope."""
        return self._kind is ScopeKind.PREFIX

    def add(self, href: str) -> bool:
        """Add a start URL; return whether it extends the scope."""
        key = self._key(href)
        if self._kind is ScopeKind.PREFIX:
            prefix = directory(href)
            prefixes = self._directories.get(key, ())
            if prefix.startswith(prefixes):  # also if it is within an existing prefix
                return False
            self._directories[key] = (*prefixes, prefix)
            return True
        if key in self._known or self._kind is ScopeKind.ANY:
            return False
        self._known.add(key)
        return True

    def __contains__(self, href: str) -> bool:
        kind = self._kind
        if kind is ScopeKind.ANY:
            return True
        key = self._key(href)
        if kind is ScopeKind.PREFIX:
            return href[href.index("/", 8) :].startswith(self._directories.get(key, ()))
        return key in self._known

    def _key(self, href: str) -> str:
        if self._kind is ScopeKind.ORIGIN:
            return origin(href)
        if self._domain is not None:
            return self._domain(host(href))
        return site(href)


class Domains:
    """Registrable domains, by the Public Suffix List (extra `domain`)."""

    def __init__(self) -> None:
        try:
            from publicsuffixlist import PublicSuffixList
        except ImportError:
            raise UsageError(NEEDS_LIST) from None
        self._private_suffix: Callable[[str], str | None] = PublicSuffixList().privatesuffix
        self._cache: dict[str, str] = {}

    def __call__(self, host: str) -> str:
        """Return the domain of a host; an address or a public suffix is its own domain."""
        domain = self._cache.get(host)
        if domain is None:
            if len(self._cache) >= MAX_DOMAINS:
                self._cache.clear()
            domain = host if is_address(host) else self._private_suffix(host.rstrip(".")) or host
            self._cache[host] = domain
        return domain


def site(href: str) -> str:
    """Return host and port of a URL, without a default port: http and https are one site."""
    authority = href[href.index("/") + 2 : href.index("/", 8)]
    if authority.endswith(DEFAULT_PORTS):
        return authority[: authority.rindex(":")]
    return authority


def host(href: str) -> str:
    """Return the host of a URL, without the port."""
    authority = href[href.index("/") + 2 : href.index("/", 8)]
    if ":" in authority and authority[-1] != "]":
        return authority[: authority.rindex(":")]
    return authority


def directory(href: str) -> str:
    """Return the directory of a URL's path, with a slash at both ends."""
    path = href[href.index("/", 8) :].partition("?")[0]
    return path[: path.rindex("/") + 1]
