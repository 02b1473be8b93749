"""`robots.txt` (RFC 9309): what its owner asks of a program like this one.

In: what came of fetching an origin's `robots.txt`. Out: whether a URL may be fetched, and how long to
wait between two. What the words mean is `robots_txt.py`'s to say; no I/O here.
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

MOST = 512 * 1024
"""Bytes that are read of one; RFC 9309 section 2.5 asks for 500 KiB at least."""
KEPT = 64 << 20
"""Bytes of compressed texts that are remembered; the least recently used are asked for again."""
ORIGINS = 100_000
PARSED = 5_000
"""Texts whose rules are held parsed,"""
PIECES = 200_000
"""and of how many pieces they may be together, some 30 MB."""
WORST = 60.0
"""Seconds that one which can't be read forbids everything."""
TOO_MANY = 429
FOREVER = float("inf")
MAX_CRAWL_DELAY = 60.0
"""Seconds: a longer `Crawl-delay` is taken for this much, or one host would hold up a list for weeks."""


class RobotsFile(Struct, frozen=True):
    """What came of one `robots.txt`."""

    compressed: bytes
    """Empty: it asks for nothing."""
    refusal: str
    """Why nothing may be fetched, when it can't be read."""
    until: float
    """When it is to be asked for again."""
    kind: FailureKind = FailureKind.ROBOTS
    """What a refused URL's row says. `forbidden_address`: this host may not be asked for anything, by those
    who came from a public one."""


class RobotsRules(Struct, frozen=True):
    """What one origin asks for."""

    parsed: RobotsTxt | None
    """None: the same for every URL (`forbids_all`)."""
    forbids_all: bool = False
    crawl_delay: float = 0.0
    """Seconds between two starts."""
    kind: FailureKind = FailureKind.ROBOTS
    refusal: str = "robots.txt asks not to"
    """What a refused URL's row says."""


class RobotsCache:
    """The rules of the origins met so far, for one user agent.

    Texts are kept compressed and parsed again when they are needed: a list may have more hosts than
    their parsed rules have room for, and each is to be asked once."""

    def __init__(self, user_agent: str, *, public_only: bool = False) -> None:
        """`user_agent`: what is sent; its product name is what rules are matched with. `public_only`: what
        a redirect from a public address may not reach, nothing may."""
        self._agent = user_agent.split("/", 1)[0].strip() or "*"
        self._public_only = public_only
        self._texts: OrderedDict[str, RobotsFile] = OrderedDict()
        self._octets = 0
        self._parsed: OrderedDict[str, RobotsRules] = OrderedDict()
        self._pieces = 0

    def request_for(self, request: FetchRequest, urlnum: int) -> FetchRequest:
        """The request for the `robots.txt` that speaks of this one."""
        return on_behalf_of(request, urlnum, f"{urls.origin(request.href)}/robots.txt", MOST)

    def speaks_of(self, asked: FetchRequest, request: FetchRequest) -> bool:
        """Whether what `request_for()` was asked for says something of another request, too."""
        return urls.origin(asked.href) == urls.origin(request.href) and (
            asked.from_public == request.from_public or self._public_only
        )

    def rules_for(self, request: FetchRequest, now: float) -> RobotsRules | None:
        """None: they are not known yet, or no more."""
        origin = urls.origin(request.href)
        text = self._texts.get(origin)
        if text is None or text.until <= now:
            return None
        if text.kind is FailureKind.FORBIDDEN_ADDRESS and not (request.from_public or self._public_only):
            return None  # it is for this one to ask
        self._texts.move_to_end(origin)
        rules = self._parsed.get(origin)
        if rules is None:
            rules = self._parsed[origin] = self._parse(text)
            self._pieces += weight(rules)
            while len(self._parsed) > PARSED or (self._pieces > PIECES and len(self._parsed) > 1):
                self._pieces -= weight(self._parsed.popitem(last=False)[1])
        else:
            self._parsed.move_to_end(origin)
        return rules

    def allows(self, rules: RobotsRules, request: FetchRequest) -> bool:
        """Whether the URL may be fetched."""
        if rules.parsed is None:
            return not rules.forbids_all
        return rules.parsed.allows(request.href[len(urls.origin(request.href)) :])

    def learn(self, asked: FetchRequest, outcome: Outcome, now: float) -> RobotsRules:
        """Keeps what came of `request_for()`. Returns what it says to all requests alike; its words are read
        when they are needed."""
        origin = urls.origin(asked.href)
        if (known := self._parsed.pop(origin, None)) is not None:
            self._pieces -= weight(known)
        if (before := self._texts.pop(origin, None)) is not None:
            self._octets -= len(before.compressed)
        text = self._texts[origin] = read(outcome, now)
        self._octets += len(text.compressed)
        while self._octets > KEPT or len(self._texts) > ORIGINS:
            oldest, forgotten = self._texts.popitem(last=False)
            self._octets -= len(forgotten.compressed)
            if (known := self._parsed.pop(oldest, None)) is not None:
                self._pieces -= weight(known)
        return common(text)

    def _parse(self, text: RobotsFile) -> RobotsRules:
        if text.refusal or not text.compressed:
            return common(text)
        parsed = RobotsTxt(zlib.decompress(text.compressed), self._agent)
        return RobotsRules(parsed, crawl_delay=min(parsed.crawl_delay, MAX_CRAWL_DELAY))


def common(text: RobotsFile) -> RobotsRules:
    """What is the same for every URL."""
    if text.refusal:
        return RobotsRules(None, forbids_all=True, kind=text.kind, refusal=text.refusal)
    return RobotsRules(None)


def weight(rules: RobotsRules) -> int:
    """Pieces that are held of them."""
    return 0 if rules.parsed is None else rules.parsed.weight


def read(outcome: Outcome, now: float) -> RobotsFile:
    """What an answer says, before its words are read (RFC 9309 section 2.3.1)."""
    status = outcome.record.response_code
    if outcome.content and status is not None and 200 <= status < 300:
        return RobotsFile(zlib.compress(whole_lines(outcome.content)), "", FOREVER)  # all of it that counts
    if status is not None and 400 <= status < 500 and status != TOO_MANY:
        return RobotsFile(b"", "", FOREVER)  # there is none (2.3.1.3)
    if outcome.record.error is None:
        return RobotsFile(b"", "", FOREVER)  # an empty one
    if outcome.record.error == FailureKind.FORBIDDEN_ADDRESS and not outcome.record.num_redirects:
        return RobotsFile(b"", outcome.record.errormsg or "", now + WORST, FailureKind.FORBIDDEN_ADDRESS)
    # It can't be had: assume the worst (2.3.1.4), and ask again before long.
    return RobotsFile(b"", f"robots.txt can't be read: {outcome.record.errormsg}", now + WORST)


def whole_lines(content: bytes) -> bytes:
    """Without a line that was cut where the reading ended: half a rule would say something else."""
    if len(content) < MOST:
        return content
    end = max(content.rfind(b"\n"), content.rfind(b"\r"))
    return content[:end] if end > 0 else content
