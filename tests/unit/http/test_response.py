"""The response a parser sees: text as a browser would read it, and nothing that raises."""

from __future__ import annotations

import codecs

import pytest
import webencodings.labels
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.http.response import Response, response_of
from fetchpool.model.encodings import PRESCAN
from fetchpool.model.urls import request
from fetchpool.transports.base import Headers, HopRequest, HopResult, ResponseHead


def response(content: bytes, content_type: str | None = "text/html") -> Response:
    lines = [] if content_type is None else [f"Content-Type: {content_type}".encode("latin-1")]
    return Response(url="http://example.org/", content=content, headers=Headers(lines))


@pytest.mark.parametrize(
    ("content", "content_type", "encoding"),
    [
        # The header.
        (b"", "text/html; charset=utf-8", "utf-8"),
        (b"", "text/html;CHARSET=UTF8", "utf-8"),
        (b"", 'text/plain; format=flowed; charset="koi8-r"', "koi8-r"),
        (b"", "text/plain; charset='koi8-r'; x=y", "koi8-r"),
        (b"", "text/html; charset=latin1", "windows-1252"),
        (b"", "text/html; charset=iso-8859-1", "windows-1252"),
        (b"", "text/html; charset=ascii", "windows-1252"),
        (b"", "text/html; charset=gb2312", "gbk"),
        # What the page says of itself.
        (b"<meta charset=koi8-r>", "text/html", "koi8-r"),
        (b"<META CHARSET = 'koi8-r' >", "text/html", "koi8-r"),
        (b"<!doctype html><head><meta name=x content='a>b'/><meta/charset=koi8-r", None, "koi8-r"),
        (b"<meta name=x content='a>b' charset=koi8-r>", None, "koi8-r"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=big5">', "text/html", "big5"),
        (b"<meta content='text/html;charset=\"big5\"' http-equiv=content-type>", "text/html", "big5"),
        (b"<meta content='text/html; charset=big5'>", "text/html", "utf-8"),
        (b"<meta http-equiv=refresh content='0; charset=big5'>", "text/html", "utf-8"),
        (b"<!-- <meta charset=big5> --><meta charset=koi8-r>", "text/html", "koi8-r"),
        (b"<metadata charset=big5>", "text/html", "utf-8"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "text/html", "koi8-r"),
        (b"<meta charset=utf-16>", "text/html", "utf-8"),
        (b"<meta charset=x-user-defined>", "text/html", "windows-1252"),
        (b"<meta charset=>", "text/html", "utf-8"),
        (b"<?xml version='1.0' encoding='iso-8859-2'?>", "application/xhtml+xml", "iso-8859-2"),
        (b'<?xml version="1.0" encoding="iso-8859-2"?>', "text/xml", "iso-8859-2"),
        (b" " * PRESCAN + b"<meta charset=koi8-r>", "text/html", "utf-8"),
        # Only a page speaks of itself.
        (b"<meta charset=koi8-r>", "text/plain", "utf-8"),
        (b"<meta charset=koi8-r>", "application/json", "utf-8"),
        # A byte order mark is over the header, the header over the page.
        (codecs.BOM_UTF8, "text/html; charset=koi8-r", "utf-8"),
        (codecs.BOM_UTF16_LE, "text/html; charset=koi8-r", "utf-16le"),
        (codecs.BOM_UTF16_BE, "text/plain", "utf-16be"),
        (b"<meta charset=big5>", "text/html; charset=koi8-r", "koi8-r"),
        # Neither.
        (b"", "text/html", "utf-8"),
        (b"", None, "utf-8"),
        (b"", "text/html; charset=nonsense", "utf-8"),
        (b"<meta charset=koi8-r>", "text/html; charset=nonsense", "koi8-r"),
        (b"", "text/html; charset=", "utf-8"),
        (b"", "\xff\x00; charset=\xff", "utf-8"),
    ],
)
def test_the_encoding_is_found_as_browsers_do(
    content: bytes, content_type: str | None, encoding: str
) -> None:
    assert response(content, content_type).encoding == encoding


def test_text_is_decoded_by_that_encoding() -> None:
    assert response("Привет".encode("koi8-r"), "text/plain; charset=koi8-r").text == "Привет"
    assert response(b"\x93quoted\x94", "text/plain; charset=latin1").text == "“quoted”"
    assert response("é".encode(), "text/plain").text == "é"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")):
        assert response(mark + "né".encode(encoding)).text == "né"


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert response(b"a\xffb", "text/plain; charset=utf-8").text == "a\ufffdb"
    assert response(bytes(range(256)), "text/html; charset=bogus").text.startswith("\0\1\2")


@given(st.sampled_from(sorted(webencodings.labels.LABELS)), st.binary(max_size=100))
def test_no_charset_and_no_bytes_make_text_raise(label: str, content: bytes) -> None:
    assert isinstance(response(content, f"text/html; charset={label}").text, str)
    assert isinstance(response(f"<meta charset={label}>".encode() + content).text, str)


@given(st.binary(max_size=60), st.lists(st.sampled_from([b"<meta ", b"charset=", b"'", b"<!--", b">", b"="])))
def test_no_header_and_no_page_make_encoding_raise(raw: bytes, parts: list[bytes]) -> None:
    page = b"<meta ".join([b"", *parts, raw])
    found = response(page, f"text/html; charset={raw.decode('latin-1')}").encoding
    assert webencodings.lookup(found) is not None


def test_json_is_read_or_a_value_error() -> None:
    assert response(b'{"a": [1, "\xc3\xa9"]}', "application/json").json() == {"a": [1, "é"]}
    assert response(codecs.BOM_UTF8 + b"[]", "application/json").json() == []
    for content in (b"", b"{", b"<html>", b"\xff\xff"):
        with pytest.raises(ValueError):
            response(content).json()


def test_headers_are_found_without_regard_to_case_and_repeated_ones_kept() -> None:
    headers = Headers([b"Content-Type: text/plain\r\n", b"Set-Cookie: a=1\r\n", b"set-cookie: b=2, c\r\n"])
    answer = Response(url="http://example.org/", content=b"", headers=headers)
    assert answer.content_type == answer.headers["CONTENT-TYPE"] == "text/plain"
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2, c"]
    assert answer.headers.get("etag") is None
    assert "ETag" not in answer.headers


def test_a_header_line_that_goes_on_in_the_next_is_one_value() -> None:
    headers = Headers([b"X-Long: one\r\n", b"\ttwo\r\n", b"  three\r\n", b"x-long: four\r\n"])
    assert headers.get_all("x-long") == ["one two three", "four"]
    assert headers.items() == [("X-Long", "one two three"), ("x-long", "four")]


def test_it_wears_the_values_of_the_fetch() -> None:
    asked = request(7, "http://user:secret@example.org/a")
    body = ResponseBody(FetchOptions(), "GET", wants=1 << 20)
    body.on_head(ResponseHead(203, "2", Headers([b"content-type: text/html"])))
    body.feed(b"hello")
    hop = HopRequest("http://example.org/b", "example.org:80", "GET", (), 1.0, 1.0, 1.0, body)
    timing = HopResult(None, "192.0.2.1", 0.1, 0.2, 0.3, 0.4, 0.5)
    answer = response_of(asked, hop, body, timing)
    assert answer.url == "http://***@example.org/a"
    assert (answer.url_effective, answer.method, answer.status_code) == ("http://example.org/b", "GET", 203)
    assert (answer.content, answer.text, answer.http_version) == (b"hello", "hello", "2")
    assert (answer.size_download, answer.size_delivered, answer.remote_ip) == (5, 5, "192.0.2.1")
    assert (answer.time_namelookup, answer.time_connect, answer.time_appconnect) == (0.1, 0.2, 0.3)
    assert (answer.time_starttransfer, answer.time_total) == (0.4, 0.5)


def test_its_repr_is_one_clean_line_without_the_content() -> None:
    answer = Response(url="http://example.org/\x1b[2J", content=b"x" * 10_000)
    assert repr(answer) == "<Response [200] http://example.org/\\x1b[2J>"
