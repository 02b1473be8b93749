"""The one URL parser: what it takes, what it refuses, and what is never shown."""

from __future__ import annotations

import can_ada
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import InvalidUrl, Url, parse, redact, request, with_scheme

BLANKS = "".join(map(chr, range(0x21)))  # alone before the @ they are no secret

# Any text, with what URLs are made of far more often than chance would have it.
url_text = st.lists(
    st.one_of(
        st.sampled_from(["http", "https", "ftp", "mailto", "user", "host", "8080", "::1", "xn--a"]),
        st.sampled_from([":", "//", "/", "\\", "@", "?", "#", ".", "[", "]", "%", "\uff0e", "\uff20"]),
        st.sampled_from(["\t", "\n", " ", "\x00", "\xe9", "\u202e", "\udc80"]),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


def fetchable(text: str, base: str | None = None) -> Url:
    url = parse(text, base)
    assert isinstance(url, Url), url
    return url


@pytest.mark.parametrize(
    ("text", "href", "host", "origin"),
    [
        ("http://example.org", "http://example.org/", "example.org", "http://example.org"),
        ("HTTPS://Example.ORG:443/a b", "https://example.org/a%20b", "example.org", "https://example.org"),
        ("http://h:8080/p?q=1#part", "http://h:8080/p?q=1", "h", "http://h:8080"),
        ("http://h?a@b//c", "http://h/?a@b//c", "h", "http://h"),
        ("http://[::1]/y", "http://[::1]/y", "[::1]", "http://[::1]"),
        ("http://[::1]:81/y", "http://[::1]:81/y", "[::1]", "http://[::1]:81"),
        ("http://h/[/foo]", "http://h/[/foo]", "h", "http://h"),
        ("http://2130706433/", "http://127.0.0.1/", "127.0.0.1", "http://127.0.0.1"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example", None),
        ("http://h/a\x00b", "http://h/a%00b", "h", "http://h"),
        ("http://h//double//slash", "http://h//double//slash", "h", "http://h"),
        ("http://host\\@evil/", "http://host/@evil/", "host", "http://host"),
        ("http://example.org./", "http://example.org./", "example.org.", "http://example.org."),
    ],
)
def test_a_url_is_normalised_as_browsers_do(text: str, href: str, host: str, origin: str | None) -> None:
    url = fetchable(text)
    assert (url.href, url.host, url.credentials) == (href, host, "")
    assert origin is None or url.origin == origin


@pytest.mark.parametrize(
    ("text", "credentials", "href"),
    [
        ("http://user:secret@h/p", "user:secret", "http://h/p"),
        ("http://user@h:81/p", "user:", "http://h:81/p"),
        ("http://:secret@h/", ":secret", "http://h/"),
        ("http://us%3Aer:p%40ss@h/", "us:er:p@ss", "http://h/"),
        ("http://a@b:c@h/?x#y", "a@b:c", "http://h/?x"),
        ("https://u:p@[::1]:81/", "u:p", "https://[::1]:81/"),
    ],
)
def test_credentials_are_taken_out_of_the_url(text: str, credentials: str, href: str) -> None:
    url = fetchable(text)
    assert (url.credentials, url.href) == (credentials, href)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", FailureKind.INVALID_URL),
        ("http://", FailureKind.INVALID_URL),
        ("http://[::1", FailureKind.INVALID_URL),
        ("http://ho st/", FailureKind.INVALID_URL),
        ("http://a\x00b/", FailureKind.INVALID_URL),
        ("http://h:99999/", FailureKind.INVALID_URL),
        ("http://h/\udcff", FailureKind.INVALID_URL),
        ("http://a..b/", FailureKind.INVALID_URL),
        ("http://.a/", FailureKind.INVALID_URL),
        ("http://./", FailureKind.INVALID_URL),
        ("http://" + "a" * 64 + ".org/", FailureKind.INVALID_URL),
        ("http://" + "a." * 130 + "org/", FailureKind.INVALID_URL),
        ("http://h/" + "x" * urls.MAX_URL, FailureKind.INVALID_URL),
        ("file:///etc/passwd", FailureKind.UNSUPPORTED_SCHEME),
        ("gopher://h/", FailureKind.UNSUPPORTED_SCHEME),
        ("javascript:alert(1)", FailureKind.UNSUPPORTED_SCHEME),
        ("ftp://h/x", FailureKind.UNSUPPORTED_SCHEME),
        ("s3://bucket/key", FailureKind.UNSUPPORTED_SCHEME),
    ],
)
def test_urls_that_cannot_be_fetched_are_rejected_with_their_kind(text: str, kind: FailureKind) -> None:
    url = parse(text)
    assert isinstance(url, InvalidUrl)
    assert url.kind is kind


def test_a_host_of_exactly_the_longest_allowed_name_is_taken() -> None:
    host = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(host) == urls.MAX_HOST
    assert fetchable(f"http://{host}/").host == host


@pytest.mark.parametrize(
    ("location", "href"),
    [
        ("/x", "http://h/x"),
        ("../x", "http://h/x"),
        ("", "http://h/a/b?q"),
        ("?z", "http://h/a/b?z"),
        ("//other/y", "http://other/y"),
        ("https://other/", "https://other/"),
        ("/\u00e9 x", "http://h/%C3%A9%20x"),
        ("\\x", "http://h/x"),
    ],
)
def test_a_location_is_resolved_against_where_it_was_met(location: str, href: str) -> None:
    assert fetchable(location, "http://h/a/b?q").href == href


@pytest.mark.parametrize(
    "location", ["http://[::1", "//a..b/", "file:///etc/passwd", "gopher:x", "//", "\udc80"]
)
def test_a_bad_location_is_refused(location: str) -> None:
    assert isinstance(parse(location, "http://h/a/b"), InvalidUrl)


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("example.org", "http://example.org"),
        ("example.org:8080/path", "http://example.org:8080/path"),
        ("localhost:8080", "http://localhost:8080"),
        ("//example.org/x", "http:////example.org/x"),
        ("user:secret@example.org", "http://user:secret@example.org"),
        ("[::1]:80/", "http://[::1]:80/"),
        ("HTTP://example.org", "HTTP://example.org"),
        ("http:example.org", "http:example.org"),
        ("ftp://example.org", "ftp://example.org"),
        ("mailto:someone@example.org", "mailto:someone@example.org"),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_a_line_without_a_scheme_gets_http(line: str, url: str) -> None:
    assert with_scheme(line) == url


def test_every_line_becomes_a_request_fetchable_or_refused() -> None:
    assert request(3, "user:secret@example.org/x").href == "http://example.org/x"
    assert request(3, "user:secret@example.org/x").credentials == "user:secret"
    bad = request(4, "http://[::1")
    assert (bad.urlnum, bad.url, bad.href, bad.error) == (4, "http://[::1", "", FailureKind.INVALID_URL)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('"http://h/4.html"', 'quotes (") around the URL; write only the URL'),
        ("'http://h/4.html'", "quotes (') around the URL; write only the URL"),
        ('"example.org"', 'quotes (") around the URL; write only the URL'),
        ("'user:secret@example.org/x'", "quotes (') around the URL; write only the URL"),
        ('"http://h/4.html', "text before the scheme; write only the URL"),
        ("'http://h/4.html',", "quotes (') around the URL and a trailing comma; write only the URL"),
        ("\u201chttp://h/4\u201d", "quotes (\u201c) around the URL; write only the URL"),
        ("<http://h/>", "angle brackets (<>) around the URL; write only the URL"),
        ("<example.org>,", "angle brackets (<>) around the URL and a trailing comma; write only the URL"),
        ("* http://h/", "a list marker before the URL; write only the URL"),
        ("12) http://h/", "a list marker before the URL; write only the URL"),
        ("[home](http://h/)", "a Markdown link; write only the URL in its parentheses"),
        ("* [the home page](http://h/) (new)", "a Markdown link; write only the URL in its parentheses"),
        ("http://h/,", "a trailing comma after the URL; remove it, or write %2C if it belongs to the URL"),
        ("example.org,", "a trailing comma after the URL; remove it, or write %2C if it belongs to the URL"),
        ("http://h/\udce9", "bytes that are not UTF-8; save the list as UTF-8, or name its --encoding"),
        ("7;http://h/", "text before the scheme; write only the URL"),
        ('http://h/4.html",', 'unmatched " at the end; write only the URL'),
        ("http://h/\u201d", "unmatched \u201d at the end; write only the URL"),
        ("http://h/>", "unmatched > at the end; write only the URL"),
        ("http://h/\t7", f"tab in the URL; {urls.IS_A_TABLE}"),
        ("h/\t7", f"tab in the URL; {urls.IS_A_TABLE}"),
        ("1,example.org", f"a comma in the host; {urls.IS_A_TABLE}"),
        ("http://h;x/", f"a semicolon in the host; {urls.IS_A_TABLE}"),
        ('{"url": "http://h/"}', f"JSON object instead of a URL; {urls.IS_A_TABLE}"),
        ("http://h/\nx", "line break in the URL; pass each URL by itself"),
        ("http://h/a b", "space in the URL; remove it, or write %20"),
        ("example.org # mine", "space in the URL; remove it, or write %20"),
        ("http://h/\u00a0x", "whitespace (U+00A0) in the URL; remove it, or write %20"),
        ("\u200bhttp://h/", "invisible character (U+200B) in the URL; remove it"),
        ("\ufeffhttp://h/", "invisible character (U+FEFF) in the URL; remove it"),
        ("http://h/\u200d", "invisible character (U+200D) in the URL; remove it"),
        ("http://h/\0", "invisible character (U+0000) in the URL; remove it"),
        ('http://h"/', "a quote in the host"),
        ("", "empty URL"),
        ("http://a..b/", "an empty label in the host"),
        ("http://[::1", "not a valid http or https URL"),
        ("ftp://h/", "only http and https are fetched, not ftp:"),
    ],
)
def test_a_rejected_line_has_a_reason(line: str, problem: str) -> None:
    refused = request(0, line)
    assert (refused.href, refused.host, refused.error_message) == ("", "", problem)


