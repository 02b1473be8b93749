"""Reports findings as JSON, for programs: every target with every page that links to it.

In: findings. Out: pieces of one JSON object, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fetchpool.report.broken_links.findings import Finding, Findings
from fetchpool.report.broken_links.verdict import Verdict

_encode = msgspec.json.Encoder().encode


def pieces(findings: Findings) -> Iterator[bytes]:
    """Yield the report."""
    broken, pages = findings.count(Verdict.BROKEN)
    unsure, _ = findings.count(Verdict.UNSURE)
    totals = {
        "urls": findings.urls,
        "links": findings.links,
        "fragments": findings.fragments,
        "broken": broken,
        "broken_pages": pages,
        "unsure": unsure,
    }
    yield b'{"totals":' + _encode(totals) + b',\n"broken":['
    yield from _list(findings, Verdict.BROKEN)
    yield b'],\n"unsure":['
    yield from _list(findings, Verdict.UNSURE)
    yield b"]}\n"


def _list(findings: Findings, verdict: Verdict) -> Iterator[bytes]:
    separator = b"\n"
    for finding in findings.of(verdict):
        yield separator + _beginning(finding)
        inner = b""
        for referrer in findings.referrers(finding):
            if referrer.page:
                yield inner + _encode(referrer)
                inner = b","
        yield b"]}"
        separator = b",\n"


def _beginning(finding: Finding) -> bytes:
    fields = {
        "url": finding.url,
        "error": finding.error,
        "message": finding.message or None,
        "redirects": finding.chain,
        "pages": finding.pages if finding.first else 0,
    }
    return _encode(fields)[:-1] + b',"links":['
