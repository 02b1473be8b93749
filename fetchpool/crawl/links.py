"""LinkExtractor: finds the links of a page and decides which of them are followed."""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.crawl.character_references import decoded
from fetchpool.crawl.css_urls import css_urls
from fetchpool.crawl.link_header import header_links
from fetchpool.crawl.page_links import LinkRow, PageLinks, encode_rows, fragment_hash
from fetchpool.crawl.page_scan import FOLLOW, NOFOLLOW, REQUISITE, REQUISITE_RELATIONS, PageScan, escaped
from fetchpool.crawl.policy import LinkPolicy
from fetchpool.crawl.robots_directives import header_forbids
from fetchpool.crawl.targets import (
    FIRST_REASON,
    INVALID_VERDICT,
    MAX_LENGTH,
    MAX_REMEMBERED,
    NEW,
    REASONS,
    REPORTED,
    SCHEME_VERDICT,
    Memory,
    Targets,
)
from fetchpool.crawl.traps import body_hash
from fetchpool.model.crawl_rules import CrawlRules, Reason
from fetchpool.model.encodings import decode, find_encoding
from fetchpool.model.urls import Base, Url

SNIFFED = 1024
"""Number of bytes examined to recognize a page without `Content-Type`, and binary data."""


class LinkExtractor:
    """Finds the links of pages, one page after the other. Each worker has its own extractor, which remembers
    the URLs that it has reported and reports each only once. So every result must reach the frontier, even
    that of a page whose row is an error. Not thread-safe. Raises `UsageError` if a library is missing."""

    def __init__(self, rules: CrawlRules) -> None:
        self._rules = rules
        self._policy = LinkPolicy(rules)
        self._follow_tags = frozenset(rules.follow_tags)
        # With these, the engine needs each link of each page.
        self._reports_once = not (rules.want_links or rules.want_fragments)
        self._memory = Memory()
        self._outside: set[str] = set()
        """URLs outside the scope that have been reported."""

    def add_start(self, href: str) -> None:
        """Extend the scope by the target of a start URL's redirect, if it is new."""
        if self._policy.scope.add(href):
            self._memory.clear()

    def extract(
        self,
        body: bytes,
        url: str,
        content_type: str | None,
        *,
        link_headers: Sequence[str] = (),
        robots_headers: Sequence[str] = (),
        parent_hash: bytes = b"",
    ) -> PageLinks:
        """Return the links of a page.

        `body` is decoded, and may be the page's first mebibytes; `url` is where it was received from,
        normalised. The other arguments are the values of its headers `Content-Type`, `Link` and
        `X-Robots-Tag`, and the `body_hash` of the page that links to it: the links of a page with the same
        body are not followed.
        """
        rules = self._rules
        own_hash = body_hash(body) if rules.trap_guard else b""
        in_scope = url in self._policy.scope
        is_html, is_css = _kind(body, content_type)
        scan = PageScan(
            follow_tags=self._follow_tags,
            obeys_rel=not rules.follow_nofollow,
            want_instances=rules.want_links,
            want_ids=rules.want_fragments,
            is_xml=is_html and "xml" in (content_type or ""),
        )
        document = Base(url)
        if link_headers and in_scope:
            _add_header_links(scan, document, link_headers)
        if (not (is_html or is_css) and not scan.found) or not (in_scope or rules.want_fragments):
            return PageLinks(body_hash=own_hash)
        encoding = _Encoding(body, content_type)
        if is_html:
            scan.scan(encoding.text())
        elif is_css:
            for css_url in css_urls(encoding.text()):
                scan.add(escaped(css_url), "style", "", FOLLOW | REQUISITE)
        fragments = b"".join(map(fragment_hash, scan.ids)) if rules.want_fragments and is_html else None
        if not in_scope:
            return PageLinks(fragments=fragments, body_hash=own_hash)
        base = _base(scan.base, document)
        self._memory.shrink()
        targets = Targets(self._policy, self._memory, base, url, encoding.name if is_html else _utf_8)
        targets.add_all(scan.found, wants_sources=rules.want_links)
        reason = None
        if rules.trap_guard and parent_hash and parent_hash == own_hash:
            reason = Reason.TRAP_SAME_PAGE
        elif not rules.follow_nofollow and (scan.nofollow or header_forbids(robots_headers)):
            reason = Reason.NOFOLLOW
        return self._decide(targets, scan, reason, base, fragments, own_hash)

    def _decide(
        self,
        targets: Targets,
        scan: PageScan,
        page_reason: Reason | None,
        base: Base,
        fragments: bytes | None,
        own_hash: bytes,
    ) -> PageLinks:
        """Return the result for a page; with a `page_reason`, none of its links is followed."""
        rules, verdicts, local = self._rules, self._memory.verdicts, targets.local
        followed = FOLLOW | REQUISITE if rules.requisites else FOLLOW
        urls: list[str] = []
        requisites: list[str] = []
        external: list[str] = []
        not_followed: dict[str, int] = {}
        num_links = 0
        for href, bits in targets.found.items():
            verdict = verdicts.get(href)
            if verdict is None:
                verdict = local[href]
            if verdict < FIRST_REASON:
                num_links += 1
                if verdict == REPORTED and page_reason is Reason.TRAP_SAME_PAGE:
                    continue  # followed from the other page, such as / for /index.html
                if page_reason is not None or not bits & followed:
                    reason = page_reason or (Reason.NOFOLLOW if bits & NOFOLLOW else Reason.TAG)
                    not_followed[reason] = not_followed.get(reason, 0) + 1
                elif verdict == NEW:
                    urls.append(href)
                    if self._reports_once and href not in local:
                        verdicts[href] = REPORTED
                continue
            if verdict in (SCHEME_VERDICT, INVALID_VERDICT):
                reason = REASONS[verdict - FIRST_REASON]
            else:
                num_links += 1
                reason = REASONS[verdict - FIRST_REASON]
                if page_reason is None and (kind := self._outside_kind(href, bits, reason)):
                    if href not in self._outside:
                        (requisites if kind == REQUISITE else external).append(href)
                    continue
            not_followed[reason] = not_followed.get(reason, 0) + 1
        targets.found.clear()  # before the URLs are copied: there may be very many
        if self._reports_once:
            if len(self._outside) > MAX_REMEMBERED:
                self._outside.clear()
            self._outside.update(href for href in requisites + external if len(href) <= MAX_LENGTH)
        if targets.too_many:
            not_followed[Reason.TOO_MANY] = targets.too_many
        return PageLinks(
            urls="\n".join(urls).encode(),
            num_links=num_links,
            canonical=_canonical(scan.canonical, base),
            not_followed=not_followed,
            requisites="\n".join(requisites).encode(),
            external="\n".join(external).encode(),
            link_rows=self._rows(targets, scan, page_reason) if rules.want_links else b"",
            fragments=fragments,
            body_hash=own_hash,
        )

    def _outside_kind(self, href: str, bits: int, reason: Reason) -> int:
        """Return the bit that lets a URL outside the crawl be fetched all the same; 0 if it is not
        fetched."""
        if reason not in (Reason.SCOPE, Reason.INCLUDE):
            return 0
        if self._rules.requisites and bits & REQUISITE:
            return REQUISITE if self._policy.reason(href, is_requisite=True) is None else 0
        if self._rules.check_external and reason is Reason.SCOPE and bits & FOLLOW:
            return FOLLOW if not self._policy.is_excluded(href) else 0
        return 0

    def _rows(self, targets: Targets, scan: PageScan, page_reason: Reason | None) -> bytes:
        """Return a row for each link."""
        followed = FOLLOW | REQUISITE if self._rules.requisites else FOLLOW
        rows: dict[LinkRow, None] = {}
        for raw, tag, attribute, bits in scan.instances:
            if raw not in targets.by_source:
                continue
            href, fragment = targets.by_source[raw]
            verdict = targets.verdict(href)
            reason: Reason | None = page_reason
            if verdict >= FIRST_REASON:
                reason = REASONS[verdict - FIRST_REASON]
            elif reason is None and not bits & followed:
                reason = Reason.NOFOLLOW if bits & NOFOLLOW else Reason.TAG
            rows[LinkRow(href, tag, attribute, fragment, bool(bits & NOFOLLOW), reason)] = None
        return encode_rows(list(rows))


