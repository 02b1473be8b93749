"""Gathers the findings of a link check from files: rows, links, and the ids of pages.

In: the outputs of a crawl, and its output of links. Out: `Findings`. Files are read in blocks, and joined in
a temporary database, so memory does not depend on their size. The join comes last, so the order in which
pages were fetched makes no difference.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.config.outputs import Output
from fetchpool.history.final_rows import FinalRows, Url
from fetchpool.model.errors import OutputError
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import original_url
from fetchpool.model.link import Link
from fetchpool.model.urls import Url as ParsedUrl
from fetchpool.model.urls import parse_line
from fetchpool.report.broken_links.findings import Findings
from fetchpool.report.broken_links.fragments import has_element, is_element, split_hashes
from fetchpool.report.broken_links.verdict import FRAGMENT, Verdict, verdict
from fetchpool.sinks.links.read import links_format, read_ids, read_links

MAX_REDIRECTS = 10
"""Maximum number of redirects that a crawl follows in a row, by default."""
NO_END = f"more than {MAX_REDIRECTS} redirects"
CIRCLE = "redirects in a circle"
NO_ELEMENT = "no element has this id"
INVALID = "invalid"
"""The reason of links without a valid URL."""


class Row(Url, gc=False):
    """The fields of a row that a link check reads."""

    response_code: int | None = None
    error: str | None = None
    errormsg: str | None = None
    redirect_url: str | None = None
    found_on: str | None = None


def gather(outputs: Sequence[Output], links: str | None = None, *, memory: int = DEFAULT_MEMORY) -> Findings:
    """Return the findings of a crawl. `outputs`: its rows; `links`: the path of its output of links. Without
    it, only the first page that links to each target is known, and no fragment is checked. `memory`: as for
    `FinalRows`. Raises `UsageError` for a file that can't be read, and `OutputError` when there is no space
    for a temporary file."""
    try:
        findings = Findings()
        _add_rows(findings, FinalRows(outputs, Row, memory=memory))
        _resolve(findings)
        if links is not None:
            _check_fragments(findings, links)
            _add_links(findings, links)
        findings.finish()
    except sqlite3.Error as failure:
        raise OutputError(
            f"can't write a temporary copy of the broken links ({failure}); free some space in the directory "
            "of temporary files (TMPDIR)"
        ) from failure
    return findings


def _add_rows(findings: Findings, rows: FinalRows[Row]) -> None:
    for batch in rows.batches():
        findings.urls += len(batch)
        problems = []
        redirects = []
        for row in batch:
            if row.error is not None and (found := verdict(row.error)) is not Verdict.FINE:
                problems.append((_href(row.url), found, row.error, row.errormsg, row.found_on))
            elif row.redirect_url:
                redirects.append((_href(row.url), row.redirect_url, row.found_on))
        findings.add_problems(problems)
        findings.add_redirects(redirects)
    findings.superseded, findings.unreadable = rows.superseded, rows.unreadable


def _href(shown: str) -> str:
    """Return the URL of a row in the form of links: normalised, without the fragment."""
    text = original_url(shown)
    url = parse_line(text)
    return url.href if isinstance(url, ParsedUrl) else text


def _resolve(findings: Findings) -> None:
    """Follow each redirect to its final target, which has a row of its own."""
    for url, target, found_on in findings.redirects():
        chain = [url, target]
        message = ""
        while (following := findings.target_of(chain[-1].partition("#")[0])) is not None:
            is_circle = following.partition("#")[0] in (each.partition("#")[0] for each in chain)
            chain.append(following)
            if is_circle or len(chain) > MAX_REDIRECTS + 1:
                message = CIRCLE if is_circle else NO_END
                break
        findings.add_chain(chain, found_on, message)


def _links_with_element(links: str) -> Iterator[list[Link]]:
    for batch in read_links(links, links_format("--links", links)):
        yield [each for each in batch if each.fragment is not None and is_element(each.fragment)]


def _check_fragments(findings: Findings, links: str) -> None:
    """Look for the elements that the fragments of links name, in pages whose element IDs are known. Other
    pages are not HTML or were not fetched: their fragments are not checked."""
    if next(read_ids(links), None) is None:
        return
    for batch in _links_with_element(links):
        findings.want_fragments(
            (final, fragment)
            for final, fragment, _ in (_wanted(findings, link) for link in batch)
            if fragment
        )
    for pages in read_ids(links):
        for page in pages:
            fragments = findings.wanted_of(page.url)
            if fragments:
                ids = split_hashes(page.ids)
                for fragment in fragments:
                    findings.set_missing(page.url, fragment, is_missing=not has_element(ids, fragment))
    for batch in _links_with_element(links):
        for link in batch:
            final, fragment, chain = _wanted(findings, link)
            if fragment and findings.is_missing(final, fragment):
                findings.add_missing(link, FRAGMENT, NO_ELEMENT, chain)


def _wanted(findings: Findings, link: Link) -> tuple[str, str, str | None]:
    """Return the page to which a link leads, the fragment to check there, and the redirects. A redirect keeps
    the fragment unless it names one itself (RFC 9110 section 10.2.2); that fragment was not chosen by the
    link's author, and is not checked."""
    final, chain = findings.final_of(link.to)
    url, has_own, _ = final.partition("#")
    return url, "" if has_own else link.fragment or "", chain


def _add_links(findings: Findings, links: str) -> None:
    """Add the links that lead to problems. An invalid URL has no row: its link is the problem."""
    count = 0
    kind = FailureKind.INVALID_URL
    for batch in read_links(links, links_format("--links", links)):
        count += len(batch)
        invalid = [
            (link.to, Verdict.BROKEN, kind.value, kind.message, None)
            for link in batch
            if link.reason == INVALID
        ]
        findings.add_problems(invalid)
        findings.add_links(batch)
    findings.links = count
