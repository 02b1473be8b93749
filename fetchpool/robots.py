"""`robots.txt` (RFC 9309): what its owner asks of a program like this one.

In: what came of fetching an origin's `robots.txt`. Out: whether a URL may be fetched, and how long to
wait between two. The reading of the rules is protego's; no I/O here.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct
from protego import Protego

from fetchpool import urls
from fetchpool.model import FetchRequest, Outcome

MOST = 512 * 1024
"""Bytes that are read of one; RFC 9309 section 2.5 asks for 500 KiB at least."""
ORIGINS = 1_000
"""Origins remembered; the least recently used are asked again."""
MAX_CRAWL_DELAY = 60.0
"""Seconds: a longer `Crawl-delay` is taken for this much, or one host would hold up a list for weeks."""


class Rules(Struct, frozen=True):
    """What one origin asks for."""

    parsed: Protego | None
    """None: the same for every URL (`otherwise`)."""
    otherwise: bool = True
    crawl_delay: float = 0.0
    """Seconds between two starts."""
    refusal: str = "robots.txt asks not to"
    """What a refused URL's row says."""


class Robots:
    """The rules of the origins met so far, for one user agent."""

    def __init__(self, user_agent: str) -> None:
        """`user_agent`: what is sent; its product name is what rules are matched with."""
        self._agent = user_agent.split("/", 1)[0].strip() or "*"
        self._rules: OrderedDict[str, Rules] = OrderedDict()

    def request_for(self, request: FetchRequest, urlnum: int) -> FetchRequest:
        """The request for the `robots.txt` that speaks of this one."""
        href = f"{urls.origin(request.href)}/robots.txt"
        return FetchRequest(
            urlnum, href, href, request.host, method="GET", addresses=request.addresses, keep=MOST
        )

    def rules_for(self, request: FetchRequest) -> Rules | None:
        """None: they are not known yet."""
        origin = urls.origin(request.href)
        rules = self._rules.get(origin)
        if rules is not None:
            self._rules.move_to_end(origin)
        return rules

    def allows(self, rules: Rules, request: FetchRequest) -> bool:
        """Whether the URL may be fetched."""
        if rules.parsed is None:
            return rules.otherwise
        return bool(rules.parsed.can_fetch(request.href, self._agent))

    def learn(self, request: FetchRequest, outcome: Outcome) -> Rules:
        """Reads what came of `request_for()`."""
        rules = self._read(outcome)
        self._rules[urls.origin(request.href)] = rules
        if len(self._rules) > ORIGINS:
            self._rules.popitem(last=False)
        return rules

    def _read(self, outcome: Outcome) -> Rules:
        status = outcome.response_code
        if status is not None and status >= 500:
            # RFC 9309 section 2.3.1.4: assume the worst.
            refusal = f"robots.txt can't be read: the server answered {status}"
            return Rules(None, otherwise=False, refusal=refusal)
        if outcome.error is not None or status is None or not 200 <= status < 300:
            # There is none (section 2.3.1.3). Or nothing answers there: the URLs' own attempts will
            # say better than `robots` why.
            return Rules(None)
        parsed = Protego.parse(outcome.content.decode("utf-8", "replace"))
        delay = parsed.crawl_delay(self._agent) or 0.0
        return Rules(parsed, crawl_delay=min(max(float(delay), 0.0), MAX_CRAWL_DELAY))
