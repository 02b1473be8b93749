"""Reports findings as JUnit XML, which CI systems show: a test case for each target.

In: findings. Out: pieces of one XML document, in bounded memory: a failure for each broken target, whose text
lists the pages; a skipped test case for each unsure target; and one passing test case for all other targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.format import counted
from fetchpool.report.broken_links.findings import Finding, Findings
from fetchpool.report.broken_links.text import on_pages
from fetchpool.report.broken_links.verdict import Verdict

NAME = "fetchpool.links"
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def pieces(findings: Findings) -> Iterator[bytes]:
    """Yield the report."""
    broken, _ = findings.count(Verdict.BROKEN)
    unsure, _ = findings.count(Verdict.UNSURE)
    counts = f'tests="{broken + unsure + 1}" failures="{broken}" errors="0"'
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="{NAME}" {counts}>\n'
        f'<testsuite name="{NAME}" {counts} skipped="{unsure}">\n'
    ).encode()
    others = f"{counted(findings.urls, 'URL')} checked"
    yield f'<testcase name={_attribute(others)} classname="{NAME}"/>\n'.encode()
    for finding in findings.of(Verdict.BROKEN):
        yield _beginning(finding) + f"<failure type={_attribute(finding.error)} ".encode()
        yield f"message={_attribute(f'{_error(finding)}, {on_pages(finding)}')}>".encode()
        for url in finding.chain[1:]:
            yield f"redirects to {_text(url)}\n".encode()
        for referrer in findings.referrers(finding):
            if referrer.page:
                where = f" ({referrer.tag} {referrer.attribute})" if referrer.tag else ""
                yield f"{_text(referrer.page + where)}\n".encode()
        yield b"</failure></testcase>\n"
    for finding in findings.of(Verdict.UNSURE):
        message = _attribute(f"{_error(finding)}, {on_pages(finding)}")
        yield _beginning(finding) + f"<skipped message={message}/></testcase>\n".encode()
    yield b"</testsuite>\n</testsuites>\n"


def _beginning(finding: Finding) -> bytes:
    return f'<testcase name={_attribute(shown_url(finding.url))} classname="{NAME}">'.encode()


def _error(finding: Finding) -> str:
    return f"{finding.error}: {finding.message}" if finding.message else finding.error


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", escape_invisible(text))


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _text(text: str) -> str:
    return escape(_clean(text))
