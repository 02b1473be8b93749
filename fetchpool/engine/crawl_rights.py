"""Decides what the requests of a crawl may do: whose credentials they carry, and which addresses they reach.

In: start URLs, and lines of the frontier with the page on which they were found. Out: requests that may do no
more than a redirect from that page could, since its author is not the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from fetchpool.history.frontier_line import FrontierLine
from fetchpool.model import urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.discovery import LinkKind
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest

HEAD = "HEAD"


class CrawlRights:
    """Grants rights to the requests of a crawl."""

    def __init__(self, starts: Sequence[FetchRequest], sitemaps: Sequence[str], *, has_proxy: bool) -> None:
        self._has_proxy = has_proxy
        self._origins: set[str] = set()
        """The origins named by the user: requests to them carry the user's credentials and headers."""
        self._credentials: dict[str, str] = {}
        """The credentials in start URLs, by origin."""
        self._moved: dict[str, str] = {}
        """The target of a start URL's redirect, by host."""
        for href in sitemaps:
            self._trust(href)
        for start in starts:
            if start.error is None:
                self._trust(start.href)
                if start.credentials:
                    self._credentials[urls.origin(start.href)] = start.credentials

    def grant(self, request: FetchRequest, line: FrontierLine) -> FetchRequest:
        """Return the request of a line with the rights that a redirect from its page would have."""
        if request.error is not None:
            return request
        origin = urls.origin(request.href)
        discovery = request.discovery
        if discovery is not None and request.host in self._moved:
            discovery = replace(discovery, moved_to=self._moved[request.host])
        is_external = line.kind is LinkKind.EXTERNAL
        return replace(
            request,
            method=HEAD if is_external else "",
            credentials=self._credentials.get(origin, ""),
            crossed_origin=origin not in self._origins,
            from_public=line.found_on is not None and not line.local,
            discovery=discovery,
        )

    def move(self, href: str) -> bool:
        """Trust the target of a start URL's redirect; return whether its host is new."""
        url = urls.parse(href)
        if not isinstance(url, urls.Url) or url.host in self._moved:
            return False
        self._moved[url.host] = href
        self._trust(href)
        return True

    def is_local(self, request: FetchRequest, record: Record) -> bool:
        """Whether a page has a private address, so that its links may lead to other private addresses."""
        if request.from_public:
            return False
        if self._has_proxy:
            return urls.is_address(request.host) and not address_is_public(request.host.strip("[]"))
        return record.remote_ip is not None and not _is_public(record.remote_ip)

    def _trust(self, href: str) -> None:
        """Treat an origin as named by the user, together with the same site over https."""
        origin = urls.origin(href)
        self._origins.add(origin)
        if origin.startswith("http://") and urls.authority(href) == f"{origin.removeprefix('http://')}:80":
            self._origins.add(f"https{origin.removeprefix('http')}")


_is_public = lru_cache(1_000)(address_is_public)  # a site has few addresses


def is_same_site(before: str, after: str) -> bool:
    """Whether a redirect changes only the scheme, the default port or `www.` of the host."""
    return _site(before) == _site(after)


def _site(href: str) -> str:
    host, _, port = urls.authority(href).rpartition(":")
    return host.removeprefix("www.") + ("" if port in ("80", "443") else f":{port}")
