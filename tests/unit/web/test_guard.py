"""The guard lets in the user's own page and scripts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchpool.web.guard import MAX_BODY, Guard
from fetchpool.web.messages import Access
from tests.unit.web.asgi import Answer, call

HOST = ("Host", "127.0.0.1:8642")
ORIGIN = ("Origin", "http://127.0.0.1:8642")
BEARER = ("Authorization", "Bearer sesame")
COMMANDS = ("/api/pause", "/api/stop", "/api/settings", "/metrics", "/", "/static/x/page.js", "/nothing")
HOSTS = ("127.0.0.1:8642", "localhost:8642", "[::1]:8642")


class Recorder:
    """An application that records what reaches it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.append(f"{scope['method']} {scope['path']}")
        self.bodies.append((await receive()).get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


def guard(app: Recorder | None = None, **more: Any) -> Guard:
    values = {
        "port": 8642,
        "hosts": HOSTS,
        "origins": tuple(f"http://{host}" for host in HOSTS),
        "links": ("ticket",),
        "bearer": "sesame",
    }
    return Guard(app or Recorder(), Access(**{**values, **more}))


def log_in(app: Guard, token: str = "ticket") -> Answer:
    return call(app, "GET", f"/?token={token}", [HOST])


def cookie(answer: Answer) -> tuple[str, str]:
    return "Cookie", answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["127.0.0.1:8642", "127.0.0.1:8642"],
        ["127.0.0.1:8642", "evil.example"],
        ["127.0.0.1"],
        ["127.0.0.1:8643"],
        ["localhost.:8642"],
        ["127.0.0.1.evil.example:8642"],
        ["evil.example:8642"],
        ["127.0.0.1:8642 "],
        ["127.0.0.1:8642, evil.example"],
        [""],
    ],
)
def test_another_host_is_rejected_before_anything_else(hosts: list[str]) -> None:
    app = Recorder()
    for path in COMMANDS:
        for method in ("GET", "POST", "DELETE", "FOO"):
            headers = [*(("Host", host) for host in hosts), ORIGIN, BEARER]
            assert call(guard(app), method, path, headers).status == 421
    assert app.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "LOCALHOST:8642", "[::1]:8642"])
def test_each_name_of_this_server_is_accepted(host: str) -> None:
    assert call(guard(), "GET", "/api/run", [("Host", host), BEARER]).status == 200


def test_an_absolute_target_is_rejected() -> None:
    assert call(guard(), "GET", "http://127.0.0.1:8642/api/run", [HOST, BEARER]).status == 421


def test_the_own_address_is_a_host_only_if_it_listens_on_all() -> None:
    headers = [("Host", "192.0.2.7:8642"), BEARER]
    assert call(guard(), "GET", "/api/run", headers).status == 421
    assert call(guard(any_address=True), "GET", "/api/run", headers).status == 200
    posted = [*headers, ("Origin", "http://192.0.2.7:8642")]
    assert call(guard(any_address=True), "POST", "/api/pause", posted).status == 200


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO", "get"])
def test_no_other_method_reaches_a_path(method: str, path: str) -> None:
    app = Recorder()
    answer = call(guard(app), method, path, [HOST, ORIGIN, BEARER])
    assert (answer.status, app.requests) == (405, [])
    assert answer.headers["allow"] == "GET, HEAD, PATCH, POST"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "none, cross-site"])
def test_another_site_cannot_read_the_api(site: str) -> None:
    headers = [HOST, BEARER, ("Sec-Fetch-Site", site)]
    assert call(guard(), "GET", "/api/snapshot", headers).status == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_our_page_can_read_the_api(site: str) -> None:
    headers = [HOST, BEARER, ("Sec-Fetch-Site", site)]
    assert call(guard(), "GET", "/api/snapshot", headers).status == 200


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["null"],
        ["http://127.0.0.1:9999"],
        ["https://127.0.0.1:8642"],
        ["http://evil.example"],
        ["http://127.0.0.1:8642", "http://evil.example"],
        ["http://127.0.0.1:8642/"],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_logged_in_browser_cannot_steer_from_another_page(method: str, origins: list[str]) -> None:
    app = Recorder()
    guarded = guard(app)
    session = cookie(log_in(guarded))
    headers = [HOST, session, *(("Origin", origin) for origin in origins)]
    for path in COMMANDS:
        assert call(guarded, method, path, headers).status == 403
    assert app.requests == []
    assert call(guarded, method, "/api/pause", [HOST, session, ORIGIN]).status == 200


def test_a_script_needs_no_origin() -> None:
    assert call(guard(), "POST", "/api/pause", [HOST, BEARER]).status == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", "Bearer", "Bearer ", "sesame", "Basic sesame", "Bearer sesame, Bearer sesame", ""],
)
def test_a_wrong_token_does_not_log_in_even_with_a_cookie(header: str) -> None:
    guarded = guard()
    headers = [HOST, cookie(log_in(guarded)), ORIGIN, ("Authorization", header)]
    assert call(guarded, "GET", "/api/run", headers).status == 401
    assert call(guarded, "POST", "/api/pause", headers).status == 401


def test_without_a_token_of_scripts_no_token_works() -> None:
    for given_token in ("", "sesame", "ticket"):
        headers = [HOST, ("Authorization", f"Bearer {given_token}")]
        assert call(guard(bearer=""), "GET", "/api/run", headers).status == 401


