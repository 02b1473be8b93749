"""Crawl: the part of the engine that follows links. Links become lines of the frontier, which is the source
of the run.

In: completed attempts with the links that a worker has found, and `robots.txt` files. Out: new lines in the
frontier, before the page's row is written, and counts of the links that were not followed. Only the engine's
thread calls it.

    page completed ──links──▶ new ones (each once) ──▶ frontier file ──▶ row written
                                                            │
    next pages ◀── scheduler ◀── reader ◀──────take()───────┘

A page is in flight until its links are in the frontier, so the run has ended when nothing is in flight and
the frontier has nothing left: no other check is needed. A run that was killed in between has no row of the
page, and fetches it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.crawl.page_links import PageLinks, decode_links
from fetchpool.crawl.policy import LinkPolicy
from fetchpool.engine.crawl_rights import CrawlRights, is_same_site
from fetchpool.engine.observers import Observer
from fetchpool.engine.stats import Stats
from fetchpool.engine.url_patterns import UrlPatterns
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier import Frontier
from fetchpool.history.frontier_line import FrontierLine
from fetchpool.http.sitemap_links import SitemapLinks, decode_sitemap
from fetchpool.model import derive, urls
from fetchpool.model.crawl_rules import CrawlRules, Reason
from fetchpool.model.discovery import Discovery, LinkKind
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import from_request
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.request import FetchRequest

if TYPE_CHECKING:  # loaded only with --links
    from fetchpool.engine.link_log import LinkLog

PIECE = 1 << 16
"""Bytes of URLs that are processed at once."""
MAX_NESTING = 4
"""Maximum nesting of sitemap indexes. The protocol allows one level, and some sites have two."""
UNSCOPED = (LinkKind.SITEMAP, LinkKind.REQUISITE)
"""Kinds of URLs whose redirects may leave the scope, since they may be outside the scope themselves."""
HEAD = "HEAD"
UTF8_MARK = b"\xef\xbb\xbf"
SITEMAP = b"sitemap:"
"""The start of a robots.txt line that lists a sitemap, in lower case."""


class CrawlResult(Struct, frozen=True):
    """The URLs and links that a crawl left out, and why."""

    left: int
    """Number of URLs found but not fetched because `--max-pages` was reached."""
    not_followed: dict[str, int]
    """Number of links that were not followed, by reason."""
    disallowed: int
    """Number of pages that robots.txt disallows, not counting start URLs. They are not failures."""


class Crawl(Observer):
    """The part of the engine that follows links."""

    def __init__(
        self,
        frontier: Frontier,
        known: DuplicateFilter,
        rules: CrawlRules,
        starts: Sequence[FetchRequest],
        *,
        sitemaps: Sequence[str] = (),
        reads_sitemaps: bool = False,
        max_per_pattern: int | None = None,
        has_proxy: bool = False,
        max_redirs: int = 10,
        log: LinkLog | None = None,
    ) -> None:
        """`starts`: the start URLs. `sitemaps`: the URLs of sitemaps given by the user. `reads_sitemaps`:
        also read the sitemaps listed in robots.txt. `log`: the outputs of links, if there are any."""
        self._log = log
        self._checks_external = rules.check_external
        self._frontier = frontier
        self._known = known
        self._policy = LinkPolicy(rules)
        self._starts = starts
        self._sitemaps = sitemaps
        self._reads_sitemaps = reads_sitemaps
        self._max_redirs = max_redirs
        self._notify: Callable[[str], None] = lambda _: None
        self._patterns = UrlPatterns(max_per_pattern)
        self._not_followed: Counter[str] = Counter()
        self._disallowed = 0
        self._rights = CrawlRights(starts, sitemaps, has_proxy=has_proxy)
        frontier.with_rights = self._rights.grant
        frontier.is_allowed = self._is_allowed
        frontier.select = self._select
        if max_per_pattern is not None:
            frontier.count_stored = self._patterns.count

    # What is in the frontier

    def begin(self, stats: Stats) -> bool:
        """Read further lines of earlier runs, whose rows must be loaded, and return True. After the last of
        them, append the new start URLs and return False."""

        def count(ok: int, failed: list[StoredRow]) -> None:
            stats.add_earlier_ok(ok)
            stats.add_earlier(failed)

        if self._frontier.load(count):
            return True
        for start in self._starts:
            if start.error is None:
                self._frontier.add([start.href.encode()], FrontierLine("", depth=0, start=True))
            elif self._known.claim(from_request(start), 0):
                self._frontier.reject(start)
        shared = FrontierLine("", depth=0, kind=LinkKind.SITEMAP)
        self._frontier.add([href.encode() for href in self._sitemaps], shared)
        self._starts = self._sitemaps = ()
        return False

    def _select(self, hrefs: list[bytes]) -> list[bytes]:
        """Return the new URLs that are within the limits."""
        if notice := self._patterns.notice(hrefs):
            self._notify(notice)
        return self._patterns.select(hrefs)

    def _is_allowed(self, line: FrontierLine) -> bool:
        """Whether the rules of this run allow a line of an earlier run."""
        if line.start:
            if line.found_on is not None:
                self._move(line.url)
            return True
        return line.kind is not LinkKind.PAGE or not self._policy.reason(line.url)

    # Links

    def take_links(self, request: FetchRequest, outcome: Outcome) -> None:
        """Append the URLs that a completed attempt leads to."""
        discovery = request.discovery
        if discovery is None or request.urlnum < 0:
            return
        target = outcome.record.extra.get("redirect_url")
        if target is not None:
            target = self._policy.without_ignored(target.partition("#")[0])
            self._add_redirect(request, discovery, outcome.record, target)
        if outcome.links:
            found = FrontierLine(
                "",
                depth=discovery.depth + 1,
                found_on=request.href,
                local=self._rights.is_local(request, outcome.record),
            )
            if discovery.kind is LinkKind.SITEMAP:
                self._add_entries(discovery, decode_sitemap(outcome.links), found)
            else:
                self._add_links(decode_links(outcome.links), found)

    def _add_links(self, links: PageLinks, found: FrontierLine) -> None:
        """Append the links of a page. `found`: how they were found."""
        self._count(links.not_followed, found)
        if links.urls:
            shared = replace(found, page_hash=links.body_hash.hex())
            self._add(links.urls, shared)
        if links.requisites:
            self._add(links.requisites, replace(found, kind=LinkKind.REQUISITE))
        if links.external:
            # They get the page's own depth: they are checked at any depth, and their links are not followed.
            self._add(links.external, replace(found, depth=found.depth - 1, kind=LinkKind.EXTERNAL))

    def _add_entries(self, sitemap: Discovery, links: SitemapLinks, found: FrontierLine) -> None:
        """Append the entries of a sitemap, which have depth 1 however many indexes are in between."""
        self._count(links.not_followed, found)
        if links.urls:
            self._add(links.urls, found)
        if links.sitemaps:
            if sitemap.nesting == MAX_NESTING:
                self._not_followed[Reason.TOO_MANY] += links.sitemaps.count(b"\n") + 1
                return
            shared = replace(found, depth=sitemap.depth, kind=LinkKind.SITEMAP, nesting=sitemap.nesting + 1)
            self._add(links.sitemaps, shared)

    def _count(self, not_followed: dict[str, int], found: FrontierLine) -> None:
        """Count links that are not followed, and report the first of each kind that look endless."""
        for reason, number in not_followed.items():
            if reason.startswith("trap") and reason not in self._not_followed:
                self._notify(
                    f"links on {found.found_on} look endless ({reason}) and are not followed; "
                    "--no-trap-guard follows them"
                )
            self._not_followed[reason] += number

    def _add(self, hrefs: bytes, shared: FrontierLine) -> None:
        """Append URLs, joined by line feeds, that were found in the same way. They are split in pieces, since
        a page may have very many."""
        start = 0
        while start < len(hrefs):
            end = hrefs.find(b"\n", start + PIECE) if len(hrefs) - start > PIECE else -1
            piece = hrefs[start:] if end < 0 else hrefs[start:end]
            self._frontier.add(piece.split(b"\n"), shared)
            start += len(piece) + 1

    def log_links(self, request: FetchRequest, outcome: Outcome) -> None:
        """Write the links of a page to the outputs of links, if there are any. `outcome`: the final one."""
        discovery = request.discovery
        if self._log is None or discovery is None or not outcome.links:
            return
        if discovery.kind is LinkKind.PAGE:
            self._log.add(request.href, discovery.depth, decode_links(outcome.links), outcome)

    def _add_redirect(self, request: FetchRequest, discovery: Discovery, record: Record, target: str) -> None:
        if request.num_redirects >= self._max_redirs:
            self._not_followed[Reason.TOO_MANY] += 1
            return
        is_start = discovery.is_start and is_same_site(request.href, target)
        if is_start:
            self._move(target)
        kind = discovery.kind
        reason = None if kind in UNSCOPED else self._policy.reason(target)
        if kind is LinkKind.EXTERNAL:
            kind = LinkKind.PAGE  # if it leads back into the scope
        if reason is not None and discovery.is_start:
            self._notify(
                f"{request.href} redirects to {target}, which is outside the scope; to crawl that site, "
                "start there"
            )
        if reason is Reason.SCOPE and self._checks_external:
            kind, reason = LinkKind.EXTERNAL, None
        if reason is not None:
            self._not_followed[reason] += 1
            return
        shared = FrontierLine(
            "",
            depth=discovery.depth,
            found_on=request.href,
            kind=kind,
            nesting=discovery.nesting,
            start=is_start,
            local=self._rights.is_local(request, record),
            num_redirects=request.num_redirects + 1,
        )
        self._frontier.add_redirect(target.encode(), shared)

    def _move(self, href: str) -> None:
        """Extend the scope by the target of a start URL's redirect."""
        if self._rights.move(href):
            self._policy.scope.add(href)

    def read_robots(self, request: FetchRequest, outcome: Outcome) -> None:
        """Append the sitemaps that a `robots.txt` lists. `request`: the original request for the file."""
        discovery = request.discovery
        if not self._reads_sitemaps or discovery is None or outcome.record.error is not None:
            return
        if discovery.kind is LinkKind.EXTERNAL:
            return
        found: list[bytes] = []
        for line in outcome.content.removeprefix(UTF8_MARK).splitlines():
            line = line.strip()
            if line[: len(SITEMAP)].lower() == SITEMAP:
                url = urls.parse(line[len(SITEMAP) :].strip().decode("utf-8", "replace"), request.href)
                if isinstance(url, urls.Url):
                    found.append(url.href.encode())
        shared = FrontierLine(
            "",
            depth=discovery.depth,
            found_on=request.href,
            kind=LinkKind.SITEMAP,
            local=self._rights.is_local(request, outcome.record),
        )
        self._frontier.add(found, shared)

    def other_attempt(self, request: FetchRequest, outcome: Outcome) -> FetchRequest | None:
        """Return the request that follows a failed HEAD for an external link: some servers support only
        GET."""
        discovery = request.discovery
        if discovery is None or discovery.kind is not LinkKind.EXTERNAL or request.method != HEAD:
            return None
        error = outcome.record.error
        if error is None or (isinstance(error, FailureKind) and error.is_before_request):
            return None
        return derive.with_method(request, "GET")

    def connect(self, is_idle: Callable[[], bool], notify: Callable[[str], None]) -> None:
        """Set the function that says whether no request is in flight or queued, and the function that shows a
        notice."""
        self._frontier.is_idle = is_idle
        self._notify = notify

    # Counts

    def on_records(self, records: list[Record]) -> None:
        for record in records:
            if record.error == FailureKind.ROBOTS and record.extra.get("found_on") is not None:
                self._disallowed += 1

    def estimate_total(self) -> int:
        """Return the number of URLs found so far."""
        return self._frontier.pages + self._frontier.waiting

    @property
    def result(self) -> CrawlResult:
        """The result so far."""
        counts = dict(self._not_followed)
        if self._frontier.too_deep:
            counts[Reason.DEPTH] = self._frontier.too_deep
        if self._patterns.cut:
            counts[Reason.TRAP_PATTERN] = self._patterns.cut
        return CrawlResult(self._frontier.waiting, counts, self._disallowed)
