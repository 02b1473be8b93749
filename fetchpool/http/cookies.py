"""Handles cookies within one URL's chain of redirects (RFC 6265): a hop's cookies are sent on the next hops.

In: a redirect's `Set-Cookie` headers and the URL that sent them. Out: a tuple of cookies, which travels with
the request, and the `Cookie` header for another URL. Nothing is shared between URLs or outlives the attempt,
so expiry only matters for a cookie that the server deletes. Pure; linear in what a server sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from fetchpool.model import urls
from fetchpool.model.record import Cookie

MAX_COOKIES = 50
"""Maximum number of cookies of one chain, beyond which the oldest are dropped (RFC 6265 section 6.1 requires
as many per domain)."""
LONGEST = 4096
"""Maximum length of a cookie's name and value in characters (from the same section)."""
LONGEST_LINE = 8192
"""Maximum length of a `Set-Cookie` in characters; a longer one is ignored."""
LONGEST_HEADER = 8192
"""Maximum length of the `Cookie` header in characters, since most servers reject longer ones. The most
specific cookies come first."""
SECOND_LEVEL = frozenset(
    (
        *(
            "ac",
            "co",
            "com",
            "edu",
            "gob",
            "gov",
            "go",
            "gub",
            "id",
            "info",
            "int",
            "ltd",
            "me",
            "mil",
            "name",
        ),
        *("ne", "net", "nic", "nom", "or", "org", "plc", "sch", "web"),
    )
)
"""Labels under a country's domain that are public suffixes: `co.uk`, `com.au`, `or.jp`."""
SHARED = frozenset(
    (
        *(
            "appspot.com",
            "azureedge.net",
            "azurewebsites.net",
            "blogspot.com",
            "cloudapp.net",
            "cloudfront.net",
        ),
        *("deno.dev", "duckdns.org", "dyndns.org", "firebaseapp.com", "fly.dev", "github.io", "gitlab.io"),
        *(
            "glitch.me",
            "herokuapp.com",
            "myshopify.com",
            "netlify.app",
            "ngrok.io",
            "no-ip.org",
            "onrender.com",
        ),
        *(
            "pages.dev",
            "r2.dev",
            "readthedocs.io",
            "repl.co",
            "surge.sh",
            "vercel.app",
            "web.app",
            "webflow.io",
        ),
        *("weebly.com", "wixsite.com", "wordpress.com", "workers.dev"),
    )
)
"""Domains under which anyone can register a subdomain: the best known ones of publicsuffix.org."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t"


Cookies = tuple[Cookie, ...]


def learned(cookies: Cookies, lines: Iterable[str], href: str) -> Cookies:
    """Return the chain's cookies after a response of `href` with these `Set-Cookie` values."""
    kept = {(each.name, each.domain, each.host_only, each.path): each for each in cookies}
    for line in lines:
        cookie, expired = parsed(line, href)
        if cookie is None:
            continue
        key = (cookie.name, cookie.domain, cookie.host_only, cookie.path)
        kept.pop(key, None)
        if not expired:
            kept[key] = cookie
            if len(kept) > MAX_COOKIES:
                del kept[next(iter(kept))]
    return tuple(kept.values())


def merged(stored: Cookies, chain: Cookies) -> Cookies:
    """Return stored cookies and those of the chain, which replace stored ones with the same name, domain and
    path."""
    if not chain or not stored:
        return stored or chain
    newer = {(each.name, each.domain, each.host_only, each.path) for each in chain}
    kept = [each for each in stored if (each.name, each.domain, each.host_only, each.path) not in newer]
    return (*kept, *chain)


def add_cookies(
    headers: tuple[tuple[str, str], ...], cookies: Cookies, href: str
) -> tuple[tuple[str, str], ...]:
    """Return the request's headers with the chain's cookies for that URL. A `Cookie` that the user set
    comes first, except for cookies that the server has set again since."""
    scheme, host, path = _parts(href)
    fitting = [each for each in cookies if is_sent_to(each, scheme, host, path)]
    if not fitting:
        return headers
    fitting.sort(key=lambda each: -len(each.path))
    names = {each.name for each in fitting}
    given = [value for name, value in headers if name.lower() == "cookie"]
    pairs = [pair.strip() for value in given for pair in value.split(";")]
    pairs = [pair for pair in pairs if pair and pair.partition("=")[0].rstrip() not in names]
    free = LONGEST_HEADER
    for each in fitting:
        pair = f"{each.name}={each.value}"
        free -= len(pair) + 2
        if free < 0:
            break
        pairs.append(pair)
    rest = tuple(header for header in headers if header[0].lower() != "cookie")
    return (*rest, ("Cookie", "; ".join(pairs)))