@pytest.mark.parametrize(
    "line",
    [
        "http://h/'a'",
        'http://h/"a"',
        "http://h/<a>",
        "http://h/\u201ca\u201d",
        "h/'a'",
        "http://h/a,b",
        "h/?see=http://x/",
        "http://h/\u0645\u06cc\u200c\u062e",
    ],
)
def test_characters_allowed_in_a_url_are_part_of_it(line: str) -> None:
    assert request(0, line).error is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h/p", "http://h/p"),
        ("http://user:secret@h/p", "http://***@h/p"),
        ("http://user:secret@h", "http://***@h"),
        ("user:secret@h/a//b", "***@h/a//b"),
        ("//user:secret@h/", "//***@h/"),
        ("http:user:secret@h", "http:***@h"),
        ("http:\\\\user:secret@h/", "http:\\\\***@h/"),
        ("http:////user:secret@h/", "http:////***@h/"),
        (" \x01http://user:secret@h/", " \x01http://***@h/"),
        ("HTTP://user:se@cret@h/", "HTTP://***@h/"),
        ("ftp://user:secret@h/", "ftp://***@h/"),
        # What no parser takes: the password itself broke it.
        ("http://user:se/cret@h/", "http://***@h/"),
        ("http://user:se#cret@h/", "http://***@h/"),
        ("http://user:se?cret@h/", "http://***@h/"),
        ("http://user:secret\\@h/", "http://***@h/"),
        ("http://user:secret@[::1", "http://***@[::1"),
        ("http://http://user:secret@h/", "http://http://***@h/"),
        ("1http://user:secret@h/", "1http://***@h/"),
        # A URL within another one.
        ("https://archive.example/save/http://user:secret@h/", "https://archive.example/save/http://***@h/"),
        # An @ that hides nothing.
        ("http://h/@name", "http://h/@name"),
        ("http://h:8080/a@b", "http://h:8080/a@b"),
        ("http://h/?mail=a@b", "http://h/?mail=a@b"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("http://h?a@b", "http://h?a@b"),
        ("mailto:someone@h", "mailto:someone@h"),
    ],
)
def test_userinfo_is_never_shown(text: str, shown: str) -> None:
    assert redact(text) == shown


