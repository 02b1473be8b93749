"""Sites without end (T22 to T24)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawl.crawling import crawl, crawl_command
from tests.crawl.server import Answer, Request, SiteServer, page


def test_t22_a_relative_link_on_a_page_that_is_served_at_every_path_ends(tmp_path: Path) -> None:
    """A missing page that is answered with 200, and links to `products/`, is a site of endless depth."""
    with SiteServer(lambda _: page("products/", "about/")) as server:
        done = crawl_command(server, tmp_path, "-w", "5")
        assert done.code == 0
        assert len(done.rows) < 50
        assert any("trap" in reason for reason in done.not_followed)
        for name in ("text", "on"):
            (tmp_path / name).mkdir()
        text = crawl_command(server, tmp_path / "text", "--summary", "text")
        assert "trap" in text.stderr
        assert "--no-trap-guard" in text.stderr
        further = crawl_command(server, tmp_path / "on", "--no-trap-guard", "--max-pages", "80")
        assert len(further.rows) == 80


def test_t22_repeated_segments_end_where_every_page_differs() -> None:
    with SiteServer(lambda request: page("infra/www/", text=request.target)) as server:
        assert len(crawl(server, max_pages=100)) < 20


def test_t23_a_page_that_repeats_its_own_query_ends() -> None:
    with SiteServer(lambda request: page(f"{request.target}?q={request.target}")) as server:
        assert len(crawl(server, "/?q=x", max_pages=200)) < 50


@pytest.mark.parametrize("link", ["././", "/x/./y/../../", "//{host}/./"])
def test_t24_dots_in_paths_are_resolved(link: str) -> None:
    with SiteServer(lambda request: page(link.replace("{host}", request.host))) as server:
        assert crawl(server, max_pages=20).keys() == {"/"}


def test_t24_a_session_id_in_each_link_ends_with_ignore_param() -> None:
    count = 0

    def site(_: Request) -> Answer:
        nonlocal count
        count += 1
        return page(f"/a?sid={count}", f"/b?x=1&sid={count}&utm_source=m", text=str(count))

    with SiteServer(site) as server:
        found = crawl(server, ignore_param=["sid", "utm_*"], max_pages=50)
        assert found.keys() == {"/", "/a", "/b?x=1"}
        assert len(crawl(server, max_pages=50)) == 50


def test_t24_a_calendar_ends_with_exclude() -> None:
    def site(request: Request) -> Answer:
        month = int(request.query.removeprefix("month=") or 0)
        return page(f"/calendar?month={month + 1}", "/about", text=str(month))

    with SiteServer(site) as server:
        assert len(crawl(server, exclude=[r"[?&]month="])) == 2


def test_t24_a_calendar_ends_with_max_per_pattern_in_several_runs(tmp_path: Path) -> None:
    def site(request: Request) -> Answer:
        month = int(request.query.removeprefix("month=") or 0)
        return page(f"/calendar?month={month + 1}", f"/about/{'abcdefgh'[month % 8]}", text=str(month))

    with SiteServer(site) as server:
        options = ["--max-per-pattern", "20", "--max-pages"]
        assert crawl_command(server, tmp_path, *options, "15").code == 4
        done = crawl_command(server, tmp_path, *options, "500", "--resume")
        targets = {row["url"].removeprefix(server.url("")) for row in done.rows}
    calendar = {target for target in targets if target.startswith("/calendar")}
    assert len(calendar) == 20
    assert targets - calendar == {"/"} | {f"/about/{letter}" for letter in "abcdefgh"}
    assert done.code == 0


def test_copies_of_a_page_elsewhere_lose_no_links() -> None:
    """The guard against endless copies compares a page with the page that links to it, and no other."""
    same = page("/shared", text="the same")
    site = {"/": page("/one", "/two"), "/one": same, "/two": same, "/shared": page("/end"), "/end": page()}
    with SiteServer(
        lambda request: site[request.target] if request.target in site else Answer(status=404)
    ) as s:
        assert crawl(s).keys() == site.keys()
