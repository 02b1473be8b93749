"""Stores cookies by the hosts that they are sent to: those of a cookie file, and those of a run with a cookie
jar. In: cookies, and `Set-Cookie` headers. Out: the cookies of a host, in time proportional to the number of
its labels. Pure, except that a jar is written when it is closed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import time

from fetchpool.config.cookie_file import cookie_file
from fetchpool.http import cookies
from fetchpool.model import urls
from fetchpool.model.errors import OutputError
from fetchpool.model.record import Cookie

MOST_PER_DOMAIN = 50
MOST_DOMAINS = 20_000
"""Maximum numbers, beyond which the oldest are dropped."""
_MAX_AGE = re.compile(r";[ \t]*max-age[ \t]*=[ \t]*([0-9]{1,12})[ \t]*(?:;|$)", re.IGNORECASE)
_EXPIRES = re.compile(r";[ \t]*expires[ \t]*=([^;]{1,60})", re.IGNORECASE)

Key = tuple[str, str, bool]


class CookieStore:
    """Cookies by domain."""

    def __init__(self, stored: Iterable[tuple[Cookie, float]] = ()) -> None:
        """`stored`: cookies with their expiry (0: the end of the session)."""
        self._domains: dict[str, dict[Key, tuple[Cookie, float]]] = {}
        for cookie, expires in stored:
            self.add(cookie, expires)

    def add(self, cookie: Cookie, expires: float = 0.0) -> None:
        """Add a cookie, or replace the one with its name, domain and path."""
        domain = self._domains.setdefault(cookie.domain, {})
        domain.pop(_key(cookie), None)
        domain[_key(cookie)] = (cookie, expires)
        if len(domain) > MOST_PER_DOMAIN:
            del domain[next(iter(domain))]
        if len(self._domains) > MOST_DOMAINS:
            del self._domains[next(iter(self._domains))]

    def remove(self, cookie: Cookie) -> None:
        """Remove the cookie with this name, domain and path."""
        self._domains.get(cookie.domain, {}).pop(_key(cookie), None)

    def of_host(self, host: str) -> tuple[Cookie, ...]:
        """Return the cookies for a host, whatever the path."""
        if not self._domains:
            return ()
        found: list[Cookie] = []
        domain = host
        while domain:
            for cookie, _ in self._domains.get(domain, {}).values():
                if domain == host or not cookie.host_only:
                    found.append(cookie)
            if urls.is_address(host):
                break
            domain = domain.partition(".")[2]
        return tuple(found)

    def items(self) -> list[tuple[Cookie, float]]:
        """Return all cookies with their expiry."""
        return [each for domain in self._domains.values() for each in domain.values()]


class CookieJar(CookieStore):
    """The cookies that all URLs of a run share (`--cookie-jar`). Only the engine's thread uses it."""

    def __init__(self, path: str, stored: Iterable[tuple[Cookie, float]] = ()) -> None:
        super().__init__(stored)
        self._path = path

    def learn(self, received: str) -> None:
        """Add the cookies of `Outcome.set_cookies`."""
        for line in received.split("\n"):
            href, _, header = line.partition(" ")
            cookie, expired = cookies.parsed(header, href)
            if cookie is None:
                continue
            if expired:
                self.remove(cookie)
            else:
                self.add(cookie, expiry(header))

    def close(self) -> None:
        """Replace the file atomically. Raises `OutputError`."""
        path = Path(self._path)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        text = cookie_file(self.items()).encode("utf-8", "surrogateescape")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # secrets
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise OutputError(f"--cookie-jar: {self._path}: {error.strerror}") from None


def _key(cookie: Cookie) -> Key:
    return cookie.name, cookie.path, cookie.host_only


def expiry(line: str) -> float:
    """Return when a `Set-Cookie` expires; 0 for the end of the session."""
    if aged := _MAX_AGE.search(line):
        return time() + int(aged[1])
    if dated := _EXPIRES.search(line):
        from email.utils import parsedate_to_datetime  # few servers send a date

        with suppress(ValueError, TypeError, OverflowError, IndexError):
            return parsedate_to_datetime(dated[1].strip().replace("-", " ")).timestamp()
    return 0.0
