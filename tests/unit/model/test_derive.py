"""What a request keeps that follows from another one: every field is asked for, also one that is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import asdict, fields

from fetchpool.model import derive, urls
from fetchpool.model.discovery import Discovery
from fetchpool.model.failures import FailureKind
from fetchpool.model.record import Cookie
from fetchpool.model.request import CachedVersion, FetchRequest

TARGET = urls.Url("http://b.example/next", "b.example", "")
BEFORE = urls.request(7, "http://a.example/")
COOKIES = (Cookie("session", "1", "a.example", host_only=True, path="/", secure=False),)
COMPLETE = FetchRequest(
    urlnum=7,
    url="http://ann:secret@a.example/list",
    href="http://a.example/list",
    host="a.example",
    credentials="ann:secret",
    error=FailureKind.INVALID_URL,
    error_message="it has one",
    num_retries=1,
    num_redirects=2,
    num_uncounted=3,
    close=True,
    method="HEAD",
    elapsed=3.0,
    addresses=("192.0.2.1",),
    dns_time=0.5,
    spacing=2.0,
    capture_bytes=9,
    crossed_origin=True,
    from_public=True,
    cookies=COOKIES,
    redirects=(("http://a.example/", 302),),
    previous=CachedVersion("http://a.example/list", etag='"1"'),
    position=7,
    input_columns={"name": "x"},
    discovery=Discovery(2, page_hash=b"12345678"),
    first=BEFORE,
    weight=100,
)
"""A value in every field that is not the default."""

CHANGES: dict[str, tuple[Callable[[FetchRequest], FetchRequest], dict[str, Any]]] = {
    "the next hop, at another host": (
        lambda request: derive.redirected(request, TARGET, "GET", cookies=(), from_public=False),
        {
            "href": TARGET.href,
            "host": TARGET.host,
            "method": "GET",
            "num_redirects": 3,
            "addresses": (),
            "dns_time": 0.0,
            "spacing": 0.0,
            "cookies": (),
            "redirects": (),
            "weight": 100 + len(TARGET.href) - len(COMPLETE.href),
        },
    ),
    "closing": (derive.closing, {}),
    "handed back": (lambda request: derive.handed_back(request, 4.0), {"elapsed": 4.0}),
    "introduced": (
        lambda request: derive.with_addresses(request, ("192.0.2.2",), 1.0, 5.0),
        {"addresses": ("192.0.2.2",), "dns_time": 1.5, "elapsed": 4.0, "spacing": 5.0},
    ),
    "spaced": (lambda request: derive.spaced(request, 0.0), {"spacing": 0.0}),
    "with cookies": (lambda request: derive.with_cookies(request, ()), {"cookies": ()}),
    "without_input_columns": (derive.without_input_columns, {"input_columns": None}),
    "with its columns": (
        lambda request: derive.with_input_columns(derive.without_input_columns(request), request),
        {},
    ),
    "one of our own": (
        lambda request: derive.on_behalf_of(request, -1, "http://a.example/robots.txt", 10),
        {
            "urlnum": -1,
            "url": "http://a.example/robots.txt",
            "href": "http://a.example/robots.txt",
            "num_retries": 0,
            "num_uncounted": 0,
            "close": False,
            "num_redirects": 0,
            "method": "GET",
            "elapsed": 0.0,
            "dns_time": 0.0,
            "capture_bytes": 10,
            "cookies": (),
            "redirects": (),
            "previous": None,
            "input_columns": None,
            "first": None,
            "weight": 0,
        },
    ),
}
KEPT_BY_ALL = {"error", "error_message", "crossed_origin", "from_public", "credentials"}
"""What tells a request's rights and refusals goes with it wherever it leads."""


def test_the_request_that_is_asked_with_has_a_value_in_every_field() -> None:
    """A new field fails here: give it one, and say above which followers change it."""
    for field in fields(FetchRequest):
        assert getattr(COMPLETE, field.name) != field.default, field.name


@pytest.mark.parametrize("follower", CHANGES)
def test_derived_requests_keep_every_field_except_the_named_ones(follower: str) -> None:
    follow, changes = CHANGES[follower]
    assert asdict(follow(COMPLETE)) == {**asdict(COMPLETE), **changes}
    assert not KEPT_BY_ALL & changes.keys()


def test_rights_are_lost_with_the_origin_and_never_come_back() -> None:
    start = urls.request(0, "http://a.example/")
    within = derive.redirected(
        start, urls.Url("http://a.example/x", "a.example", ""), "", cookies=(), from_public=False
    )
    assert (within.crossed_origin, within.from_public, within.first) == (False, False, start)
    outside = derive.redirected(within, TARGET, "", cookies=(), from_public=True)
    assert (outside.crossed_origin, outside.from_public, outside.first) == (True, True, start)
    back = derive.redirected(
        outside, urls.Url(start.href, "a.example", ""), "", cookies=(), from_public=False
    )
    assert (back.crossed_origin, back.from_public, back.first) == (True, True, start)


@pytest.mark.parametrize("start", [BEFORE, COMPLETE], ids=["with rights", "without"])
def test_another_attempt_starts_with_the_first_hop_and_its_rights(start: FetchRequest) -> None:
    """Also one of our own that was without the user's credentials from its first hop on."""
    start = derive.on_behalf_of(start, -1, "http://a.example/robots.txt", 10)
    hop = derive.redirected(
        derive.with_addresses(start, ("192.0.2.3",), 1.0), TARGET, "", cookies=(), from_public=True
    )
    fresh = {"num_retries": 1, "elapsed": 0.0, "dns_time": 0.0, "addresses": (), "spacing": 0.0}
    for attempt in (start, derive.with_addresses(start, ("192.0.2.3",), 1.0), hop):
        assert asdict(derive.again(attempt)) == {**asdict(start), **fresh}


def test_another_attempt_keeps_the_columns_that_no_worker_was_sent() -> None:
    hop = derive.redirected(derive.without_input_columns(COMPLETE), TARGET, "", cookies=(), from_public=False)
    assert derive.again(derive.with_input_columns(hop, COMPLETE)).input_columns == COMPLETE.input_columns


@pytest.mark.parametrize(
    ("origin", "is_foreign"),
    [("http://a.example", False), ("http://b.example", True), ("https://a.example", True)],
)
def test_a_url_of_a_sitemap_has_the_rights_of_a_redirect_from_it(origin: str, is_foreign: bool) -> None:
    request = urls.request(0, "http://a.example/list")
    listed = derive.listed_by(request, origin, from_public=True)
    assert asdict(listed) == {**asdict(request), "crossed_origin": is_foreign, "from_public": True}
    invalid = urls.request(0, "http://[::1")
    assert derive.listed_by(invalid, origin, from_public=True) == invalid
