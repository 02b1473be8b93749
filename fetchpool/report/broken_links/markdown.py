"""Reports findings as Markdown, for the summary of a CI job or a comment: a table of the broken targets.

In: findings. Out: lines of GitHub Flavored Markdown. CI systems limit the length of such texts, so the number
of rows is limited.
"""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.format import counted
from fetchpool.report.broken_links.findings import Finding, Findings
from fetchpool.report.broken_links.text import headline, on_pages
from fetchpool.report.broken_links.verdict import Verdict

MAX_ROWS = 1_000


def pieces(findings: Findings) -> Iterator[bytes]:
    """Yield the report."""
    title = str(headline(findings))
    yield f"## {title[:1].upper()}{title[1:]}\n".encode()
    yield from _table(findings, Verdict.BROKEN)
    unsure, _ = findings.count(Verdict.UNSURE)
    if unsure:
        yield f"\n<details><summary>{counted(unsure, 'unsure link')}</summary>\n".encode()
        yield from _table(findings, Verdict.UNSURE)
        yield b"\n</details>\n"


def _table(findings: Findings, verdict: Verdict) -> Iterator[bytes]:
    total, _ = findings.count(verdict)
    if total:
        yield b"\n| Link | Problem | Where |\n|---|---|---|\n"
    for number, finding in enumerate(findings.of(verdict)):
        if number == MAX_ROWS:
            yield f"\n{counted(total - MAX_ROWS, 'more link')}: see another format.\n".encode()
            return
        target = " → ".join(map(_code, finding.chain or (finding.url,)))
        yield f"| {target} | {_cell(_problem(finding))} | {_cell(on_pages(finding))} |\n".encode()


def _problem(finding: Finding) -> str:
    return f"{finding.error}: {finding.message}" if finding.message else finding.error


def _code(url: str) -> str:
    """Return a URL as code, in which only the closing backtick has a special meaning."""
    return f"`{_row(shown_url(url).replace('`', '%60'))}`"


def _cell(text: str) -> str:
    return _row(text).replace("<", "&lt;")


def _row(text: str) -> str:
    return escape_invisible(text).replace("|", "\\|")
