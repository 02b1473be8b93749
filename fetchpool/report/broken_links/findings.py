"""Findings: broken and unsure links, in a temporary database, so that memory does not grow with their number.

In: problems, redirects and links, from `gather.py`. Out: findings and the pages that link to them, always in
the same order. Raises `sqlite3.Error` when the temporary file can't be written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.model.link import Link
from fetchpool.report.broken_links.verdict import Verdict

TABLES = (
    "CREATE TABLE problem (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, verdict INTEGER NOT NULL, "
    "error TEXT NOT NULL, message TEXT, found_on TEXT, chain TEXT)",
    "CREATE TABLE redirect (url TEXT PRIMARY KEY, target TEXT NOT NULL, found_on TEXT) WITHOUT ROWID",
    "CREATE TABLE resolved (url TEXT PRIMARY KEY, final TEXT NOT NULL, chain TEXT) WITHOUT ROWID",
    "CREATE TABLE wanted (page TEXT, fragment TEXT, missing INTEGER, PRIMARY KEY (page, fragment)) "
    "WITHOUT ROWID",
    "CREATE TABLE hit (problem INTEGER NOT NULL, page TEXT NOT NULL, tag TEXT, attribute TEXT)",
)
SUMMARIZE = (
    "CREATE TABLE finding AS SELECT problem AS id, count(DISTINCT page) AS pages, min(page) AS first "
    "FROM hit GROUP BY problem",
    "CREATE UNIQUE INDEX finding_id ON finding (id)",
    "CREATE INDEX hit_problem ON hit (problem, page)",
)
"""Statements to run after the last hit is added."""
SELECT = (
    "SELECT problem.id, url, error, message, chain, pages, first FROM problem JOIN finding USING (id) "
    "WHERE verdict = ? "
)
PAGES = (
    "SELECT DISTINCT hit.page, problem.id, url, error, message, chain, pages, first FROM hit "
    "JOIN problem ON problem.id = hit.problem JOIN finding ON finding.id = problem.id "
    "WHERE verdict = ? AND pages <= ? ORDER BY hit.page, url"
)

_decode_chain = msgspec.json.Decoder(tuple[str, ...]).decode


class Finding(Struct, frozen=True):
    """The target of broken or unsure links."""

    id: int
    url: str
    error: str
    message: str
    chain: tuple[str, ...]
    """If the target redirects: the URLs from the target to the broken one."""
    pages: int
    """The number of pages that link to the target."""
    first: str
    """The first of these pages in alphabetical order; empty if no page is known."""


class Referrer(Struct, frozen=True):
    """A link to a finding's target."""

    page: str
    """Empty if no page is known, as for a start URL."""
    tag: str
    attribute: str


