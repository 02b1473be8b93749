"""What a server can send, made up by Hypothesis: nothing of it raises, and both transports read it alike.

`make fuzz` runs these, and every other property test, for long. What is fuzzed elsewhere: URLs
(`test_urls.py`), charsets (`test_response.py`), `Retry-After` (`test_retry.py`), content codings
(`test_body.py`), lists (`test_lines.py`), rows (`test_rows.py`), responses in pieces (`test_http1.py`).
"""

from __future__ import annotations

from typing import Any
from unicodedata import category

from hypothesis import assume, given
from hypothesis import strategies as st

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.text import INVISIBLE
from fetchpool.scheduler.robots import MAX_CRAWL_DELAY, RobotsCache
from fetchpool.transports.base import Failure, Headers, HopResult, ResponseHead
from fetchpool.transports.curl.head import parse_head
from fetchpool.transports.requests.framing import TransportError
from fetchpool.transports.requests.http1 import ResponseReader
from tests.factories import with_fields

REQUEST = urls.request(0, "http://user:s3cret@h.example/a?token=s3cret")

header_names = st.sampled_from(
    [
        *("Content-Length", "content-length", "Transfer-Encoding", "Content-Encoding", "Content-Type"),
        *("Location", "Retry-After", "Connection", "Set-Cookie", "X", "X-Y", "HTTP/1.1 200 OK"),
    ]
)
header_values = st.one_of(
    st.sampled_from(
        [
            *(
                "0",
                "5",
                "-5",
                "5, 5",
                "5, 6",
                "1e3",
                "9" * 30,
                "\u0661",
                "chunked",
                "identity",
                "gzip, chunked",
            ),
            *("gzip", "deflate", "br", "zstd", "rot13", "gzip," * 7, "text/html; charset=klingon", "/", "//"),
            *("http://h.example/b", "http://other.example/", "http://10.0.0.1/", "file:///etc/passwd"),
            *(
                "http://[::1",
                "http://u:p@h.example/",
                "?",
                "#",
                "",
                "120",
                "-1",
                "Thu, 99 Jan 2026 00:00:30 GMT",
            ),
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30),
)
header_lines = st.one_of(
    st.builds("{}: {}".format, header_names, header_values),
    st.builds("{}:{}".format, header_names, header_values),
    st.builds(" {}".format, header_values),  # obs-fold
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30),
).map(lambda line: line.encode("latin-1", "replace"))
status_lines = st.one_of(
    st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 100 Continue", b"HTTP/1.1 302 \xff\x1b"]
    ),
    st.builds(b"HTTP/1.1 %d %b".__mod__, st.tuples(st.integers(0, 1200), st.binary(max_size=5))),
    st.binary(max_size=30),
).filter(lambda line: b"\n" not in line and b"\r" not in line)
blocks = st.tuples(status_lines, st.lists(header_lines, max_size=8)).map(lambda block: [block[0], *block[1]])
ends = st.sampled_from([b"\r\n", b"\n"])


def lines_of(heads: list[list[bytes]], end: bytes) -> list[bytes]:
    """Blocks as libcurl hands them over, line by line; an empty line ends one."""
    return [line + end for head in heads for line in [*filter(None, head), b""]]


@given(st.lists(blocks, max_size=4), ends, st.integers(0, 40))
def test_no_header_lines_make_the_head_raise(heads: list[list[bytes]], end: bytes, cut: int) -> None:
    for lines in (lines_of(heads, end), lines_of(heads, end)[:cut]):
        head = parse_head(lines)
        if head is None:
            continue
        assert not 100 <= head.status < 200
        for name, value in head.headers.items():
            assert value == value.strip()
            assert value in head.headers.get_all(name)


class Wire:
    """A socket that has everything ready and then ends."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def recv(self, amount: int) -> bytes:
        taken, self._content = self._content[:amount], self._content[amount:]
        return taken


interim = st.sampled_from([b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints", b"HTTP/1.0 102"])
final = st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 503 \xff\x1b", b"HTTP/1.1 599 "])
fields = st.lists(
    st.one_of(
        st.builds("{}:{}".format, st.sampled_from(["X", "x-y", "Set-Cookie", "Location"]), header_values),
        st.builds(" {}".format, header_values),
    ).map(lambda line: line.encode("latin-1", "replace")),
    max_size=6,
)
sound = st.tuples(st.lists(st.tuples(interim, fields), max_size=2), st.tuples(final, fields)).map(
    lambda said: [[line, *rest] for line, rest in [*said[0], said[1]]]
)


@given(sound, ends)
def test_both_transports_read_the_same_head(heads: list[list[bytes]], end: bytes) -> None:
    """libcurl refuses what it can't read before we see its lines; what both take is the same."""
    lines = lines_of(heads, end)
    reader = ResponseReader(Wire(b"".join(lines)), "GET", lambda: None)
    try:
        reader.read_head()
    except TransportError:
        return
    head = parse_head(lines)
    assert head is not None
    assert head.status == reader.status
    assert head.headers.items() == reader.headers.items()


