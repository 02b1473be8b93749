"""Cookies of one chain: which are kept, and where they go."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.http.cookies import LONGEST_HEADER, MAX_COOKIES, add_cookies, learned

HERE = "http://www.site.example/a/b?q=/x/"


def sent(lines: list[str], href: str, *, set_by: str = HERE, own: str = "") -> str:
    """What a hop says after an answer with these `Set-Cookie` values."""
    headers = (("X-One", "1"), *((("cookie", own),) if own else ()))
    found = add_cookies(headers, learned((), lines, set_by), href)
    assert found[0] == ("X-One", "1")
    values = [value for name, value in found if name.lower() == "cookie"]
    assert len(values) <= 1
    return values[0] if values else ""


@pytest.mark.parametrize(
    ("line", "href", "goes"),
    [
        ("c=1", HERE, True),
        ("c=1", "https://www.site.example/a/z", True),
        ("c=1", "http://www.site.example:8080/a/", True),
        ("c=1", "http://www.site.example/a", True),
        ("c=1", "http://www.site.example/", False),
        ("c=1; path=/", "http://www.site.example/", True),
        ("c=1; Path=/x", "http://www.site.example/x", True),
        ("c=1; Path=/x", "http://www.site.example/x?y", True),
        ("c=1; Path=/x", "http://www.site.example/x/y", True),
        ("c=1; Path=/x", "http://www.site.example/xy", False),
        ("c=1; Path=x", HERE, True),
        ("c=1", "http://site.example/a/", False),
        ("c=1", "http://sub.www.site.example/a/", False),
        ("c=1; Domain=site.example", "http://site.example/a/", True),
        ("c=1; Domain=.Site.Example", "http://auth.site.example/a/", True),
        ("c=1; Domain=site.example", "http://othersite.example/a/", False),
        ("c=1; Domain=other.example", HERE, False),
        ("c=1; Domain=a.www.site.example", HERE, False),
        ("c=1; Domain=example", HERE, False),
        ("c=1; Domain=", HERE, True),
        ("c=1; Secure", HERE, False),
        ("c=1; Secure", HERE.replace("http:", "https:"), True),
        ("c=1; Max-Age=0", HERE, False),
        ("c=1; Max-Age=-1", HERE, False),
        ("c=1; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HERE, True),
        ("c=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HERE, False),
        ("c=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", HERE, False),
        ("c=1; Expires=Wed, 01 Jan 2200 00:00:00 GMT", HERE, True),
        ("c=1; Expires=never", HERE, True),
        (f"c={'1' * 4096}", HERE, False),
        ("c=1\x00", HERE, False),
        ("c=\x1b1", HERE, False),
        ("=1", HERE, False),
        ("c", HERE, False),
        ("", HERE, False),
    ],
)
def test_a_cookie_goes_where_it_belongs(line: str, href: str, goes: bool) -> None:
    assert sent([line], href) == ("c=1" if goes else "")


@pytest.mark.parametrize(
    ("domain", "set_by", "href"),
    [
        ("co.uk", "http://evil.co.uk/", "http://bank.co.uk/"),
        ("com.au", "http://evil.com.au/", "http://bank.com.au/"),
        ("github.io", "http://evil.github.io/", "http://other.github.io/"),
        ("amazonaws.com", "http://evil.s3.amazonaws.com/", "http://other.s3.amazonaws.com/"),
        ("s3.amazonaws.com", "http://evil.s3.amazonaws.com/", "http://other.s3.amazonaws.com/"),
        ("com", "http://evil.com/", "http://bank.com/"),
        ("localhost", "http://localhost/", "http://sub.localhost/"),
        ("0.0.1", "http://127.0.0.1/", "http://127.0.0.2/"),
        ("127.0.0.1", "http://127.0.0.1/", "http://127.0.0.2/"),
        ("github.io", "http://github.io/", "http://other.github.io/"),
    ],
)
def test_no_cookie_is_set_for_a_public_suffix(domain: str, set_by: str, href: str) -> None:
    assert sent([f"c=1; Domain={domain}"], href, set_by=set_by) == ""


def test_the_last_cookie_of_a_name_counts_and_longer_paths_go_first() -> None:
    assert sent(["a=1", "b=2; Path=/", "a=3"], HERE) == "a=3; b=2"
    assert sent(["a=1; Path=/", "a=2"], HERE) == "a=2; a=1"


def test_a_cookie_that_the_server_deletes_is_gone() -> None:
    cookies = learned(learned((), ["a=1", "b=2"], HERE), ["a=; Max-Age=0"], HERE)
    assert [each.name for each in cookies] == ["b"]


def test_the_users_cookies_come_first_except_those_the_server_has_set_since() -> None:
    assert sent(["b=new"], HERE, own="a=1;b=old; c=3") == "a=1; c=3; b=new"
    assert sent(["b=new; Path=/else"], HERE, own="a=1;b=old") == "a=1;b=old"


def test_number_and_size_of_cookies_are_limited() -> None:
    flood = [f"c{number}={'x' * 1000}" for number in range(5000)]
    cookies = learned((), flood, HERE)
    assert [each.name for each in cookies] == [f"c{number}" for number in range(5000 - MAX_COOKIES, 5000)]
    assert 0 < len(sent(flood, HERE)) <= LONGEST_HEADER


@pytest.mark.parametrize("piece", ["; ", "a=", ";Domain=", "; Expires=1-", " ", "=", "; Max-Age=9", "-", ","])
def test_a_megabyte_of_anything_takes_no_time(piece: str) -> None:
    line = "a=b; Expires=" + piece * (300_000 // len(piece))
    started = perf_counter()
    for size in (len(line), 8000):
        learned((), [line[:size]] * 20, HERE)
    assert perf_counter() - started < 2


@given(
    st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=5),
    st.sampled_from([HERE, "http://[::1]:80/", "https://h/"]),
)
def test_nothing_a_server_sends_makes_it_raise_or_break_a_line(lines: list[str], href: str) -> None:
    said = sent([f"c=1; {line}" for line in lines] + lines, href, set_by=href)
    assert not set(said) & set("\r\n\0")