def test_static_files_alone_need_no_login() -> None:
    statuses = {path: call(guard(), "GET", path, [HOST]).status for path in COMMANDS}
    assert statuses.pop("/static/x/page.js") == 200
    assert set(statuses.values()) == {401}


def test_a_link_works_once_and_leaves_no_token_in_the_address() -> None:
    guarded = guard()
    first = log_in(guarded)
    assert (first.status, first.headers["location"]) == (303, "/")
    assert first.headers["set-cookie"].endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert first.headers["set-cookie"].startswith("fetchpool-8642=")
    assert call(guarded, "GET", "/", [HOST, cookie(first)]).status == 200
    second = log_in(guarded)
    assert (second.status, "set-cookie" in second.headers) == (401, False)
    assert "each link works once" in second.json["error"]
    again = call(guarded, "GET", "/?token=ticket", [HOST, cookie(first)])
    assert (again.status, "set-cookie" in again.headers) == (303, False)


def test_a_new_link_works_next_to_the_first() -> None:
    guarded = guard()
    guarded.add_link("another")
    assert log_in(guarded, "another").status == 303
    assert log_in(guarded).status == 303


@pytest.mark.parametrize("target", ["/?token=", "/?token=wrong", "/?token=sesame", "/api/run?token=ticket"])
def test_no_other_address_logs_in(target: str) -> None:
    guarded = guard()
    answer = call(guarded, "GET", target, [HOST])
    assert (answer.status, "set-cookie" in answer.headers) == (401, False)
    assert log_in(guarded).status == 303


def test_a_link_is_not_used_up_by_a_look_at_its_headers() -> None:
    guarded = guard()
    assert call(guarded, "HEAD", "/?token=ticket", [HOST]).status == 401
    assert log_in(guarded).status == 303


def test_someone_in_front_of_a_browser_gets_a_page() -> None:
    answer = call(guard(), "GET", "/", [HOST, ("Accept", "text/html,*/*")])
    assert answer.status == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert b"open the link that the run printed" in answer.body


def test_a_read_only_page_takes_no_command() -> None:
    app = Recorder()
    guarded = guard(app, read_only=True)
    for headers in ([HOST, BEARER], [HOST, ORIGIN, cookie(log_in(guarded))]):
        answer = call(guarded, "POST", "/api/pause", headers)
        assert answer.status == 403
        assert "--web-read-only" in answer.json["error"]
        assert call(guarded, "GET", "/api/run", headers).status == 200
    assert app.requests == ["GET /api/run"] * 2


def test_a_read_only_link_lets_its_browser_see_and_not_steer() -> None:
    app = Recorder()
    guarded = guard(app)
    guarded.add_link("for others", read_only=True)
    viewer, user = cookie(log_in(guarded, "for others")), cookie(log_in(guarded))
    assert viewer != user
    assert log_in(guarded, "for others").status == 401
    for path in ("/api/pause", "/api/abort", "/api/settings"):
        answer = call(guarded, "POST", path, [HOST, ORIGIN, viewer])
        assert answer.status == 403
        assert "read-only" in answer.json["error"]
    assert call(guarded, "GET", "/api/run", [HOST, viewer]).status == 200
    assert call(guarded, "POST", "/api/pause", [HOST, ORIGIN, user]).status == 200
    assert call(guarded, "POST", "/api/pause", [HOST, BEARER, viewer]).status == 200
    assert app.requests == ["GET /api/run", "POST /api/pause", "POST /api/pause"]


@pytest.mark.parametrize("length", ["10000000", str(MAX_BODY + 1), None])
def test_a_large_body_is_not_read_to_its_end(length: str | None) -> None:
    app = Recorder()
    headers = [HOST, BEARER, *([("Content-Length", length)] if length else [])]
    parts = [b"x" * 1000] * 10
    assert call(guard(app), "PATCH", "/api/settings", headers, parts).status == 413
    assert app.requests == []


def test_a_body_in_parts_reaches_the_application() -> None:
    app = Recorder()
    call(guard(app), "PATCH", "/api/settings", [HOST, BEARER], [b'{"rate"', b': "1/s"}'])
    assert app.bodies == [b'{"rate": "1/s"}']


tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
headers_of_strangers = st.lists(
    st.tuples(
        st.sampled_from(["Host", "Origin", "Cookie", "Authorization", "Sec-Fetch-Site", "Accept", "X"]),
        st.one_of(
            tokens,
            st.sampled_from([*HOSTS, *(f"http://{host}" for host in HOSTS), "null", "none", "same-origin"]),
            st.builds("fetchpool-8642={}".format, tokens),
            st.builds("Bearer {}".format, tokens),
        ),
    ),
    max_size=6,
)


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "FOO"]),
    path=st.sampled_from([path for path in COMMANDS if not path.startswith("/static/")]),
    query=st.builds("token={}".format, tokens) | st.just(""),
    headers=headers_of_strangers,
)
@settings(max_examples=150)
def test_whatever_a_stranger_sends_reaches_nothing(
    method: str, path: str, query: str, headers: Sequence[tuple[str, str]]
) -> None:
    app = Recorder()
    answer = call(guard(app, links=("t" * 43,), bearer="s" * 43), method, f"{path}?{query}", headers)
    assert app.requests == []
    assert answer.status in (401, 403, 405, 421)
    assert "set-cookie" not in answer.headers
    # What no response may lack, and what none may have.
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