class _Encoding:
    """The encoding of a body, detected when it is first needed."""

    def __init__(self, body: bytes, content_type: str | None) -> None:
        self._body = body
        self._content_type = content_type
        self._name = ""

    def name(self) -> str:
        if not self._name:
            self._name = find_encoding(self._body, self._content_type)
        return self._name

    def text(self) -> str:
        body = self._body
        # ASCII is the same in all encodings except UTF-16 and those with escape sequences.
        if body.isascii() and b"\x1b" not in body and b"\0" not in body:
            return body.decode("ascii")
        return decode(body, self.name())


def _utf_8() -> str:
    return "utf-8"


def _kind(body: bytes, content_type: str | None) -> tuple[bool, bool]:
    """Return whether a body is HTML, and whether it is CSS."""
    start = body[:SNIFFED]
    if content_type is None:
        return start.lstrip(b"\xef\xbb\xbf \t\r\n\f").startswith(b"<"), False
    kind = content_type.lower()
    if b"\0" in start and not find_encoding(body, content_type).startswith("utf-16"):
        return False, False  # a video, whatever the header says
    return "html" in kind, "text/css" in kind


def _base(written: str | None, document: Base) -> Base:
    """Return what links are relative to: the first `<base href>`, unless it is invalid."""
    if written is None or len(written) > MAX_LENGTH:
        return document
    found = document.resolve(decoded(written))
    return Base(found.href) if isinstance(found, Url) else document


def _canonical(written: str | None, base: Base) -> str | None:
    found = base.resolve(decoded(written)) if written is not None else None
    return found.href if isinstance(found, Url) else None


def _add_header_links(scan: PageScan, document: Base, values: Sequence[str]) -> None:
    """Add the links of the header `Link`, which are relative to the page even if it has a `<base>`."""
    for written, relation in header_links(values):
        target = document.resolve(written)
        if isinstance(target, Url):
            relations = frozenset(relation.lower().split())
            bits = FOLLOW | REQUISITE if relations & REQUISITE_RELATIONS else FOLLOW
            scan.add_relation(escaped(target.href), relations, "", "link", bits)
