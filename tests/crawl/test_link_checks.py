"""Link checks: what users of other link checkers have reported (T20, T34 to T37, T39)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fetchpool as api
from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.model.errors import UsageError
from fetchpool.model.link import Link
from fetchpool.report.broken_links.findings import Findings
from fetchpool.report.broken_links.gather import gather
from fetchpool.report.broken_links.verdict import Verdict
from fetchpool.sinks.links.read import links_format, read_links
from tests.cli.runner import FETCHPOOL, fetchpool, popen
from tests.crawl.server import NOT_FOUND, Answer, Request, SiteServer, page, pages, redirect

HERE, OUTSIDE = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module")
def server() -> Iterator[SiteServer]:
    with SiteServer(pages({}), (HERE, OUTSIDE)) as running:
        yield running


@pytest.fixture(autouse=True)
def _in_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def serve(server: SiteServer, inside: dict[str, Answer], outside: dict[str, Answer] | None = None) -> None:
    """Serve these pages at both addresses; `OUT` in a page is the address outside."""
    server.forget()
    site = {
        target: answer._replace(body=answer.body.replace(b"OUT", server.url("", OUTSIDE).encode()))
        for target, answer in inside.items()
    }

    def answer(request: Request) -> Answer:
        return (outside or {} if request.host.startswith(OUTSIDE) else site).get(request.target, NOT_FOUND)

    server.site = answer


def crawl(server: SiteServer, **settings: Any) -> None:
    given: dict[str, Any] = {"outputs": ["rows.jsonl"], "links": "links.jsonl", "recursive": True, "retry": 0}
    build(configure([server.url("/")], **(given | settings))).run()


def check(server: SiteServer, **settings: Any) -> Findings:
    crawl(server, check_external=True, check_fragments=True, **settings)
    return gather(configure([], outputs=["rows.jsonl"]).outputs, "links.jsonl")


def broken(server: SiteServer, findings: Findings, verdict: Verdict = Verdict.BROKEN) -> dict[str, list[str]]:
    """Return the pages that link to each broken target, all without the host."""
    start = server.url("")
    return {
        found.url.removeprefix(start): [each.page.removeprefix(start) for each in findings.referrers(found)]
        for found in findings.of(verdict)
    }


def rows() -> dict[str, dict[str, Any]]:
    return {row["url"]: row for row in map(json.loads, Path("rows.jsonl").read_text().splitlines())}


def links(path: str = "links.jsonl") -> list[Link]:
    return [link for batch in read_links(path, links_format("--links", path)) for link in batch]


def test_t34_every_page_that_links_to_a_missing_one_is_reported_not_just_one(
    server: SiteServer,
) -> None:
    names = [f"/p{number:02}" for number in range(100)]
    serve(server, {"/": page(*names)} | {name: page("/gone", *names[:3]) for name in names})
    assert broken(server, check(server, workers=20)) == {"/gone": names}
    assert server.hits("/gone") == 1


FRAGMENTS = (
    *("/t#id", "/t#name", "/t#a%28b%29", "/t#", "/t#top", "/t#:~:text=x", "/t#late", "/moved#id", "#here"),
    *("/file.txt#x", "/t#%C3%BC"),
)
MISSING = ("/t#ID", "/t#other", "/moved#other", "/t#id2:~:text=x")
TARGET = (
    '<p id="id"><a name="name"></a><p id="a(b)"><p id="ü">'
    f"<!-- {'x' * (1 << 20)} --><template><p id=other></template><p id=late>"
)


@pytest.mark.parametrize("workers", [1, 20])
@pytest.mark.parametrize("executor", ["thread", "async"])
def test_t35_exactly_the_missing_anchors_are_reported_in_any_order(
    server: SiteServer, workers: int, executor: str
) -> None:
    home = page("/t", *FRAGMENTS, *MISSING, text="<p id=here>")  # the page without a fragment comes first
    target = Answer(f"<!doctype html>{TARGET}".encode())
    text = Answer(b"x", content_type="text/plain")
    serve(server, {"/": home, "/t": target, "/moved": redirect("/t"), "/file.txt": text})
    found = check(server, workers=workers, executor=executor)
    assert broken(server, found) == {url: ["/"] for url in sorted(MISSING)}


def test_t35_a_redirect_that_names_a_fragment_itself_decides(server: SiteServer) -> None:
    site = {"/": page("/moved#other"), "/moved": redirect("/t#id"), "/t": Answer(b"<p id=id>")}
    serve(server, site)
    assert broken(server, check(server)) == {}
    assert rows()[server.url("/moved")]["redirect_url"] == server.url("/t#id")
    assert server.hits("/t") == 1


@pytest.mark.parametrize("status", [403, 404, 405, 500, 501])
def test_t36_a_page_that_fails_for_head_and_not_for_get_is_fine(server: SiteServer, status: int) -> None:
    serve(server, {"/": page("OUT/x", "OUT/gone")})
    inside = server.site

    def answer(request: Request) -> Answer:
        if request.host.startswith(OUTSIDE) and request.target == "/x":
            large = page("OUT/never", text="x" * 1_000_000)
            return large if request.method == "GET" else Answer(status=status)
        return inside(request)

    server.site = answer
    found = check(server)
    assert list(broken(server, found)) == [server.url("/gone", OUTSIDE)]
    assert not any(found.of(Verdict.UNSURE))
    row = rows()[server.url("/x", OUTSIDE)]
    assert row["method"] == "GET"
    assert row["size_download"] < 500_000, "the head says all"
    assert server.asked(OUTSIDE) == {"/x", "/gone"}  # nothing is followed there


def test_an_external_page_that_answers_head_is_asked_once_whatever_links_to_it(server: SiteServer) -> None:
    serve(server, {"/": page("/a", "OUT/x"), "/a": page("OUT/x#y")}, {"/x": page("/z")})
    found = check(server)
    assert broken(server, found) == {}
    assert server.hits("/x", OUTSIDE) == 1
    assert rows()[server.url("/x", OUTSIDE)]["method"] == "HEAD"


def test_without_check_external_no_other_host_is_asked(server: SiteServer) -> None:
    serve(server, {"/": page("OUT/x", "/r"), "/r": redirect(server.url("/y", OUTSIDE))})
    crawl(server)
    assert not any(url.startswith(OUTSIDE) for url in server.requests)
    assert {(link.to, link.reason) for link in links() if OUTSIDE in link.to} == {
        (server.url("/x", OUTSIDE), "scope")
    }


def test_external_links_of_the_deepest_pages_are_checked(server: SiteServer) -> None:
    serve(server, {"/": page("/a"), "/a": page("OUT/gone", "/b"), "/b": page("OUT/never")})
    assert list(broken(server, check(server, depth=1))) == [server.url("/gone", OUTSIDE)]
    assert server.asked(OUTSIDE) == {"/gone"}


def test_t37_a_redirect_to_a_missing_page_is_broken_with_its_chain(server: SiteServer) -> None:
    outside = server.url("", OUTSIDE)
    inside = {
        "/": page("/old", "/fine", "/out", "OUT/a"),
        "/old": redirect("/older", 301),
        "/older": redirect("/gone", 301),
        "/fine": redirect("/", 301),
        "/out": redirect(f"{outside}/b"),
    }
    serve(server, inside, {"/a": redirect("/b"), "/b": redirect("/c")})
    found = check(server)
    assert broken(server, found) == {f"{outside}/a": ["/"], "/old": ["/"], "/out": ["/"]}
    chains = {each.url: each.chain for each in found.of(Verdict.BROKEN)}
    assert chains[server.url("/old")] == tuple(map(server.url, ("/old", "/older", "/gone")))
    assert chains[server.url("/out")] == (server.url("/out"), *(f"{outside}/{name}" for name in "bc"))
    assert {each.error for each in found.of(Verdict.BROKEN)} == {"http_404"}


def test_redirects_that_never_end_are_broken(server: SiteServer) -> None:
    serve(server, {"/": page("/a", "/far"), "/a": redirect("/b"), "/b": redirect("/a")})
    inside = server.site

    def answer(request: Request) -> Answer:
        return redirect(f"{request.target}r") if request.target.startswith("/far") else inside(request)

    server.site = answer
    found = check(server)
    assert {each.url: each.message for each in found.of(Verdict.BROKEN)} == {
        server.url("/a"): "redirects in a circle",
        server.url("/far"): "more than 10 redirects",
    }


def test_t20_a_throttled_host_holds_up_only_itself_and_is_not_broken(server: SiteServer) -> None:
    names = [f"/p{number}" for number in range(30)]
    asked: list[str] = []
    serve(server, {"/": page("OUT/x", *names)} | {name: page() for name in names}, {"/x": page()})
    inside = server.site

    def answer(request: Request) -> Answer:
        asked.append(request.url)
        if request.host.startswith(OUTSIDE) and request.target == "/x" and asked.count(request.url) <= 2:
            return Answer(status=429, headers=("Retry-After: 1",))
        return inside(request)

    server.site = answer
    found = check(server, retry=3, workers=2)
    assert broken(server, found) == broken(server, found, Verdict.UNSURE) == {}
    outside = [number for number, url in enumerate(asked) if url == f"{server.host(OUTSIDE)}/x"]
    own = [number for number, url in enumerate(asked) if url.startswith(server.host(HERE))]
    assert len(outside) == 3
    assert own[-1] < outside[-1]  # all own pages ended while the other host was waited for


@pytest.mark.parametrize("name", ["links.jsonl", "links.csv.gz", "links.sqlite", "links.parquet"])
def test_t39_every_link_has_a_row_and_one_that_is_not_followed_a_reason(
    server: SiteServer, name: str
) -> None:
    home = (
        '<a href="/a#x">1</a><a rel=nofollow href="/n">2</a><a href="/private/x">3</a><a href="OUT/">4</a>'
        '<a href="/skip">5</a><a href="/x/x/x/x/x/">6</a><a href="mailto:x@h">7</a><a href="http://[">8</a>'
        '<img src="/i.png">'
    )
    robots = Answer(b"User-agent: *\nDisallow: /private/\n", content_type="text/plain")
    serve(server, {"/": Answer(home.encode()), "/a": page("/", "/b"), "/robots.txt": robots})
    crawl(server, links=name, exclude=["skip"], depth=1)
    found = {
        (link.from_.removeprefix(server.url("")), link.to.removeprefix(server.url(""))): link
        for link in links(name)
    }
    assert {key: link.reason for key, link in found.items()} == {
        ("/", "/a"): None,
        ("/", "/n"): "nofollow",
        ("/", "/private/x"): "robots",
        ("/", server.url("/", OUTSIDE)): "scope",
        ("/", "/skip"): "exclude",
        ("/", "/x/x/x/x/x/"): "trap_repeats",
        ("/", "mailto:x@h"): "scheme",
        ("/", "http://["): "invalid",
        ("/", "/i.png"): None,
        ("/a", "/"): None,
        ("/a", "/b"): "depth",
    }
    assert all(link.followed is (link.reason is None) for link in found.values())
    first = found["/", "/a"]
    assert (first.tag, first.attribute, first.fragment, first.nofollow) == ("a", "href", "x", False)
    assert found["/", "/n"].nofollow
    assert found["/", "/i.png"].tag == "img"


def test_a_failed_attempt_leaves_no_links_and_the_retry_each_once(server: SiteServer) -> None:
    serve(server, {"/": page("/a"), "/a": page("/")})
    inside = server.site

    def answer(request: Request) -> Answer:
        found = inside(request)
        if request.target == "/a" and server.hits("/a") == 1:
            return page("/lost", status=503)
        return found

    server.site = answer
    crawl(server, retry=1, retry_delay=0)
    assert [(link.from_, link.to) for link in links() if link.to != server.url("/a")] == [
        (server.url("/a"), server.url("/"))
    ]


@pytest.mark.parametrize("name", ["links.jsonl", "links.sqlite", "links.parquet"])
def test_a_resumed_crawl_has_the_links_of_each_page_once(server: SiteServer, name: str) -> None:
    serve(server, {"/": page("/a", "/b", "/gone#x"), "/a": page("/b#x"), "/b": page("/")})
    crawl(server, links=name, check_fragments=True)
    expected = sorted((link.from_, link.to) for link in links(name))
    ids = Path(f"{name}.ids.jsonl").read_text()
    # As if the run had been killed between the links of the last page and its row.
    Path("rows.jsonl").write_text("".join(Path("rows.jsonl").read_text().splitlines(keepends=True)[:-2]))
    crawl(server, links=name, check_fragments=True, resume=True)
    assert sorted((link.from_, link.to) for link in links(name)) == expected
    assert sorted(Path(f"{name}.ids.jsonl").read_text().splitlines()) == sorted(ids.splitlines())


@pytest.mark.parametrize("name", ["links.jsonl", "links.sqlite"])
def test_a_killed_crawl_that_is_resumed_has_the_links_of_each_page_once(
    server: SiteServer, name: str, tmp_path: Path
) -> None:
    names = [f"/p{number}" for number in range(5)]
    serve(server, {"/": page(*names, "/last"), "/last": page("/")} | {each: page("/#x") for each in names})
    inside, is_at_last = server.site, threading.Event()

    def answer(request: Request) -> Answer:
        if request.target != "/last":
            return inside(request)
        is_at_last.set()
        return page(delay=60)

    server.site = answer
    command = ["-r", "-o", "rows.jsonl", "--links", name, "--check-fragments", "-q", server.url("/")]
    with popen([*FETCHPOOL, *command, "-w", "1"], cwd=tmp_path) as process:
        assert is_at_last.wait(30)
        process.kill()
        process.wait()
    server.site = inside
    assert fetchpool(*command, "--resume", cwd=tmp_path).returncode == 0
    first = [(server.url("/"), server.url(each)) for each in (*names, "/last")]
    back = [(server.url(each), server.url("/")) for each in (*names, "/last")]
    assert sorted((link.from_, link.to) for link in links(name)) == sorted(first + back)
    ids = [json.loads(each)["url"] for each in Path(f"{name}.ids.jsonl").read_text().splitlines()]
    assert sorted(ids) == sorted(map(server.url, ("/", *names, "/last")))


@pytest.mark.parametrize("name", ["links.jsonl", "links.sqlite", "links.parquet"])
def test_a_crawl_that_overwrites_its_files_has_only_its_own_links(server: SiteServer, name: str) -> None:
    serve(server, {"/": page("/a#x"), "/a": page()})
    for _ in range(2):
        crawl(server, links=name, check_fragments=True, overwrite=True)
    assert [(link.from_, link.to) for link in links(name)] == [(server.url("/"), server.url("/a"))]
    assert len(Path(f"{name}.ids.jsonl").read_text().splitlines()) == 2
    with pytest.raises(UsageError, match="frontier"):
        crawl(server, links=name)


def test_a_program_gets_links_in_a_file_and_rows_as_ever(server: SiteServer) -> None:
    serve(server, {"/": page("/a", "OUT/x"), "/a": page()}, {"/x": page("/y")})
    rows = list(api.fetch([server.url("/")], recursive=True, links="links.csv", check_external=True))
    assert {row.url for row in rows} == {server.url("/"), server.url("/a"), server.url("/x", OUTSIDE)}
    assert [link.to for link in links("links.csv")] == [server.url("/a"), server.url("/x", OUTSIDE)]


def test_check_reports_on_standard_output_and_leaves_no_file(server: SiteServer, tmp_path: Path) -> None:
    serve(server, {"/": page("/a#x", "OUT/x"), "/a": page("/gone")})
    done = fetchpool("check", server.url("/"), "--no-progress", "--retry", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "4 URLs in" in done.stderr
    assert "rows.jsonl" not in done.stderr  # it is gone
    lines = done.stdout.splitlines()
    assert lines[0] == "3 broken links on 2 pages (4 URLs and 3 links checked)"
    assert f"  fragment       {server.url('/a#x')}" in lines
    assert f"  http_404       {server.url('/x', OUTSIDE)}" in lines
    assert list(tmp_path.iterdir()) == []
    done = fetchpool(
        "check", server.url("/"), "-q", "--no-external", "--no-fragments", "--exclude", "gone", cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "no broken links (2 URLs and 3 links checked)\n")


def test_outputs_of_a_configuration_file_are_not_for_checks(server: SiteServer, tmp_path: Path) -> None:
    serve(server, {"/": page("/a", "/b"), "/a": page()})
    Path("fetchpool.toml").write_text('output = ["rows.txt"]\nexclude = ["/b"]\n')
    done = fetchpool("check", server.url("/"), "-q", "--config", "fetchpool.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each.name for each in tmp_path.iterdir()] == ["fetchpool.toml"]


def test_check_keeps_its_files_and_resumes_with_them(server: SiteServer, tmp_path: Path) -> None:
    serve(server, {"/": page("/a"), "/a": page("/gone")})
    command = ("check", server.url("/"), "-q", "-o", "rows.jsonl", "--format", "json")
    done = fetchpool(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["totals"]["broken"] == 1
    asked = sum(server.requests.values())
    done = fetchpool(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "frontier" in done.stderr
    done = fetchpool(*command, "--resume", cwd=tmp_path)
    assert done.returncode == 1
    assert sum(server.requests.values()) == asked
    done = fetchpool("broken", "rows.jsonl", "--links", "rows.jsonl.links.jsonl", cwd=tmp_path)
    assert done.stdout.startswith("1 broken link on 1 page (3 URLs and 2 links checked)\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "missing argument URL, e.g. fetchpool check https://docs.example.org/"),
        (
            ["check", "http://h/", "-o", "-"],
            "--output: -: name a .jsonl, .csv, .tsv, .sqlite or .parquet file",
        ),
        (
            ["check", "http://h/", "-o", "rows.txt"],
            "--output: rows.txt: name a .jsonl, .csv, .tsv, .sqlite or .parquet file",
        ),
        (["http://h/", "--links", "l.jsonl"], "--links needs --recursive"),
        (
            ["http://h/", "-r", "--check-fragments"],
            "--check-fragments needs --links PATH, where fetchpool broken finds the links",
        ),
        (
            ["http://h/", "-r", "-o", "l.jsonl", "--links", "l.jsonl"],
            "--links: l.jsonl is also an output; choose another name",
        ),
        (
            ["http://h/", "-r", "--links", "links"],
            "--links: links: name a .jsonl, .csv, .tsv, .sqlite or .parquet file",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = fetchpool(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"fetchpool: {said}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_host_that_accepts_no_connection_is_broken(server: SiteServer) -> None:
    """Its robots.txt can't be read either, which alone would leave the link unsure."""
    with socket.create_server((OUTSIDE, 0)) as taken:
        closed = f"http://{OUTSIDE}:{taken.getsockname()[1]}/page"
    serve(server, {"/": page(closed)})
    found = check(server)
    assert [(each.url, each.error) for each in found.of(Verdict.BROKEN)] == [(closed, "refused")]
    assert not list(found.of(Verdict.UNSURE))
