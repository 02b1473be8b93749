"""robots.txt, nofollow, and the load that a crawl puts on a host (T19 to T21)."""

from __future__ import annotations

from itertools import pairwise

import pytest

import fetchpool
from fetchpool.config.crawl_options import PER_HOST
from tests.crawl.crawling import crawl, rows, short
from tests.crawl.server import NOT_FOUND, Answer, Request, SiteServer, page, redirect
from tests.measured import measured

ROBOTS = {
    "a comment only": (Answer(b"User-agent: *\nDisallow: # nothing\n"), True),
    "a byte order mark": (Answer(b"\xef\xbb\xbfUser-agent: *\nDisallow: /private\n"), False),
    "other line ends": (Answer(b"User-agent: *\r\nDisallow: /private\r\n"), False),
    "old line ends": (Answer(b"User-agent: *\rDisallow: /private\r"), False),
    "a wildcard": (Answer(b"User-agent: *\nDisallow: /*vate/*.html$\n"), False),
    "an end that does not match": (Answer(b"User-agent: *\nDisallow: /private/x.htm$\n"), True),
    "a longer rule that allows": (Answer(b"User-agent: *\nDisallow: /\nAllow: /private/\nAllow: /$\n"), True),
    "another agent": (Answer(b"User-agent: other\nDisallow: /\n"), True),
    "no such file": (NOT_FOUND, True),
    "a gone file": (Answer(status=410), True),
    "a forbidden file": (Answer(status=403), True),
    "a page": (Answer(b"<!doctype html><title>Welcome</title>"), True),
    "a large file": (Answer(b"User-agent: *\nDisallow: /private\n" + b"# filler\n" * 70_000), False),
}


@pytest.mark.parametrize("kind", ROBOTS)
def test_t19_robots_txt_is_read_as_rfc_9309_says(kind: str) -> None:
    """A comment behind Disallow forbids everything to some, a byte order mark hides the first rule."""
    answer, allowed = ROBOTS[kind]

    def site(request: Request) -> Answer:
        return answer if request.target == "/robots.txt" else page("/private/x.html", "/open")

    with SiteServer(site) as server:
        found = crawl(server)
        assert found.keys() == {"/", "/open", "/private/x.html"}
        assert found["/private/x.html"].error == (None if allowed else "robots")
        assert server.hits("/private/x.html") == allowed
        assert server.hits("/robots.txt") == 1


def test_t19_robots_txt_that_redirects_is_followed_and_one_that_fails_forbids_for_now() -> None:
    answers = {
        "127.0.0.1": redirect("/rules"),
        "127.0.0.2": Answer(status=503),
    }

    def site(request: Request) -> Answer:
        if request.target == "/robots.txt":
            return answers[request.host.partition(":")[0]]
        if request.target == "/rules":
            return Answer(b"User-agent: *\nDisallow: /private\n")
        return page("/private", "/open")

    with SiteServer(site, addresses=list(answers)) as server:
        starts = server.url("/"), server.url("/", "127.0.0.2")
        found = {row.url: row.error for row in rows(server, *starts, retry=0)}
        assert found == {
            starts[0]: None,
            server.url("/open"): None,
            server.url("/private"): "robots",
            starts[1]: "robots",
        }


def test_nofollow_is_obeyed_in_all_its_forms_and_each_can_be_ignored() -> None:
    texts = {
        "/": "<a rel='external NoFollow' href=/rel>x</a>"
        "<a href=/meta>x</a><a href=/header>x</a><a href=/ok>x</a>",
        "/meta": "<meta name=robots content='noindex, nofollow'><a href=/behind-meta>x</a>",
        "/header": "<a href=/behind-header>x</a>",
    }

    def site(request: Request) -> Answer:
        headers = ["X-Robots-Tag: noindex, nofollow"] if request.target == "/header" else []
        return Answer(texts.get(request.target, "").encode(), headers=headers)

    with SiteServer(site) as server:
        obeyed = {"/", "/meta", "/header", "/ok"}
        everything = obeyed | {"/rel", "/behind-meta", "/behind-header"}
        assert crawl(server).keys() == obeyed
        assert crawl(server, ignore_nofollow=True).keys() == everything
        assert crawl(server, no_robots=True).keys() == everything


def test_t21_by_default_only_a_few_requests_reach_a_host_at_once() -> None:
    """Crawlers that ask for hundreds of pages at once take down the site that they check."""
    links = [f"/{number}" for number in range(40)]
    with SiteServer(lambda _: page(*links, delay=0.005)) as server:
        assert len(rows(server, workers=50, per_host=PER_HOST)) == 41
        assert server.most_in_flight[""] == PER_HOST
        server.forget()
        assert len(list(fetchpool.fetch([server.url("/")], recursive=True, workers=50))) == 41
        assert server.most_in_flight[""] <= PER_HOST


@measured
def test_t21_crawl_delay_is_kept() -> None:
    def site(request: Request) -> Answer:
        if request.target == "/robots.txt":
            return Answer(b"User-agent: *\nCrawl-delay: 0.1\n")
        return page("/a", "/b", "/c")

    with SiteServer(site) as server:
        times: list[float] = []
        answer = server.site
        server.site = lambda request: (times.append(server.loop.time()), answer(request))[1]
        assert {short(server, row.url) for row in rows(server)} == {"/", "/a", "/b", "/c"}
    assert server.most_in_flight[""] == 1
    assert all(later - earlier >= 0.095 for earlier, later in pairwise(times[1:]))
