"""`robots.txt` (RFC 9309): what its owner asks of a program like this one.

In: what came of fetching an origin's `robots.txt`. Out: whether a URL may be fetched, and how long to
wait between two. The reading of the rules is protego's; no I/O here.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

from msgspec import Struct
from protego import Protego

from fetchpool import urls
from fetchpool.model import FetchRequest, Outcome

MOST = 512 * 1024
"""Bytes that are read of one; RFC 9309 section 2.5 asks for 500 KiB at least."""
KEPT = 64 << 20
"""Bytes of compressed texts that are remembered; the least recently used are asked for again."""
ORIGINS = 100_000
PARSED = 500
"""Texts whose rules are held parsed."""
WORST = 60.0
"""Seconds that one which can't be read forbids everything."""
TOO_MANY = 429
FOREVER = float("inf")
MAX_CRAWL_DELAY = 60.0
"""Seconds: a longer `Crawl-delay` is taken for this much, or one host would hold up a list for weeks."""


class Text(Struct, frozen=True):
    """What came of one `robots.txt`."""

    compressed: bytes
    """Empty: it asks for nothing."""
    refusal: str
    """Why nothing may be fetched, when it can't be read."""
    until: float
    """When it is to be asked for again."""


class Rules(Struct, frozen=True):
    """What one origin asks for."""

    parsed: Protego | None
    """None: the same for every URL (`otherwise`)."""
    otherwise: bool = True
    crawl_delay: float = 0.0
    """Seconds between two starts."""
    refusal: str = ""
    """What a refused URL's row says."""


class Robots:
    """The rules of the origins met so far, for one user agent.

    Texts are kept compressed and parsed again when they are needed: a list may have more hosts than
    their parsed rules have room for, and each is to be asked once."""

    def __init__(self, user_agent: str) -> None:
        """`user_agent`: what is sent; its product name is what rules are matched with."""
        self._agent = user_agent.split("/", 1)[0].strip() or "*"
        self._texts: OrderedDict[str, Text] = OrderedDict()
        self._octets = 0
        self._parsed: OrderedDict[str, Rules] = OrderedDict()

    def request_for(self, request: FetchRequest, urlnum: int) -> FetchRequest:
        """The request for the `robots.txt` that speaks of this one."""
        href = f"{urls.origin(request.href)}/robots.txt"
        return FetchRequest(
            urlnum, href, href, request.host, method="GET", addresses=request.addresses, keep=MOST
        )

    def rules_for(self, request: FetchRequest, now: float) -> Rules | None:
        """None: they are not known yet, or no more."""
        origin = urls.origin(request.href)
        text = self._texts.get(origin)
        if text is None or text.until <= now:
            return None
        self._texts.move_to_end(origin)
        rules = self._parsed.get(origin)
        if rules is None:
            rules = self._parsed[origin] = self._parse(text)
            if len(self._parsed) > PARSED:
                self._parsed.popitem(last=False)
        return rules

    def allows(self, rules: Rules, request: FetchRequest) -> bool:
        """Whether the URL may be fetched."""
        if rules.parsed is None:
            return rules.otherwise
        return bool(rules.parsed.can_fetch(request.href, self._agent))

    def learn(self, request: FetchRequest, outcome: Outcome, now: float) -> None:
        """Keeps what came of `request_for()`."""
        origin = urls.origin(request.href)
        self._parsed.pop(origin, None)
        if (before := self._texts.pop(origin, None)) is not None:
            self._octets -= len(before.compressed)
        text = self._texts[origin] = read(outcome, now)
        self._octets += len(text.compressed)
        while self._octets > KEPT or len(self._texts) > ORIGINS:
            _, oldest = self._texts.popitem(last=False)
            self._octets -= len(oldest.compressed)

    def _parse(self, text: Text) -> Rules:
        if text.refusal or not text.compressed:
            return Rules(None, otherwise=not text.refusal, refusal=text.refusal)
        parsed = Protego.parse(zlib.decompress(text.compressed).decode("utf-8", "replace"))
        delay = float(parsed.crawl_delay(self._agent) or 0.0)
        return Rules(
            parsed, crawl_delay=min(max(delay, 0.0), MAX_CRAWL_DELAY), refusal="robots.txt asks not to"
        )


def read(outcome: Outcome, now: float) -> Text:
    """What an answer says, before its words are read (RFC 9309 section 2.3.1)."""
    status = outcome.response_code
    if outcome.content and status is not None and 200 <= status < 300:
        return Text(zlib.compress(outcome.content), "", FOREVER)  # whole, or all of it that counts
    if status is not None and 400 <= status < 500 and status != TOO_MANY:
        return Text(b"", "", FOREVER)  # there is none (2.3.1.3)
    if outcome.error is None:
        return Text(b"", "", FOREVER)  # an empty one
    # It can't be had: assume the worst (2.3.1.4), and ask again before long.
    return Text(b"", f"robots.txt can't be read: {outcome.errormsg}", now + WORST)
