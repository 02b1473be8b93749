"""`fetchpool check` on a site of known content, and links that are not followed (T34, T38, T39)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.runner import fetchpool
from tests.crawl.crawling import EXECUTORS, crawl_command
from tests.crawl.server import NOT_FOUND, Answer, SiteServer, page, pages
from tests.crawl.synthetic import SyntheticSite


class Report(NamedTuple):
    """What `fetchpool check` reports, without the server's address."""

    code: int
    broken: dict[str, str]
    """By target, the error."""
    unsure: dict[str, str]
    links: set[tuple[str, str]]
    """Page and target of each broken link."""
    raw: dict[str, Any]


def check(server: SiteServer, *options: str, cwd: Path) -> Report:
    """Run `fetchpool check` from `/`."""
    work = ["check", server.url(), "--format", "json", "--per-host", "0", "-q", "--no-progress"]
    done = fetchpool(*work, "--retry-delay", "10ms", *options, cwd=cwd)
    assert done.returncode in (0, 1), done.stderr
    raw = json.loads(done.stdout.replace(server.url(""), ""))
    return Report(
        done.returncode,
        {found["url"]: found["error"] for found in raw["broken"]},
        {found["url"]: found["error"] for found in raw["unsure"]},
        {(link["page"], found["url"]) for found in raw["broken"] for link in found["links"]},
        raw,
    )


@pytest.mark.parametrize("executor", EXECUTORS)
def test_t34_every_page_that_has_a_broken_link_is_reported(executor: str, tmp_path: Path) -> None:
    """Other checkers name only the first page, and the link in the header is repaired on one."""
    site = SyntheticSite(150, planted=True)
    with SiteServer(site) as server:
        options = ["--executor", executor, "--no-fragments", "--exclude", "/decoy/"]
        report = check(server, *options, cwd=tmp_path)
    dead = site.dead_links()
    assert report.code == 1
    assert report.links == {(link.page, link.target) for link in dead}
    assert report.broken == {link.target: "http_404" for link in dead}
    assert len(dead) > len(report.broken) > 5


def test_t34_a_link_in_every_footer_is_reported_once_with_the_number_of_pages(tmp_path: Path) -> None:
    links = [f"/{number}" for number in range(30)]
    with SiteServer(
        lambda request: page(*links, "/old") if request.target != "/old" else NOT_FOUND
    ) as server:
        work = ["check", server.url(), "-q", "--no-progress", "--per-host", "0", "--executor", "async"]
        done = fetchpool(*work, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count(server.url("/old")) == 1
    assert "31 pages" in done.stdout


BAD = [
    "http://[",
    "http://h:99999/",
    "//",
    "http://",
    "https://exa mple.invalid/",
    "http://%zz/",
    "/" + "x" * 1_000_000,
]


def test_t38_a_link_that_is_no_url_ends_nothing(tmp_path: Path) -> None:
    """One bad link ends the crawl with a traceback."""
    links = "".join(f'<a href="{link}">x</a>' for link in BAD)
    site = {"/": Answer(f"{links}<a href=/a>x</a>".encode()), "/a": Answer(links.encode())}
    with SiteServer(pages(site)) as server:
        done = crawl_command(server, tmp_path)
        assert done.code == 0
        assert {row["url"] for row in done.rows} == {server.url("/"), server.url("/a")}
        assert done.not_followed["invalid"] >= 4


def test_t39_every_link_that_is_not_followed_has_a_reason(tmp_path: Path) -> None:
    """A crawl finds few of the pages, and says nothing about the rest."""
    html = """
        <a href=/ok>x</a><a rel=nofollow href=/nofollow>x</a><a href=http://other.example/>x</a>
        <a href=/private>x</a><a href=/no/1>x</a><a href="mailto:x@example.org">x</a><a href="http://[">x</a>
        <a href=/a/a/a/a/a/a>x</a><link rel=stylesheet href=/style.css>
    """
    site = {"/": Answer(html.encode()), "/robots.txt": Answer(b"User-agent: *\nDisallow: /private\n")}
    with SiteServer(lambda request: site.get(request.target) or page("/deeper")) as server:
        options = ["--exclude", "/no/", "--depth", "1", "--follow-tags", "a", "--links", "links.jsonl"]
        done = crawl_command(server, tmp_path, *options)
        counted = dict(done.not_followed)
        assert sum(counted.pop(reason) for reason in list(counted) if reason.startswith("trap")) == 1
        assert counted.pop("robots", 1) == 1
        assert counted == {
            "nofollow": 1,
            "scope": 1,
            "exclude": 1,
            "scheme": 1,
            "invalid": 1,
            "tag": 1,
            "depth": 1,
        }
        written = [json.loads(line) for line in (tmp_path / "links.jsonl").read_text().splitlines()]
        reasons = {link["to"].removeprefix(server.url("")): link["reason"] for link in written}
        assert reasons["/ok"] is None
        assert reasons["/nofollow"] == "nofollow"
        assert reasons["http://other.example/"] == "scope"
        assert reasons["/no/1"] == "exclude"
        assert reasons["/style.css"] == "tag"
        assert all(link["followed"] == (link["reason"] is None) for link in written)
