"""The options that make a request: what is accepted, and what is refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from fetchpool.config.configure import configure
from fetchpool.model.errors import UsageError

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"data": "@/nowhere"}, "--data: /nowhere: No such file or directory"),
    ({"data": "@-"}, "--data: expected a file after @; standard input is for the list of URLs"),
    ({"data": 5}, "--data: expected str or bytes, got int"),
    ({"data": [None]}, "--data: expected str or bytes, got NoneType"),
    ({"data": "a", "json": "{}"}, "--data and --json are mutually exclusive"),
    ({"data": "a", "method": "HEAD"}, "--data: a HEAD request has no body"),
    ({"json": {"a": object}}, "--json: not a JSON value (Object of type type is not JSON serializable)"),
    (
        {"json": float("nan")},
        "--json: not a JSON value (Out of range float values are not JSON compliant: nan)",
    ),
    ({"headers": ["@/nowhere"]}, "--header: /nowhere: No such file or directory"),
    (
        {"referer": "https://a/;auto"},
        "--referer: ;auto is not offered; write the URL, which the URLs of the list get",
    ),
    ({"range": "bytes=0-4"}, "--range: 'bytes=0-4' is not a range of bytes; write 0-499, -500 or 9500-"),
    ({"range": "9-4"}, "--range: 9-4 ends before its start"),
    ({"accept": "2xx"}, "--accept: '2xx' is not a status; write 200..299,403"),
    ({"accept": [299, "20"]}, "--accept: '20' is not a status; write 200..299,403"),
    ({"accept": "299..200"}, "--accept: '299..200' is not a range of statuses from 100 to 999"),
]


@pytest.mark.parametrize(("options", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_invalid_request_options_are_rejected_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        configure(**options)
    assert str(caught.value).startswith(message.partition(" (Out of range")[0])


def test_a_body_makes_the_method_post_unless_one_is_given() -> None:
    assert configure().fetch.method == "GET"
    assert configure(data="a").fetch.method == "POST"
    assert configure(data="a", method="get").fetch.method == "GET"
    assert configure(data="").fetch.method == "POST"


def test_a_given_header_takes_precedence_over_the_one_of_an_option() -> None:
    fetch = configure(json={}, referer="https://a/", headers={"content-type": "x/y", "Accept": "x/z"}).fetch
    assert fetch.headers == (("content-type", "x/y"), ("Accept", "x/z"), ("Referer", "https://a/"))


def test_statuses_are_given_as_text_or_numbers() -> None:
    fetch = configure(accept=[200, "301..303, 404"]).fetch
    assert fetch.accept == ((200, 200), (301, 303), (404, 404))
    assert [fetch.accepts(status) for status in (200, 204, 302, 404, 500)] == [True, False, True, True, False]
    assert [configure().fetch.accepts(status) for status in (200, 399, 400)] == [True, True, False]


def test_a_list_is_a_json_array_in_a_program() -> None:
    assert configure(json=[1, "ä"]).fetch.body == '[1, "ä"]'.encode()
    assert configure(json=("{", "}")).fetch.body == b"{}"