@given(url_text, st.none() | st.just("https://base.example/a/b?c"))
def test_parsing_never_raises_and_agrees_with_the_parser(text: str, base: str | None) -> None:
    url = parse(text, base)
    if isinstance(url, InvalidUrl):
        return
    asked = can_ada.parse(url.href)
    assert asked.href == url.href
    assert asked.hostname == url.host
    assert f"{asked.protocol}//{asked.host}" == url.origin
    assert not asked.has_credentials()
    assert not asked.has_hash()


@given(url_text)
def test_a_parsed_url_parses_to_itself(text: str) -> None:
    url = parse(text)
    if isinstance(url, Url):
        assert fetchable(url.href) == Url(url.href, url.host, "")


@given(url_text)
def test_a_request_is_made_of_any_line(text: str) -> None:
    assert request(7, text).url == text


@given(url_text)
@example("http:/\\u:p@h")
@example("\thttp:@http")
def test_redacted_text_has_no_credentials(text: str) -> None:
    shown = redact(text)
    for reading in (parse(shown), parse(with_scheme(shown)), parse(shown, "http://base.example/")):
        if isinstance(reading, Url):
            assert reading.credentials.removesuffix(":").strip(BLANKS) in ("", "***")
    assert redact(shown) == shown


@given(
    st.sampled_from(
        ["http://", "https://", "HTTP://", "http:", "http:/", "http:\\/", "", "//", " http://", "ftp://"]
    ),
    st.text(st.characters(exclude_characters="@/?#\\[]\x00", exclude_categories=["Cs"]), max_size=5),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    url_text,
)
def test_a_password_that_a_parser_would_send_is_never_shown(
    scheme: str, user: str, salt: str, rest: str
) -> None:
    text = f"{scheme}{user}:{salt}S3cret{salt}@host{rest}"
    for reading in (parse(text), parse(with_scheme(text)), parse(text, "http://base.example/")):
        if isinstance(reading, Url) and "S3cret" in reading.credentials:
            assert "S3cret" not in redact(text)


@pytest.mark.parametrize("sign", "!$&'()*+=`{}")
def test_a_sign_that_no_host_s_name_has_is_refused_by_its_name(sign: str) -> None:
    """libcurl takes none of them in a URL, and some for syntax elsewhere; a hyphen or an underscore may begin
    a name that resolves."""
    for host in (sign, f"{sign}h", f"h{sign}", f"a.{sign}.b"):
        found = parse(f"http://{host}/")
        assert isinstance(found, InvalidUrl), host
        assert found.message.startswith(f"invalid character {sign} in the host")
    for host in ("-h", "h-", "_h", "a.-b", "a_b.c", "~h", "[::1]", "1.2.3.4", "xn--bcher-kva.example"):
        assert isinstance(parse(f"http://{host}/"), Url), host
