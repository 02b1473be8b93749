"""The end of a crawl, each page once, exact limits, and memory (T1 to T9)."""

from __future__ import annotations

import random
from pathlib import Path
from time import monotonic, process_time

import pytest

from tests.cli.runner import peak_memory
from tests.crawl.crawling import EXECUTORS, crawl, crawl_command, rows
from tests.crawl.server import NOT_FOUND, Answer, Request, SiteServer, page, pages
from tests.crawl.synthetic import SyntheticSite
from tests.measured import measured


@measured
def test_t1_a_crawl_ends_with_its_last_response_and_not_before() -> None:
    """Crawlers that wait for a silence end late, or lose what a slow page alone links to."""
    site = {f"/{number}": page() for number in range(50)}
    site["/"] = page(*(f"/{number}" for number in range(50)))
    site["/7"] = page("/late")._replace(delay=0.5)
    site["/late"] = page()
    with SiteServer(pages(site)) as server:
        found = crawl(server)
        late = monotonic() - server.last_answer
    assert found.keys() == site.keys()
    assert late < 0.2


def test_t2_more_links_than_any_queue_holds_block_nothing(tmp_path: Path) -> None:
    """A crawler whose queue is full waits for itself: one worker, and a page with 30,000 links."""
    links = "".join(f"<a href={number}>" for number in range(30_000)).encode()
    with SiteServer(lambda request: Answer(links) if request.target == "/" else page()) as server:
        done = crawl_command(server, tmp_path, "-w", "1", "--max-pages", "50")
        assert done.code == 4
        assert [row["url"] for row in done.rows][1:] == [server.url(f"/{number}") for number in range(49)]
        assert len((tmp_path / "rows.jsonl.frontier.jsonl").read_text().splitlines()) == 30_001


@pytest.mark.parametrize("executor", EXECUTORS)
def test_t3_pages_that_all_link_to_each_other_are_requested_once_each(executor: str) -> None:
    """Concurrent crawlers request a page again if many pages name it at the same moment, or if it failed."""
    targets = [f"/{number}" for number in range(40)]
    everything = page(*targets, *(f"{target}#{target[1:]}" for target in targets), "/missing")

    def site(request: Request) -> Answer:
        return NOT_FOUND if request.target == "/missing" else everything

    processes = {"processes": 2} if executor == "process" else {}
    with SiteServer(site) as server:
        found = rows(server, executor=executor, workers=100, **processes)
    assert len(found) == 42
    asked = {url: count for url, count in server.requests.items() if not url.endswith("/robots.txt")}
    assert len(asked) == 42
    assert set(asked.values()) == {1}


def test_t4_no_page_is_fetched_twice_when_known_urls_are_on_disk(tmp_path: Path) -> None:
    """Crawlers whose memory of URLs is full fetch pages again and never end."""
    site = SyntheticSite(1_500, links=8)
    with SiteServer(site) as server:
        done = crawl_command(server, tmp_path, "-w", "20", "--seen-memory", "1k")
    assert len(done.rows) == len({row["url"] for row in done.rows}) == 1_500
    assert sum(server.requests.values()) == 1_501


def test_t5_a_page_with_100_000_links_costs_little_memory(tmp_path: Path) -> None:
    """Crawlers that keep links as objects need gigabytes for such a page. With 250,000 links it is 53 MB."""
    links = b"".join(b"<a href=%d>" % number for number in range(100_000))
    with SiteServer(lambda request: Answer(links if request.target == "/many" else b"")) as server:

        def peak(target: str) -> int:
            options = ["-r", "-o", f"{target[1:]}.jsonl", "-q", "--executor", "async", "--depth", "0"]
            return peak_memory(server.url(target), *options, cwd=tmp_path)

        assert peak("/many") - peak("/none") < 31_000_000
    assert len((tmp_path / "many.jsonl.frontier.jsonl").read_text().splitlines()) == 100_001