@given(st.lists(header_lines.filter(bool), max_size=10))
def test_one_field_is_found_as_among_all(lines: list[bytes]) -> None:
    headers = Headers(lines)
    names = {name for name, _ in headers.items() if name.isascii()}
    for name in {*names, "location", "x"}:
        found = [value for key, value in headers.items() if key.lower() == name.lower()]
        for spelling in (name, name.upper(), name.lower()):
            assert headers.get_all(spelling) == found


hops = st.tuples(
    st.one_of(st.none(), st.tuples(st.integers(0, 1200), st.lists(header_lines, max_size=6))),
    st.lists(st.binary(max_size=60), max_size=4),
    st.one_of(st.none(), st.builds(Failure, st.sampled_from(FailureKind), st.just("why"))),
    st.one_of(st.none(), st.sampled_from(["127.0.0.1", "93.184.215.14", "fe80::1%eth0", "::ffff:10.0.0.1"])),
)
settings = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "HEAD", "POST", "TRACE"]),
        "max_filesize": st.sampled_from([0, 10, 1 << 30]),
        "max_redirs": st.integers(0, 3),
        "parse": st.sampled_from([(), ("title",)]),
        "follow_across_hosts": st.booleans(),
        "follow_within_hosts": st.booleans(),
        "public_only": st.booleans(),
    }
)


@given(settings, st.lists(hops, min_size=6, max_size=6))
def test_a_fetch_ends_in_a_row_for_any_response(options: dict[str, Any], responses: list[Any]) -> None:
    """Any status, headers, body, failure and address, on every hop: an outcome of the closed list, with
    no secret and no control character in what is said of it."""
    steps = Exchange(FetchOptions(**options)).steps(REQUEST)
    outcome: Outcome | None = None
    try:
        hop = next(steps)
        for head, chunks, failure, ip in responses:
            complete = head is not None and hop.receiver.on_head(
                ResponseHead(head[0], "1.1", Headers(head[1]))
            )
            for chunk in chunks:
                complete = complete and hop.receiver.feed(chunk)
            stands = failure or (Failure(FailureKind.EMPTY_REPLY, "why") if head is None else None)
            hop = steps.send(HopResult(stands, remote_ip=ip))
    except StopIteration as stop:
        outcome = stop.value
    assert outcome is not None, "six responses are more than any redirect limit here"
    row = outcome.record
    assert row is not None
    assert row.error is None or row.error in set(FailureKind) or row.error == f"http_{row.response_code}"
    assert (row.error is None) == (row.exitcode == 0) == (row.errormsg is None)
    for value in row.to_dict().values():
        assert not isinstance(value, str) or not {category(char) for char in value} & INVISIBLE
    assert "s3cret" not in f"{row.errormsg} {row.to_dict().get('title')}"
    assert "s3cret@" not in row.url + row.url_effective


rules = st.lists(
    st.one_of(
        st.builds(
            "{}: {}".format,
            st.sampled_from(["User-agent", "Disallow", "Allow", "Crawl-delay", "Sitemap", "Request-rate"]),
            st.one_of(
                st.sampled_from(
                    ["*", "fetchpool", "/", "/a", "/*" * 50 + "$", "nan", "inf", "-5", "1e999", "0.5"]
                ),
                st.text(max_size=20),
            ),
        ),
        st.text(max_size=20),
    ),
    max_size=12,
).map("\n".join)


@given(st.one_of(rules.map(str.encode), st.binary(max_size=100)), st.text(max_size=30))
def test_no_robots_txt_makes_the_reader_raise(content: bytes, path: str) -> None:
    robots = RobotsCache("fetchpool/1.0")
    request = urls.request(0, f"http://h.example/{path}")
    assume(request.error is None)
    fetched = with_fields(refusal(request, FailureKind.RESET), error=None, response_code=200, content=content)
    robots.add(request, fetched, 0.0)
    found = robots.rules_for(request, 0.0)
    assert found is not None
    assert 0 <= found.crawl_delay <= MAX_CRAWL_DELAY
    assert robots.allows(found, request) in (True, False)
