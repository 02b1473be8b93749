"""The options that make a request: what is accepted, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fetchpool.config.configure import configure
from fetchpool.config.cookie_file import cookie_file
from fetchpool.model.errors import UsageError

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"data": "@/nowhere"}, "--data: /nowhere: no such file; check its name"),
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
    ({"headers": ["@/nowhere"]}, "--header: /nowhere: no such file; check its name"),
    (
        {"referer": "https://a/;auto"},
        "--referer: ;auto is not supported; write a URL, which is sent with every request",
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


COOKIE_FILES = {
    "# comment\n\nSet-Cookie: a=1": "line 3 has no cookie in Netscape format",
    "a.example\tTRUE\t/\tFALSE\tlater\tname\tvalue": "line 1 has no cookie in Netscape format",
}


@pytest.mark.parametrize("text", COOKIE_FILES)
def test_a_broken_file_of_cookies_is_rejected_without_repeating_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        configure(cookie=file)
    assert COOKIE_FILES[text] in str(caught.value)


def test_a_cookie_that_is_neither_text_nor_a_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'nowhere' is neither name=value nor a file of cookies"):
        configure(cookie="nowhere")
    with pytest.raises(UsageError, match=r"--cookie-jar: .*: is a directory; name a file in it"):
        configure(cookie_jar=tmp_path)
    with pytest.raises(UsageError, match=r"--cookie-jar: .*: there is no directory .*no$"):
        configure(cookie_jar=tmp_path / "no" / "jar")


def test_cookies_are_written_as_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(
        ".a.example\tTRUE\t/x\tTRUE\t4102444800\tname\tvalue\nb.example\tFALSE\t/\tFALSE\t0\tn\t\n"
    )
    cookies = configure(cookie=file).fetch.cookies
    again = tmp_path / "again.txt"
    again.write_text(cookie_file(cookies))
    assert configure(cookie=again).fetch.cookies == cookies
    assert [cookie.host_only for cookie, _ in cookies] == [False, True]


@pytest.mark.parametrize("text", ["machine a login b passwort s3cret", "what is s3cret"])
def test_a_broken_netrc_is_rejected_without_repeating_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        configure(netrc_file=file)
    assert "is not in the format of .netrc" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_missing_netrc_that_the_user_did_not_name_has_to_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="no such file; create it, or name another one with --netrc-file"):
        configure(netrc=True)
    with pytest.raises(UsageError, match="is not a file; check its name"):
        configure(netrc_file=tmp_path / "absent")


def test_a_name_without_a_password_needs_one_from_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("default login ann password x\n")
    assert configure(netrc_file=file).fetch.netrc == (("", "ann:x"),)
    with pytest.raises(UsageError, match="expected name:password"):
        configure(user="ann")
    with pytest.raises(UsageError, match="mutually exclusive"):
        configure(user="ann:x", netrc_file=file)
