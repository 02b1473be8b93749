"""RobotsCache: the rules of each origin's `robots.txt` (RFC 9309).

In: the outcome of fetching a `robots.txt`. Out: whether a URL may be fetched, and the delay between two
requests. `robots_txt.py` parses the files; no I/O here.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

from msgspec import Struct

from fetchpool.model import urls
from fetchpool.model.derive import on_behalf_of
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.robots_txt import RobotsTxt

MAX_BYTES = 512 * 1024
"""Maximum number of bytes read of a file; RFC 9309 section 2.5 asks for at least 500 KiB."""
MAX_CACHED_BYTES = 64 << 20
"""Size of the cache of compressed files; the least recently used are fetched again."""
MAX_ORIGINS = 100_000
"""Number of cached files."""
MAX_PARSED = 5_000
"""Number of files whose parsed rules are cached."""
MAX_PARSED_PARTS = 200_000
"""Number of cached parts of these rules, which take about 30 MB."""
UNREADABLE_TTL = 60.0
"""Seconds for which a file that can't be fetched forbids everything."""
TOO_MANY = 429
FOREVER = float("inf")
MAX_CRAWL_DELAY = 60.0
"""Maximum of `Crawl-delay`, in seconds: a longer one could delay a list by weeks."""

NOT_CONNECTED = frozenset(
    (
        FailureKind.FORBIDDEN_ADDRESS,
        FailureKind.DNS,
        FailureKind.TIMEOUT_DNS,
        FailureKind.REFUSED,
        FailureKind.UNREACHABLE,
        FailureKind.TIMEOUT_CONNECT,
        FailureKind.TLS,
    )
)
"""Failures before a request is sent. The host's URLs would fail in the same way, and their rows say so."""


class RobotsFile(Struct, frozen=True):
    """A fetched `robots.txt`."""

    compressed: bytes
    """The text; empty if there are no rules."""
    refusal: str
    """Why nothing may be fetched, if the file could not be read."""
    until: float
    """When the file must be fetched again."""
    kind: FailureKind = FailureKind.ROBOTS
    """The `error` of URLs that may not be fetched: `robots`, or why their host can't be connected to;
    `forbidden_address` may be so only for requests that a public page has redirected to the host."""


class RobotsRules(Struct, frozen=True):
    """The rules of one origin."""

    parsed: RobotsTxt | None
    """None if the same rule applies to all URLs (`forbids_all`)."""
    forbids_all: bool = False
    crawl_delay: float = 0.0
    """Seconds between two starts."""
    kind: FailureKind = FailureKind.ROBOTS
    refusal: str = "disallowed by robots.txt"
    """The `errormsg` of URLs that may not be fetched."""