@measured
def test_t6_the_time_per_page_does_not_grow_with_the_site() -> None:
    """Crawlers that search their queue take longer for each page, the more pages there are."""

    def cost(count: int) -> float:
        with SiteServer(SyntheticSite(count, links=5)) as server:
            begun = process_time()
            assert len(rows(server, workers=50)) == count
            return (process_time() - begun) / count

    cost(50)
    assert cost(2_400) < 1.5 * cost(600)


@pytest.mark.parametrize("workers", [1, 10, 200])
def test_t7_max_pages_makes_exactly_that_many_rows(tmp_path: Path, workers: int) -> None:
    """Concurrent crawlers overrun such a limit by what is in flight."""
    with SiteServer(SyntheticSite(300)) as server:
        done = crawl_command(server, tmp_path, "-w", str(workers), "--max-pages", "17")
        assert len(done.rows) == 17
        assert sum(server.requests.values()) == 17 + 1  # robots.txt
    assert done.code == 4
    left = len((tmp_path / "rows.jsonl.frontier.jsonl").read_text().splitlines()) - 17
    assert str(left) in done.stderr.replace(",", "")


def test_t7_a_limit_of_one_page_is_one_page_and_one_that_is_not_reached_is_no_failure(tmp_path: Path) -> None:
    with SiteServer(SyntheticSite(20)) as server:
        (tmp_path / "one").mkdir()
        assert len(crawl_command(server, tmp_path / "one", "--max-pages", "1").rows) == 1
        done = crawl_command(server, tmp_path, "--max-pages", "20")
    assert (done.code, len(done.rows)) == (0, 20)


@pytest.mark.parametrize("seed", range(4))
def test_t8_the_depth_is_that_of_the_shortest_way_however_long_responses_take(seed: int) -> None:
    """Where the first way that is found counts, a slow page makes others too deep, and they are lost."""
    synthetic = SyntheticSite(200, seed=seed, planted=True)
    order = random.Random(seed)

    def site(request: Request) -> Answer:
        return synthetic(request)._replace(delay=order.choice([0, 0, 0.002, 0.03]))

    with SiteServer(site) as server:
        for depth in (0, 3, 9) if seed == 0 else (4,):
            found = crawl(server, depth=depth, workers=50)
            truth = synthetic.truth(depth)
            assert {target: row.extra["depth"] for target, row in found.items()} == {
                target: expected.depth for target, expected in truth.items()
            }


def test_t9_entries_of_a_sitemap_are_one_step_from_the_start_however_it_is_nested() -> None:
    """Crawlers that count the sitemap and its index as steps lose all pages to a limit of the depth."""
    entries = "".join(f"<url><loc>http://{{host}}/{number}</loc></url>" for number in range(20))
    namespace = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

    def site(request: Request) -> Answer:
        texts = {
            "/robots.txt": "Sitemap: http://{host}/index.xml",
            "/index.xml": f"<sitemapindex {namespace}><sitemap><loc>http://{{host}}/map.xml</loc></sitemap>"
            "</sitemapindex>",
            "/map.xml": f"<urlset {namespace}>{entries}</urlset>",
        }
        text = texts.get(request.target)
        if text is None:
            return page("/deeper") if request.target == "/5" else page()
        kind = "text/plain" if request.target == "/robots.txt" else "application/xml"
        return Answer(text.replace("{host}", request.host).encode(), content_type=kind)

    with SiteServer(site) as server:
        numbers = {f"/{number}" for number in range(20)}
        sitemaps = {"/index.xml", "/map.xml"}
        assert crawl(server, depth=1).keys() == {"/"} | numbers | sitemaps
        deeper = crawl(server)
        assert deeper.keys() == {"/", "/deeper"} | numbers | sitemaps
        assert {deeper[target].extra["depth"] for target in numbers} == {1}
        assert deeper["/3"].extra["found_on"] == server.url("/map.xml")
        assert crawl(server, depth=0).keys() & numbers == set()
