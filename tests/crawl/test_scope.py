"""What a crawl stays within, and redirects that lead out of it (T14 to T18)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crawl.crawling import crawl, rows
from tests.crawl.server import Answer, Request, SiteServer, page, pages, redirect

OTHER = "127.0.0.2"


@pytest.fixture
def two_hosts() -> Iterator[SiteServer]:
    """A server with two hosts; a test sets its site."""
    with SiteServer(pages({}), addresses=("127.0.0.1", OTHER)) as server:
        yield server


def test_t14_a_redirect_out_of_the_scope_is_not_followed_and_no_link_behind_it(two_hosts: SiteServer) -> None:
    """Crawlers that check the scope of links only crawl the other host, or join its links with the first."""
    other = two_hosts.url("/there/page", OTHER)
    sites = {
        "127.0.0.1": pages({"/": page("/out"), "/out": redirect(other)}),
        OTHER: pages({"/there/page": page("relative", "/absolute")}),
    }
    two_hosts.site = lambda request: sites[request.host.partition(":")[0]](request)
    found = crawl(two_hosts)
    assert found.keys() == {"/", "/out"}
    assert found["/out"].response_code == 302
    assert found["/out"].error is None
    assert found["/out"].extra["redirect_url"] == other
    assert two_hosts.asked(OTHER) == set()
    assert two_hosts.asked() == {"/", "/out"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_link_and_its_target_has_a_row_of_its_own(status: int) -> None:
    site = {"/": page("/x", "/y"), "/x": redirect("x/", status), "/x/": page(), "/y": redirect("/x/", status)}
    with SiteServer(pages(site)) as server:
        found = crawl(server, workers=1)
        assert {target: (row.response_code, row.error) for target, row in found.items()} == {
            "/": (200, None),
            "/x": (status, None),
            "/y": (status, None),
            "/x/": (200, None),
        }
        assert found["/x/"].extra["depth"] == found["/x"].extra["depth"] == 1
        assert found["/x/"].extra["found_on"] == server.url("/x")
        assert server.hits("/x/") == 1


def test_redirects_in_a_circle_end() -> None:
    site = {"/": page("/a", "/self"), "/a": redirect("/b"), "/b": redirect("/a"), "/self": redirect("/self")}
    with SiteServer(pages(site)) as server:
        found = crawl(server)
        assert found.keys() == site.keys()
        assert sum(server.requests.values()) == 5


@pytest.mark.parametrize("start", ["http://site.test", "http://www.site.test"])
def test_t15_a_start_that_redirects_to_or_from_www_takes_the_scope_along(start: str) -> None:
    """Crawls of a site that prefixes www end after one page."""

    def site(request: Request) -> Answer:
        wanted = "www.site.test" if start == "http://site.test" else "site.test"
        host, _, port = request.host.partition(":")
        if host != wanted:
            return redirect(f"http://{wanted}:{port}{request.target}", 301)
        return page("/a", f"http://{wanted}:{port}/b") if request.target == "/" else page()

    with SiteServer(site) as server:
        resolve = [f"{host}:{server.port}:127.0.0.1" for host in ("site.test", "www.site.test")]
        found = rows(server, f"{start}:{server.port}/", resolve=resolve)
    paths = sorted(row.url.partition(".test")[2].partition("/")[2] for row in found)
    assert paths == ["", "", "a", "b"]


def test_a_start_that_redirects_to_another_host_has_one_row(two_hosts: SiteServer) -> None:
    two_hosts.site = pages({"/": redirect(two_hosts.url("/", OTHER))})
    found = crawl(two_hosts)
    assert found.keys() == {"/"}
    assert two_hosts.asked(OTHER) == set()


def test_t16_the_prefix_is_a_directory_not_the_beginning_of_a_name() -> None:
    """Prefixes that are compared as text let /docs2/ pass, or lose the start page."""
    inside = ("/docs/", "/docs/a", "/docs/b/c", "/docs/?page=2")
    outside = ("/docs2/", "/docs", "/", "/docs/../other", "/docs/%2e%2e/other", "/Docs/a")
    with SiteServer(lambda _: page(*inside, *outside)) as server:
        assert crawl(server, "/docs/", scope="prefix").keys() == set(inside)
        server.forget()
        assert crawl(server, "/docs/a", scope="prefix").keys() == set(inside)
        assert server.asked() == set(inside)


def test_the_scopes_origin_host_and_any_differ_by_what_they_say(two_hosts: SiteServer) -> None:
    other = two_hosts.url("/other", OTHER)
    two_hosts.site = lambda request: page("/a", other, text=request.url)
    assert crawl(two_hosts).keys() == {"/", "/a"}
    assert crawl(two_hosts, scope="origin").keys() == {"/", "/a"}
    assert crawl(two_hosts, scope="any").keys() == {"/", "/a", other, two_hosts.url("/a", OTHER)}


def test_include_and_exclude_are_searched_in_the_url_and_exclude_wins() -> None:
    links = ("/blog/1", "/blog/2?print=1", "/shop/1", "/moved")

    def site(request: Request) -> Answer:
        return redirect("/blog/draft/1") if request.target == "/moved" else page(*links)

    with SiteServer(site) as server:
        assert crawl(server, include=["/blog/"]).keys() == {"/", "/blog/1", "/blog/2?print=1"}
        excluded = crawl(server, exclude=[r"\?print=", "/draft/"])
        assert excluded.keys() == {"/", "/blog/1", "/shop/1", "/moved"}
        both = crawl(server, include=["/blog/"], exclude=["print"])
        assert both.keys() == {"/", "/blog/1"}


def test_t17_requisites_outside_of_the_scope_are_fetched_and_nothing_else_there(
    two_hosts: SiteServer,
) -> None:
    """A prefix that keeps out /css/ leaves pages without style; without one, other hosts are crawled."""
    image, far = two_hosts.url("/image.png", OTHER), two_hosts.url("/page.html", OTHER)
    texts = {
        "/sub/": f'<link rel=stylesheet href=/css/x.css><img src={image}><a href="/">x</a><a href={far}>x</a>'
        '<a href="/sub/more">x</a>',
        "/css/x.css": "@import 'more.css'; p { background: url(/p.png) }",
    }

    def site(request: Request) -> Answer:
        kind = "text/css" if request.target.endswith(".css") else "text/html"
        return Answer(texts.get(request.target, "").encode(), content_type=kind)

    two_hosts.site = site
    found = crawl(two_hosts, "/sub/", scope="prefix", page_requisites=True)
    assert found.keys() == {"/sub/", "/sub/more", "/css/x.css", image}, "one hop"
    plain = crawl(two_hosts, "/sub/", scope="prefix")
    assert plain.keys() == {"/sub/", "/sub/more"}


def test_t18_sitemaps_can_be_turned_off_and_a_missing_robots_txt_is_no_row() -> None:
    """Crawlers ask for sitemaps whatever the options say, and report a missing robots.txt as an error."""
    site = {
        "/robots.txt": Answer(b"Sitemap: /map.xml", content_type="text/plain"),
        "/": page("/a"),
        "/a": page(),
        "/map.xml": Answer(b"<urlset><url><loc>/b</loc></url></urlset>", content_type="text/xml"),
    }
    with SiteServer(pages(site)) as server:
        assert crawl(server, no_sitemap=True).keys() == {"/", "/a"}
        assert server.hits("/map.xml") == 0
        server.forget()
        assert crawl(server, no_robots=True).keys() == {"/", "/a"}
        assert server.hits("/robots.txt") == 0
        del site["/robots.txt"]
        assert crawl(server).keys() == {"/", "/a"}
        assert server.hits("/robots.txt") == 1