class Findings:
    """What a link check has found. Made by `gather.py`."""

    def __init__(self) -> None:
        self._database = open_temporary_database(*TABLES)
        self.urls = 0
        """The number of URLs that have a row."""
        self.links: int | None = None
        """The number of links; None if they are not known."""
        self.fragments = 0
        """The number of distinct fragments that were checked."""
        self.superseded = 0
        self.unreadable = 0

    # What is added

    def add_problems(self, problems: Iterable[tuple[str, Verdict, str, str | None, str | None]]) -> None:
        """Add targets: URL, verdict, error, message, and a page that links to it."""
        self._database.executemany(
            "INSERT OR IGNORE INTO problem (url, verdict, error, message, found_on) VALUES (?, ?, ?, ?, ?)",
            problems,
        )

    def add_redirects(self, redirects: Iterable[tuple[str, str, str | None]]) -> None:
        """Add redirects: URL, target, and a page that links to the URL."""
        self._database.executemany("INSERT OR REPLACE INTO redirect VALUES (?, ?, ?)", redirects)

    def redirects(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield all redirects."""
        yield from self._database.execute("SELECT url, target, found_on FROM redirect")

    def target_of(self, url: str) -> str | None:
        """Return the target of a URL that redirects; None if it does not."""
        found = self._database.execute("SELECT target FROM redirect WHERE url = ?", (url,)).fetchone()
        return None if found is None else str(found[0])

    def add_chain(self, chain: list[str], found_on: str | None, loop_message: str = "") -> None:
        """Add a URL that redirects to the last URL of the chain. It is a problem if the last URL is, or if
        the redirects never end, in which case there is a message."""
        encoded = msgspec.json.encode(chain).decode()
        final = chain[-1].partition("#")[0]
        if loop_message:
            problem = (chain[0], Verdict.BROKEN, "too_many_redirects", loop_message, found_on, encoded)
            self._add_chain(problem)
            return
        found = self._database.execute(
            "SELECT verdict, error, message FROM problem WHERE url = ? AND chain IS NULL", (final,)
        ).fetchone()
        if found is None:
            self._database.execute(
                "INSERT OR REPLACE INTO resolved VALUES (?, ?, ?)", (chain[0], chain[-1], encoded)
            )
            return
        self._add_chain((chain[0], *found, found_on, encoded))

    def _add_chain(self, problem: tuple[object, ...]) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO problem (url, verdict, error, message, found_on, chain) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            problem,
        )

    def final_of(self, url: str) -> tuple[str, str | None]:
        """Return the URL at which the redirects from a URL end, with the fragment that the redirect names,
        and the chain."""
        found = self._database.execute("SELECT final, chain FROM resolved WHERE url = ?", (url,)).fetchone()
        return found or (url, None)

    def want_fragments(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Register fragments of pages to be checked."""
        self._database.executemany("INSERT OR IGNORE INTO wanted VALUES (?, ?, NULL)", wanted)

    def wanted_of(self, page: str) -> list[str]:
        """Return the fragments to check in a page."""
        found = self._database.execute("SELECT fragment FROM wanted WHERE page = ?", (page,)).fetchall()
        return [fragment for (fragment,) in found]

    def set_missing(self, page: str, fragment: str, *, is_missing: bool) -> None:
        """Store whether a page lacks a fragment."""
        self.fragments += 1
        self._database.execute(
            "UPDATE wanted SET missing = ? WHERE page = ? AND fragment = ?", (is_missing, page, fragment)
        )

    def is_missing(self, page: str, fragment: str) -> bool:
        """Whether a page is known to lack a fragment."""
        found = self._database.execute(
            "SELECT missing FROM wanted WHERE page = ? AND fragment = ?", (page, fragment)
        ).fetchone()
        return found is not None and bool(found[0])

    def add_missing(self, link: Link, error: str, message: str, chain: str | None) -> None:
        """Add a link whose fragment is missing in its page."""
        url = f"{link.to}#{link.fragment}"
        self._database.execute(
            "INSERT OR IGNORE INTO problem (url, verdict, error, message, chain) VALUES (?, ?, ?, ?, ?)",
            (url, Verdict.BROKEN, error, message, chain),
        )
        self._add_hits([(link.from_, link.tag, link.attribute, url)])

    def add_links(self, links: Iterable[Link]) -> None:
        """Add the links that lead to problems; other links are ignored."""
        self._add_hits((each.from_, each.tag, each.attribute, each.to) for each in links)

    def _add_hits(self, hits: Iterable[tuple[str, str, str, str]]) -> None:
        self._database.executemany("INSERT INTO hit SELECT id, ?, ?, ? FROM problem WHERE url = ?", hits)

    def finish(self) -> None:
        """Summarize, after everything has been added. A problem without known links gets the page on which it
        was found, if any. If it was found by a redirect, it is reported only as a problem of that
        redirect."""
        execute = self._database.execute
        execute(
            "INSERT INTO hit SELECT id, ifnull(found_on, ''), '', '' FROM problem "
            "WHERE id NOT IN (SELECT problem FROM hit) "
            "AND NOT EXISTS (SELECT 1 FROM redirect WHERE redirect.url = problem.found_on)"
        )
        for statement in SUMMARIZE:
            execute(statement)

    # What is read

    def count(self, verdict: Verdict) -> tuple[int, int]:
        """Return the number of targets with a verdict, and of the pages that link to them."""
        targets = self._database.execute(
            "SELECT count(*) FROM problem JOIN finding USING (id) WHERE verdict = ?", (verdict,)
        ).fetchone()
        pages = self._database.execute(
            "SELECT count(DISTINCT page) FROM hit JOIN problem ON problem.id = hit.problem "
            "WHERE verdict = ? AND page <> ''",
            (verdict,),
        ).fetchone()
        return int(targets[0]), int(pages[0])

    def of(self, verdict: Verdict, more_pages_than: int = 0) -> Iterator[Finding]:
        """Yield the findings with a verdict that are on more than a number of pages, in the order of their
        URLs."""
        rows = self._database.execute(f"{SELECT} AND pages > ? ORDER BY url", (verdict, more_pages_than))
        return map(_finding, rows)

    def referrers(self, finding: Finding) -> Iterator[Referrer]:
        """Yield the links to a finding's target, in the order of their pages."""
        rows = self._database.execute(
            "SELECT DISTINCT page, tag, attribute FROM hit WHERE problem = ? ORDER BY page, tag, attribute",
            (finding.id,),
        )
        return (Referrer(*row) for row in rows)

    def by_page(self, verdict: Verdict, most_pages: int) -> Iterator[tuple[str, Finding]]:
        """Yield each page with its findings, both in order, without the findings that are on more than a
        number of pages."""
        for page, *row in self._database.execute(PAGES, (verdict, most_pages)):
            yield page, _finding(row)

    def close(self) -> None:
        """Remove the temporary database. Idempotent."""
        self._database.close()


def _finding(row: tuple[object, ...] | list[object]) -> Finding:
    number, url, error, message, chain, pages, first = row
    return Finding(
        number,  # type: ignore[arg-type]  # as the table says
        str(url),
        str(error),
        str(message or ""),
        _decode_chain(chain) if isinstance(chain, str) else (),
        pages,  # type: ignore[arg-type]
        str(first),
    )


ERRORS = (sqlite3.Error,)
"""The exceptions raised if the database can't be written."""