def parsed(line: str, href: str) -> tuple[Cookie | None, bool]:
    """Return the cookie of a `Set-Cookie`, and whether it deletes the cookie (RFC 6265 sections 5.2 and 5.3).
    None if it is invalid, or if the server may not set it."""
    if len(line) > LONGEST_LINE or _CONTROL.search(line):
        return None, False
    pair, _, rest = line.partition(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(_BLANKS), value.strip(_BLANKS)
    if not equals or not name or len(name) + len(value) > LONGEST:
        return None, False
    domain = path = ""
    secure = expired = aged = False
    for attribute in rest.split(";"):
        key, _, said = attribute.partition("=")
        key, said = key.strip(_BLANKS).lower(), said.strip(_BLANKS)
        if key == "domain":
            domain = said.removeprefix(".").lower()
        elif key == "path":
            path = said if said.startswith("/") else ""
        elif key == "secure":
            secure = True
        elif key == "max-age" and re.fullmatch(r"-?[0-9]+", said):
            aged, expired = True, said.startswith("-") or not said.strip("0")
        elif key == "expires" and not aged:
            expired = _is_past(said)
    _, host, asked = _parts(href)
    if not domain or domain == host:
        host_only = not domain or urls.is_address(host) or is_shared(host)
        domain = host
    elif matches_domain(host, domain) and not is_shared(domain):
        host_only = False
    else:
        return None, False
    return Cookie(name, value, domain, host_only, path or default_path(asked), secure), expired


def is_sent_to(cookie: Cookie, scheme: str, host: str, path: str) -> bool:
    """Whether a cookie is sent to a URL (RFC 6265 section 5.4)."""
    if not (host == cookie.domain if cookie.host_only else matches_domain(host, cookie.domain)):
        return False
    return matches_path(path, cookie.path) and (scheme == "https" or not cookie.secure)


def matches_domain(host: str, domain: str) -> bool:
    """Whether a host is the domain or in it (RFC 6265 section 5.1.3)."""
    return host == domain or (host.endswith(f".{domain}") and not urls.is_address(host))


def matches_path(asked: str, path: str) -> bool:
    """Whether a path matches a cookie's (RFC 6265 section 5.1.4)."""
    return asked == path or (asked.startswith(path) and (path[-1] == "/" or asked[len(path)] == "/"))


def default_path(asked: str) -> str:
    """Return the default path of a cookie: the directory of the requested URL."""
    return asked[: asked.rindex("/")] or "/"


def is_shared(domain: str) -> bool:
    """Whether a domain is a public suffix, for which no cookies may be set. Only some are known here
    (publicsuffix.org lists ten thousand); a cookie for one is sent to no other host."""
    labels = domain.rstrip(".").split(".")
    if len(labels) < 2:
        return True
    if labels[-2:] == ["amazonaws", "com"]:  # at any depth
        return True
    if len(labels) == 2:
        country = len(labels[1]) == 2 or labels[1].startswith("xn--")
        return domain in SHARED or (country and (labels[0] in SECOND_LEVEL or len(labels[0]) <= 2))
    return False


def _parts(href: str) -> tuple[str, str, str]:
    """Return the scheme, host and path of a normalised URL."""
    scheme, _, rest = href.partition("://")
    authority, _, path = rest.partition("/")
    if ":" in authority and authority[-1] != "]":
        authority = authority[: authority.rindex(":")]
    return scheme, authority, "/" + path.partition("?")[0]


def _is_past(text: str) -> bool:
    """Whether an `Expires` is in the past; False for an unreadable one."""
    from email.utils import parsedate_to_datetime  # few servers send a date

    try:
        moment = parsedate_to_datetime(text[:100].replace("-", " "))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) <= datetime.now(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return False