class RobotsCache:
    """The rules of the origins met so far, for one user agent. Files are stored compressed and parsed again
    when needed: a list may have more hosts than there is memory for parsed rules, and each file should be
    fetched once."""

    def __init__(self, user_agent: str, *, public_only: bool = False) -> None:
        """`user_agent`: the header; its product name selects the rules. `public_only`: no request may connect
        to an address that is not public."""
        self._agent = user_agent.split("/", 1)[0].strip() or "*"
        self._public_only = public_only
        self._files: OrderedDict[str, RobotsFile] = OrderedDict()
        self._cached_bytes = 0
        self._parsed: OrderedDict[str, RobotsRules] = OrderedDict()
        self._parsed_parts = 0

    def request_for(self, request: FetchRequest, urlnum: int) -> FetchRequest:
        """Return the request for the `robots.txt` that applies to a request."""
        return on_behalf_of(request, urlnum, f"{urls.origin(request.href)}/robots.txt", MAX_BYTES)

    def applies_to(self, robots_request: FetchRequest, request: FetchRequest) -> bool:
        """Whether the result of a request made by `request_for()` also applies to another request."""
        return urls.origin(robots_request.href) == urls.origin(request.href) and (
            robots_request.from_public == request.from_public or self._public_only
        )

    def rules_for(self, request: FetchRequest, now: float) -> RobotsRules | None:
        """Return the rules for a request; None if they must be fetched."""
        origin = urls.origin(request.href)
        file = self._files.get(origin)
        if file is None or file.until <= now:
            return None
        if file.kind is FailureKind.FORBIDDEN_ADDRESS and not (request.from_public or self._public_only):
            return None  # this request may connect to the host
        self._files.move_to_end(origin)
        rules = self._parsed.get(origin)
        if rules is None:
            rules = self._parsed[origin] = self._parse(file)
            self._parsed_parts += parts(rules)
            while len(self._parsed) > MAX_PARSED or (
                self._parsed_parts > MAX_PARSED_PARTS and len(self._parsed) > 1
            ):
                self._parsed_parts -= parts(self._parsed.popitem(last=False)[1])
        else:
            self._parsed.move_to_end(origin)
        return rules

    def allows(self, rules: RobotsRules, request: FetchRequest) -> bool:
        """Whether the URL may be fetched."""
        if rules.parsed is None:
            return not rules.forbids_all
        return rules.parsed.allows(request.href[len(urls.origin(request.href)) :])

    def add(self, robots_request: FetchRequest, outcome: Outcome, now: float) -> RobotsRules:
        """Store the outcome of a request made by `request_for()`. Return rules that forbid everything if the
        file could not be read, otherwise none: they are parsed when needed."""
        origin = urls.origin(robots_request.href)
        if (parsed := self._parsed.pop(origin, None)) is not None:
            self._parsed_parts -= parts(parsed)
        if (replaced := self._files.pop(origin, None)) is not None:
            self._cached_bytes -= len(replaced.compressed)
        file = self._files[origin] = to_file(outcome, now)
        self._cached_bytes += len(file.compressed)
        while self._cached_bytes > MAX_CACHED_BYTES or len(self._files) > MAX_ORIGINS:
            oldest, evicted = self._files.popitem(last=False)
            self._cached_bytes -= len(evicted.compressed)
            if (parsed := self._parsed.pop(oldest, None)) is not None:
                self._parsed_parts -= parts(parsed)
        return unparsed_rules(file)

    def _parse(self, file: RobotsFile) -> RobotsRules:
        if file.refusal or not file.compressed:
            return unparsed_rules(file)
        parsed = RobotsTxt(zlib.decompress(file.compressed), self._agent)
        return RobotsRules(parsed, crawl_delay=min(parsed.crawl_delay, MAX_CRAWL_DELAY))


def unparsed_rules(file: RobotsFile) -> RobotsRules:
    """Return rules that forbid everything if the file could not be read, otherwise none."""
    if file.refusal:
        return RobotsRules(None, forbids_all=True, kind=file.kind, refusal=file.refusal)
    return RobotsRules(None)


def parts(rules: RobotsRules) -> int:
    """Return the number of parts of parsed rules."""
    return 0 if rules.parsed is None else rules.parsed.num_parts


def to_file(outcome: Outcome, now: float) -> RobotsFile:
    """Turn a response into a file (RFC 9309 section 2.3.1)."""
    status = outcome.record.response_code
    if outcome.content and status is not None and 200 <= status < 300:
        return RobotsFile(zlib.compress(complete_lines(outcome.content)), "", FOREVER)
    if status is not None and 400 <= status < 500 and status != TOO_MANY:
        return RobotsFile(b"", "", FOREVER)  # no file: no rules (2.3.1.3)
    if outcome.record.error is None:
        return RobotsFile(b"", "", FOREVER)  # an empty file
    kind = next((kind for kind in NOT_CONNECTED if kind == outcome.record.error), None)
    if kind is not None and not outcome.record.num_redirects:
        return RobotsFile(b"", outcome.record.errormsg or "", now + UNREADABLE_TTL, kind)
    # Unreachable: everything is forbidden (2.3.1.4), until the file is fetched again.
    return RobotsFile(b"", f"cannot read robots.txt: {outcome.record.errormsg}", now + UNREADABLE_TTL)


def complete_lines(content: bytes) -> bytes:
    """Remove a last line that was cut at `MAX_BYTES`, since a partial rule would be a different rule."""
    if len(content) < MAX_BYTES:
        return content
    end = max(content.rfind(b"\n"), content.rfind(b"\r"))
    return content[:end] if end > 0 else content
