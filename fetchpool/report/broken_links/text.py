"""Reports findings as text, for a terminal: by page, or by target.

In: findings. Out: lines. A target that many pages link to is usually in a header or footer: it gets one
entry, with the number of pages and the first of them. Pure except for reading the findings.
"""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.format import Line, Span, Style, counted, line
from fetchpool.report.broken_links.findings import Finding, Findings
from fetchpool.report.broken_links.verdict import Verdict

FOLD = 5
"""A target that is linked from more pages than this gets one entry."""
WIDTH = 13
"""Width of the column of errors."""
INDENT = " " * (2 + WIDTH + 2)
GIVEN = "given, or in a sitemap"
"""Shown in place of a page if no page links to a URL."""
ONE_PAGE = "only the first page of each link is known, and no fragments; add --links for all of them"


def lines(findings: Findings) -> Iterator[Line]:
    """Yield the lines of the report."""
    yield headline(findings)
    yield from _folded(findings)
    yield from _by_page(findings)
    yield from _unsure(findings)
    if findings.links is None:
        yield line("")
        yield line(Span(ONE_PAGE, Style.HINT))


def headline(findings: Findings) -> Line:
    """Return the first line: what was checked, and what is broken."""
    targets, pages = findings.count(Verdict.BROKEN)
    checked = counted(findings.urls, "URL")
    if findings.links is not None:
        checked += f" and {counted(findings.links, 'link')}"
    if not targets:
        return line(Span("no broken links", Style.GOOD), f" ({checked} checked)")
    broken = f"{counted(targets, 'broken link')} on {counted(pages, 'page')}"
    return line(Span(broken, Style.BAD), f" ({checked} checked)")


def _folded(findings: Findings) -> Iterator[Line]:
    is_first = True
    for finding in findings.of(Verdict.BROKEN, more_pages_than=FOLD):
        if is_first:
            is_first = False
            yield line("")
            yield line(Span("On many pages", Style.STRONG))
        yield from entry(finding, Style.BAD)
        yield _on_pages(finding)


def _by_page(findings: Findings) -> Iterator[Line]:
    last = None
    for page, finding in findings.by_page(Verdict.BROKEN, FOLD):
        if page != last:
            last = page
            yield line("")
            yield line(Span(escape_invisible(page) if page else GIVEN.capitalize(), Style.STRONG))
        yield from entry(finding, Style.BAD)


def _unsure(findings: Findings) -> Iterator[Line]:
    targets, _ = findings.count(Verdict.UNSURE)
    if not targets:
        return
    yield line("")
    yield line(
        Span(counted(targets, "unsure link"), Style.STRONG),
        Span(" (not counted as broken: the server may answer a browser)", Style.QUIET),
    )
    for finding in findings.of(Verdict.UNSURE):
        yield from entry(finding, Style.PLAIN)
        yield _on_pages(finding)


def entry(finding: Finding, style: Style) -> Iterator[Line]:
    """Yield the lines of a finding: the error, the target, and the redirects that lead from it."""
    yield line("  ", Span(finding.error.ljust(WIDTH), style), "  ", shown_url(finding.url))
    for each in finding.chain[1:]:
        yield line(Span(f"{INDENT}→ {escape_invisible(each)}", Style.QUIET))
    if finding.message and not finding.error.startswith("http_"):
        yield line(Span(f"{INDENT}{escape_invisible(finding.message)}", Style.QUIET))


def _on_pages(finding: Finding) -> Line:
    return line(Span(f"{INDENT}{on_pages(finding)}", Style.QUIET))


def on_pages(finding: Finding) -> str:
    """Return where the links are: `on 300 pages, first …`."""
    if not finding.first:
        return GIVEN
    first = escape_invisible(finding.first)
    return f"on {first}" if finding.pages == 1 else f"on {counted(finding.pages, 'page')}, first {first}"
