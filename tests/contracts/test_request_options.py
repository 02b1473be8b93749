"""The options that make a request, with every transport and executor, as a server receives them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import fetchpool
from fetchpool import Record
from tests.faults.matrix import CURL, Way, fetch_urls, in_every_way, over_each_transport
from tests.recording_server import RecordingServer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[RecordingServer]:
    """Another origin."""
    with RecordingServer("127.0.0.2") as server:
        yield server


def fetch_one(way: Way, url: str, **settings: Any) -> Record:
    [record] = fetch_urls(way, [url], **settings)
    return record


@in_every_way
def test_data_is_posted_as_a_form(way: Way, server: RecordingServer) -> None:
    record = fetch_one(way, server.url("form"), data=["a=1", b"b=\xff"])
    assert (record.error, record.method) == (None, "POST")
    [request] = server.requests
    assert (request.method, request.body) == ("POST", b"a=1&b=\xff")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "expect" not in request.headers


@over_each_transport
@pytest.mark.parametrize("given", ['{"q": "ä"}', {"q": "ä"}], ids=["text", "value"])
def test_json_is_posted_with_its_type(way: Way, given: Any, server: RecordingServer) -> None:
    assert fetch_one(way, server.url(), json=given).error is None
    [request] = server.requests
    assert (request.method, json.loads(request.body)) == ("POST", {"q": "ä"})
    assert request.headers["content-type"] == request.headers["accept"] == "application/json"


@over_each_transport
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
def test_a_body_goes_with_any_method_that_may_have_one(
    way: Way, method: str, server: RecordingServer
) -> None:
    urls = [server.url("1"), server.url("2")]
    records = fetch_urls(way, urls, method=method, data="x", headers=["Content-Type: text/plain"], workers=1)
    assert [record.error for record in records] == [None, None]
    for request in server.requests:
        assert (request.method, request.body, request.headers["content-type"]) == (method, b"x", "text/plain")


@over_each_transport
def test_files_are_read_as_curl_reads_them(way: Way, server: RecordingServer, tmp_path: Path) -> None:
    form, payload, headers = tmp_path / "form", tmp_path / "payload", tmp_path / "headers"
    form.write_text("a=1\r\nb=2\n")
    payload.write_text('{\n "a": 1\n}\n')
    headers.write_text("X-One: 1\n\nX-Two: 2\r\n")
    fetch_one(way, server.url(), data=f"@{form}", headers=[f"@{headers}", "X-Three: 3"])
    fetch_one(way, server.url(), json=f"@{payload}")
    first, second = server.requests
    assert (first.body, second.body) == (b"a=1b=2", payload.read_bytes())
    assert [first.headers[f"x-{name}"] for name in ("one", "two", "three")] == ["1", "2", "3"]


@in_every_way
def test_a_body_is_sent_again_only_to_its_own_origin(
    way: Way, server: RecordingServer, other: RecordingServer
) -> None:
    within = fetch_one(way, server.url(f"redirect/307/{quote('/next', safe='')}"), data="secret=1")
    assert (within.error, [request.body for request in server.requests]) == (None, [b"secret=1"] * 2)
    for status in (307, 308):
        record = fetch_one(
            way, server.url(f"redirect/{status}/{quote(other.url(), safe='')}"), data="secret=1"
        )
        assert (record.error, record.response_code) == (f"http_{status}", status)
        assert other.url().removesuffix("/") in (record.errormsg or "")
    assert other.requests == []


@in_every_way
def test_a_redirect_that_changes_the_method_drops_the_body(
    way: Way, server: RecordingServer, other: RecordingServer
) -> None:
    for target in ("/next", other.url()):
        record = fetch_one(way, server.url(f"redirect/303/{quote(target, safe='')}"), data="secret=1")
        assert (record.error, record.method) == (None, "GET")
    for request in (server.requests[1], other.requests[0]):
        assert (request.method, request.body) == ("GET", b"")
        assert not {"content-type", "content-length"} & request.headers.keys()


def test_robots_txt_is_requested_without_the_body(server: RecordingServer) -> None:
    fetch_one(CURL, server.url("page"), json="{}", range="0-3", robots=True)
    robots, page = server.requests
    assert (robots.method, robots.path, robots.body) == ("GET", "/robots.txt", b"")
    assert not {"content-type", "content-length", "range"} & robots.headers.keys()
    assert page.body == b"{}"


@over_each_transport
def test_referer_and_range_are_headers(way: Way, server: RecordingServer) -> None:
    record = fetch_one(way, server.url(), referer="https://example.org/", range="0-3")
    assert record.error is None
    [request] = server.requests
    assert (request.headers["referer"], request.headers["range"]) == ("https://example.org/", "bytes=0-3")


@in_every_way
def test_without_following_a_redirect_is_the_final_response(way: Way, server: RecordingServer) -> None:
    target = quote("/next?a=1", safe="")
    record = fetch_one(way, server.url(f"redirect/301/{target}"), no_follow=True, parse="title")
    assert (record.error, record.response_code, record.num_redirects) == (None, 301, 0)
    assert record.extra["redirect_url"] == server.url("next?a=1")
    assert record.extra["title"] == "page"
    assert record.size_delivered == len("<title>page</title>")
    assert len(server.requests) == 1


def test_a_page_has_no_redirect_url(server: RecordingServer) -> None:
    assert "redirect_url" not in fetch_one(CURL, server.url(), no_follow=True).extra


@in_every_way
def test_accept_says_which_statuses_are_no_failure(way: Way, server: RecordingServer) -> None:
    paths = ["status/200", "status/204", "status/403", "status/503"]
    records = fetch_urls(
        way, [server.url(path) for path in paths], accept=["200", "403,500..599"], parse="title"
    )
    assert [record.error for record in records] == [None, "http_204", None, None]
    assert [record.exitcode for record in records] == [0, 22, 0, 0]
    assert [record.extra.get("title") for record in records] == ["page", None, "page", "page"]


@over_each_transport
def test_a_status_that_is_not_accepted_has_no_content(
    way: Way, server: RecordingServer, tmp_path: Path
) -> None:
    record = fetch_one(way, server.url(), accept="404", parse="title", save=str(tmp_path))
    assert (record.error, record.extra) == ("http_200", {})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_run_stops_after_too_many_failures(server: RecordingServer) -> None:
    urls = [server.url("status/404")] * 500
    records = list(fetchpool.fetch(urls, workers=1, dedupe=False, max_failures=3))
    assert 3 <= len(records) < 50


NETSCAPE = (
    "# Netscape HTTP Cookie File\n\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsaved\tyes\n"
    "#HttpOnly_127.0.0.2\tFALSE\t/\tFALSE\t4102444800\tother\tsecret\n"
    "127.0.0.1\tFALSE\t/\tFALSE\t1\tstale\tgone\n"
)


@in_every_way
def test_a_text_of_cookies_goes_to_the_urls_of_the_list_only(
    way: Way, server: RecordingServer, other: RecordingServer
) -> None:
    url = server.url(f"redirect/302/{quote(other.url(), safe='')}")
    assert fetch_one(way, url, cookie="a=1; b=2").error is None
    assert server.requests[0].headers["cookie"] == "a=1; b=2"
    assert "cookie" not in other.requests[0].headers


@in_every_way
def test_the_cookies_of_a_file_go_each_to_its_own_site(
    way: Way, server: RecordingServer, other: RecordingServer, tmp_path: Path
) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(NETSCAPE)
    url = server.url(f"redirect/302/{quote(other.url(), safe='')}")
    assert fetch_one(way, url, cookie=[file, "a=1"]).error is None
    assert server.requests[0].headers["cookie"] == "a=1; saved=yes"
    assert other.requests[0].headers["cookie"] == "other=secret"


@in_every_way
def test_cookies_are_shared_among_urls_only_with_a_cookie_jar(
    way: Way, server: RecordingServer, other: RecordingServer, tmp_path: Path
) -> None:
    jar = tmp_path / "jar"
    urls = [server.url(f"login/{quote('session=1; Path=/; Max-Age=3600')}"), server.url("page"), other.url()]
    for settings in ({}, {"cookie_jar": jar}):
        for record in fetchpool.fetch(
            urls, workers=1, executor=way.executor, transport=way.transport, **settings
        ):
            assert record.error is None
    sent = [request.headers.get("cookie") for request in server.requests if request.path == "/page"]
    assert sent == [None, "session=1"]
    assert [request.headers.get("cookie") for request in other.requests] == [None, None]
    [line] = [line for line in jar.read_text().splitlines() if line and not line.startswith("#")]
    domain, subdomains, path, secure, expires, name, value = line.split("\t")
    assert (domain, subdomains, path, secure, name, value) == (
        "127.0.0.1",
        "FALSE",
        "/",
        "FALSE",
        "session",
        "1",
    )
    assert int(expires) > 1_700_000_000
    assert jar.stat().st_mode & 0o77 == 0


def test_a_cookie_jar_takes_over_the_cookies_of_a_file(server: RecordingServer, tmp_path: Path) -> None:
    jar = tmp_path / "jar"
    jar.write_text(NETSCAPE)
    urls = [server.url(f"login/{quote('saved=; Max-Age=0; Path=/')}"), server.url("page")]
    list(fetchpool.fetch(urls, workers=1, cookie=jar, cookie_jar=jar))
    assert [request.headers.get("cookie") for request in server.requests] == ["saved=yes", None]
    assert "saved" not in jar.read_text()
    assert "other\tsecret" in jar.read_text()


@in_every_way
def test_a_cookie_wall_is_passed(way: Way, server: RecordingServer, tmp_path: Path) -> None:
    url = server.url(f"cookie/{quote('wall=passed; Path=/')}")
    for settings in ({}, {"cookie_jar": tmp_path / "jar"}):
        assert fetch_one(way, url, **settings).error is None
        assert server.requests[-1].headers["cookie"] == "wall=passed"


@over_each_transport
def test_netrc_gives_each_host_its_password(
    way: Way, server: RecordingServer, other: RecordingServer, tmp_path: Path
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login ann password s3cret\nmachine 127.0.0.2 login bob password x\n")
    urls = [server.url(), other.url(), server.url(f"redirect/302/{quote(other.url(), safe='')}")]
    fetch_urls(way, urls, netrc_file=file, workers=1)
    basic = {name: f"Basic {base64.b64encode(name.encode()).decode()}" for name in ("ann:s3cret", "bob:x")}
    assert {request.headers["authorization"] for request in server.requests} == {basic["ann:s3cret"]}
    assert [request.headers.get("authorization") for request in other.requests] == [basic["bob:x"], None]


def test_netrc_completes_a_users_name(server: RecordingServer, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login ann password s3cret\n")
    fetch_one(CURL, server.url(), netrc_file=file, user="ann")
    assert "authorization" in server.requests[0].headers
    with pytest.raises(fetchpool.UsageError, match="has no entry of user bob"):
        list(fetchpool.fetch([], netrc_file=file, user="bob"))
