"""A body is counted, limited, decoded and judged as it streams, whatever the server makes of it."""

from __future__ import annotations

import gzip
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import UNUSED_BODY, ResponseBody
from fetchpool.http.decoders import MAX_OUTPUT
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Headers, ResponseHead
from tests.cli import runner
from tests.encoders import ENCODERS, one_brotli, zstd

PAGE = b"".join(b"line %d of a page\n" % number for number in range(3_000))
CASES = pytest.mark.parametrize("case", ENCODERS)


def begun(
    *lines: str, status: int = 200, method: str = "GET", limit: int = 1 << 30, keep: bool = True
) -> ResponseBody:
    """A body whose header block has come."""
    body = ResponseBody(FetchOptions(max_filesize=limit), method, wants=1 << 62 if keep else 0)
    body.on_head(ResponseHead(status, "1.1", Headers([f"{line}\r\n".encode("latin-1") for line in lines])))
    return body


def kind_at_begin(
    *lines: str, status: int = 200, method: str = "GET", limit: int = 1000
) -> FailureKind | None:
    """The failure that the header block alone causes; the transport must then stop."""
    body = ResponseBody(FetchOptions(max_filesize=limit), method)
    head = ResponseHead(status, "1.1", Headers([f"{line}\r\n".encode("latin-1") for line in lines]))
    assert body.on_head(head) is (body.failure is None)
    return body.failure and body.failure.kind


def feed(body: ResponseBody, chunk: bytes) -> bool:
    """With all the turns that it takes; whether more is wanted."""
    more = body.feed(chunk)
    while body.pending:
        more = body.resume()
    return more


def kind_at_end(body: ResponseBody, *chunks: bytes) -> FailureKind | None:
    for chunk in chunks:
        if not feed(body, chunk):
            break
    failure = body.finish()
    return failure and failure.kind


def in_pieces(content: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    return [content[start:end] for start, end in pairwise(edges)]


# Sizes and content


def test_a_plain_body_is_counted_and_kept_when_wanted() -> None:
    body = begun("Content-Type: text/plain", "Content-Length: 10")
    assert kind_at_end(body, b"hello", b"world") is None
    assert (body.size_download, body.size_delivered, body.content) == (10, 10, b"helloworld")


def test_without_a_parser_nothing_is_kept() -> None:
    body = begun(keep=False)
    assert kind_at_end(body, PAGE) is None
    assert (body.is_kept, body.content, body.size_delivered) == (False, b"", len(PAGE))


@CASES
def test_an_encoded_body_has_two_sizes(case: str) -> None:
    name, encode = ENCODERS[case]
    for keep in (True, False):
        body = begun("Content-Type: text/html", f"Content-Encoding: {name}", keep=keep)
        encoded = encode(PAGE)
        assert kind_at_end(body, encoded) is None
        assert (body.size_download, body.size_delivered) == (len(encoded), len(PAGE))
        assert body.content == (PAGE if keep else b"")
        assert body.content_encoding is None


@given(
    case=st.sampled_from(sorted(ENCODERS)),
    content=st.binary(max_size=300),
    times=st.integers(1, 400),
    cuts=st.lists(st.integers(0), max_size=8),
)
def test_any_split_gives_the_same_sizes(case: str, content: bytes, times: int, cuts: list[int]) -> None:
    name, encode = ENCODERS[case]
    body = begun(f"Content-Encoding: {name}")
    encoded = encode(content * times)
    assert kind_at_end(body, *in_pieces(encoded, cuts)) is None
    assert (body.size_download, body.size_delivered) == (len(encoded), len(content) * times)
    assert body.content == content * times


@given(
    value=st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "x", "identity", ""]), max_size=7),
    chunks=st.lists(st.binary(max_size=200), max_size=5),
)
def test_any_bytes_as_any_encoding_never_raise(value: list[str], chunks: list[bytes]) -> None:
    body = begun(f"Content-Encoding: {', '.join(value)}")
    kind = body.failure and body.failure.kind
    kind = kind or kind_at_end(body, *chunks)
    assert kind in (None, FailureKind.DECODE, FailureKind.TRUNCATED)
    if kind is None and body.content_encoding is not None:
        assert body.size_delivered == body.size_download == sum(map(len, chunks))


@given(case=st.sampled_from(sorted(ENCODERS)), content=st.binary(max_size=300), cut=st.integers(0))
def test_a_stream_cut_anywhere_is_a_failure(case: str, content: bytes, cut: int) -> None:
    name, encode = ENCODERS[case]
    encoded = encode(content)
    if len(encoded) > 1:
        start = encoded[: 1 + cut % (len(encoded) - 1)]
        kind = kind_at_end(begun(f"Content-Encoding: {name}"), start)
        assert kind in (FailureKind.TRUNCATED, FailureKind.DECODE)


@given(
    layers=st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=5), cuts=st.lists(st.integers(0))
)
def test_stacked_encodings_come_off_in_reverse(layers: list[str], cuts: list[int]) -> None:
    encoded = b"content of the page"
    for layer in layers:
        encoded = ENCODERS[layer][1](encoded)
    body = begun(f"Content-Encoding: {', '.join(ENCODERS[layer][0] for layer in layers)}")
    assert kind_at_end(body, *in_pieces(encoded, cuts)) is None
    assert body.content == b"content of the page"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Encoding: GZip"],
        ["content-encoding:gzip"],
        ["CONTENT-ENCODING:  x-gzip  "],
        ["Content-Encoding: , gzip,, identity ,"],
        ["Content-Encoding: identity", "Content-Encoding: gzip"],
        ["Content-Encoding:", " gzip"],
    ],
)
def test_the_label_is_read_leniently(lines: list[str]) -> None:
    body = begun(*lines)
    assert kind_at_end(body, gzip.compress(PAGE)) is None
    assert body.content == PAGE


@pytest.mark.parametrize("label", ["", "identity", "identity, identity", " , "])
def test_an_empty_content_encoding_leaves_the_body_unchanged(label: str) -> None:
    body = begun(f"Content-Encoding: {label}")
    assert kind_at_end(body, PAGE) is None
    assert (body.content, body.content_encoding) == (PAGE, None)


def test_an_unknown_encoding_is_counted_and_flagged() -> None:
    body = begun("Content-Encoding: gzip, Compress\x1b[2J")
    encoded = gzip.compress(PAGE)
    assert kind_at_end(body, encoded) is None
    assert body.content_encoding == "gzip, compress\\x1b[2j"
    assert body.size_download == body.size_delivered == len(encoded)
    assert body.content == encoded


def test_six_stacked_encodings_are_refused() -> None:
    assert kind_at_begin("Content-Encoding: gzip, gzip, gzip", "Content-Encoding: br, br, br") == "decode"


def test_labelled_gzip_but_is_not() -> None:
    body = begun("Content-Encoding: gzip")
    assert kind_at_end(body, b"<html>hello</html>") == "decode"
    assert (body.failure and body.failure.message) == "the body is not valid gzip data"


def test_a_gzip_stream_cut_short_inside_a_complete_body() -> None:
    encoded = gzip.compress(PAGE)[:-20]
    body = begun("Content-Encoding: gzip", f"Content-Length: {len(encoded)}")
    assert kind_at_end(body, encoded) == "truncated"
    assert body.size_download == len(encoded)


def test_the_inner_stream_of_two_can_be_the_one_cut_short() -> None:
    encoded = gzip.compress(zstd.compress(PAGE)[:-10])
    body = begun("Content-Encoding: zstd, gzip")
    assert kind_at_end(body, encoded) == "truncated"
    assert (body.failure and body.failure.message) == "the zstd data ends too early"


@pytest.mark.parametrize(
    ("status", "method"), [(200, "GET"), (204, "GET"), (304, "GET"), (200, "HEAD"), (404, "GET")]
)
@CASES
def test_an_empty_body_is_complete_in_any_encoding(case: str, status: int, method: str) -> None:
    body = begun(f"Content-Encoding: {ENCODERS[case][0]}", status=status, method=method)
    assert kind_at_end(body) is None
    assert (body.size_download, body.size_delivered) == (0, 0)


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
def test_without_a_body_its_label_does_not_matter(status: int, method: str) -> None:
    for label in ("x-unheard-of", "br, br, br, br, br, br"):
        body = begun(f"Content-Encoding: {label}", status=status, method=method)
        assert kind_at_end(body) is None
        assert body.content_encoding is None


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_page_is_decoded_but_not_kept(status: int) -> None:
    body = begun("Content-Encoding: gzip", status=status)
    assert kind_at_end(body, gzip.compress(PAGE)) is None
    assert (body.size_delivered, body.is_kept) == (len(PAGE), False)


# Limits


def test_an_endless_body_is_stopped_at_most_one_chunk_over() -> None:
    body = begun(limit=10_000)
    fed = 0
    while body.feed(b"x" * 1000):
        fed += 1
        assert fed <= 10
    assert (body.failure and body.failure.kind) == "too_large"
    assert body.size_download == 11_000
    assert body.content == b""
    assert not body.feed(b"more")


def test_after_a_failure_every_further_chunk_is_declined() -> None:
    unread = begun("Content-Length: -5")
    assert not unread.feed(b"x")
    broken = begun("Content-Encoding: gzip")
    assert not broken.feed(b"not gzip")
    assert not broken.feed(gzip.compress(PAGE))
    assert broken.size_delivered == 0
    assert (broken.failure and broken.failure.kind) == "decode"


def test_a_body_of_exactly_the_limit_is_fine() -> None:
    body = begun("Content-Length: 5000", limit=5000)
    assert kind_at_end(body, b"x" * 5000) is None


@pytest.mark.parametrize("length", ["1001", str(10**15), "9" * 19, "9" * 20, "9" * 5000])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_length_over_the_limit_is_refused_before_a_byte_is_read(length: str, encoding: str) -> None:
    lines = [f"Content-Encoding: {encoding}"] if encoding else []
    assert kind_at_begin(f"Content-Length: {length}", *lines) == "too_large"


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (304, "GET"), (204, "GET")])
def test_a_length_without_a_body_is_only_information(status: int, method: str) -> None:
    assert kind_at_begin(f"Content-Length: {10**15}", status=status, method=method) is None


@CASES
def test_the_decoded_size_is_held_against_the_limit(case: str) -> None:
    name, encode = ENCODERS[case]
    body = begun(f"Content-Encoding: {name}", limit=100_000)
    assert kind_at_end(body, encode(bytes(10_000_000))) == "too_large"
    assert 100_000 < body.size_delivered <= 100_000 + MAX_OUTPUT
    assert body.content == b""


def test_the_limit_applies_between_two_encodings_too() -> None:
    nothing = gzip.compress(b"") * 20_000  # 400 kB that decode to nothing at all
    body = begun("Content-Encoding: gzip, gzip", limit=100_000)
    assert kind_at_end(body, gzip.compress(nothing)) == "too_large"


BOMB_READER = """
import sys
from fetchpool.http.body import ResponseBody
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.transports.base import Headers, ResponseHead

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

bomb = sys.stdin.buffer.read()
body = ResponseBody(FetchOptions(max_filesize=2 << 30), "GET")
body.on_head(ResponseHead(200, "1.1", Headers([b"Content-Encoding: " + sys.argv[1].encode()])))
before = peak()
body.feed(bomb)
while body.pending:
    body.resume()
print(body.finish(), body.size_delivered, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of its memory from /proc")
@pytest.mark.parametrize("label", ["gzip, gzip", "br", "zstd"])
def test_a_bomb_in_one_chunk_takes_no_memory(label: str) -> None:
    bombs = {
        "gzip, gzip": lambda: gzip.compress(gzip.compress(bytes(1 << 24)) * 12),
        "br": lambda: one_brotli(bytes(1 << 24), 12),
        "zstd": lambda: zstd.compress(bytes(1 << 24)) * 12,
    }
    command = [sys.executable, "-c", BOMB_READER, label]
    project = Path(__file__).parents[3]
    run = runner.run(command, input=bombs[label](), capture_output=True, check=True, timeout=50, cwd=project)
    failure, size, kilobytes = run.stdout.split()
    assert (failure, int(size)) == (b"None", 12 << 24)
    assert int(kilobytes) < 24 * 1024  # brotli's own window may take 16 MB, zstd's 8


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_has_a_location_and_its_body_is_never_decoded(status: int) -> None:
    body = begun("Location: /next", "Content-Encoding: gzip", status=status)
    bomb = gzip.compress(bytes(1 << 24))
    assert kind_at_end(body, bomb, b"not gzip either") is None
    assert body.location == "/next"
    assert body.size_download == body.size_delivered == len(bomb) + 15
    assert not body.is_kept


def test_only_the_beginning_of_a_redirects_body_is_read() -> None:
    body = begun("Location: /next", status=302, limit=1 << 40)
    assert body.feed(b"x" * UNUSED_BODY)
    assert not body.feed(b"x")
    assert body.finish() is None


def test_a_redirect_that_announces_a_large_body_is_not_read_at_all() -> None:
    body = ResponseBody(FetchOptions(max_filesize=10), "GET")
    headers = Headers([b"Location: /next\r\n", b"Content-Length: 1000000\r\n"])
    assert not body.on_head(ResponseHead(302, "1.1", headers))
    assert (body.location, body.finish()) == ("/next", None)


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        ([], UNUSED_BODY + 1),
        ([f"Content-Length: {UNUSED_BODY + 1}"], 0),
        ([f"Content-Length: {UNUSED_BODY}"], UNUSED_BODY),
        (["Content-Encoding: gzip"], UNUSED_BODY + 1),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_of_a_body_that_is_not_needed_only_the_beginning_is_read(
    lines: list[str], read: int, status: int
) -> None:
    body = ResponseBody(FetchOptions(max_filesize=1 << 40), "GET", wants=100)
    body.skip_body()
    head = ResponseHead(status, "1.1", Headers([f"{line}\r\n".encode() for line in lines]))
    goes_on = body.on_head(head)
    while goes_on and body.size_download < read:
        goes_on = body.feed(b"x" * min(UNUSED_BODY, read - body.size_download))
    assert goes_on is (read == UNUSED_BODY)
    assert body.size_download == read
    assert body.finish() is None
    assert not body.is_kept


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["X: y"], 302),
        (["Location: "], 302),
        (["Location: /next"], 200),
        (["Location: /next"], 201),
        (["Location: /"], 304),
    ],
)
def test_a_3xx_without_a_location_is_the_final_response(lines: list[str], status: int) -> None:
    body = begun(*lines, status=status)
    assert kind_at_end(body, b"hello") is None
    assert (body.location, body.content) == (None, b"hello")


def test_several_different_locations_are_refused() -> None:
    assert kind_at_begin("Location: /a", "location: /b", status=302) == "protocol"
    assert kind_at_begin("Location: /a", "location: /a", status=302) is None


def test_a_location_has_exactly_the_servers_bytes() -> None:
    for raw, read in ((b"/caf\xc3\xa9", "/caf\xc3\xa9"), (b"/caf\xe9", "/caf\xe9")):
        body = ResponseBody(FetchOptions(), "GET")
        body.on_head(ResponseHead(302, "1.1", Headers([b"Location: " + raw])))
        assert body.location == read


# What no server should send


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: 0", "content-length: 6"],
        ["Content-Length: -5"],
        ["Content-Length: +5"],
        ["Content-Length: five"],
        ["Content-Length: 5.0"],
        ["Content-Length: 1_0"],
        ["Content-Length: \xb2"],
        ["Content-Length:"],
    ],
)
def test_an_invalid_length_is_a_protocol_failure(lines: list[str]) -> None:
    assert kind_at_begin("Content-Type: text/plain", *lines) == "protocol"
    assert kind_at_begin("Content-Encoding: gzip", *lines) == "protocol"
    assert kind_at_begin(*lines, "Transfer-Encoding: chunked", "Content-Encoding: gzip") is None


@pytest.mark.parametrize("lines", [["Content-Length: 5, 5"], ["Content-Length: 5", "Content-Length:5"], []])
def test_the_same_length_twice_is_fine(lines: list[str]) -> None:
    assert kind_at_begin(*lines) is None


def test_a_length_next_to_chunks_is_ignored() -> None:
    assert kind_at_begin(f"Content-Length: {10**15}", "Transfer-Encoding: chunked") is None


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_no_standard_knows_is_one_all_the_same(status: int) -> None:
    assert kind_at_begin(status=status) is None


@pytest.mark.parametrize("status", [0, 99, 1000, -1])
def test_a_status_that_does_not_exist_is_a_protocol_failure(status: int) -> None:
    assert kind_at_begin(status=status) == "protocol"


@given(
    status=st.integers(0, 700),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    lines=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda name, value: name + b": " + value,
                st.sampled_from([b"Content-Length", b"Content-Encoding", b"Location", b"Transfer-Encoding"]),
                st.one_of(st.binary(max_size=20), st.sampled_from([b"5", b"gzip", b"br,", b"99999"])),
            ),
        ),
        max_size=6,
    ),
    chunks=st.lists(st.binary(max_size=50), max_size=3),
)
def test_no_header_raises_an_exception(
    status: int, method: str, lines: list[bytes], chunks: list[bytes]
) -> None:
    body = ResponseBody(FetchOptions(max_filesize=100), method)
    if body.on_head(ResponseHead(status, "1.1", Headers(lines))):
        assert body.failure is None
        kind = kind_at_end(body, *chunks)
        assert kind in (None, FailureKind.DECODE, FailureKind.TRUNCATED, FailureKind.TOO_LARGE)
    else:
        assert body.failure is not None or body.location is not None


@pytest.mark.parametrize(
    "line",
    [
        "Content-Length : 100",
        "content-length\t: 3",
        "Transfer-Encoding : chunked",
        "TRANSFER-ENCODING  :chunked",
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_space_before_the_colon_of_a_framing_header_is_protocol(line: str, status: int) -> None:
    assert kind_at_begin("Content-Type: text/plain", line, status=status) is FailureKind.PROTOCOL


def test_a_space_before_the_colon_of_another_header_is_ignored() -> None:
    assert kind_at_begin("Content-Lengthy : 100", "Transfer-Encodings : chunked", "X-Other : 1") is None


@pytest.mark.parametrize(
    ("lines", "status", "method", "kind"),
    [
        (["Content-Length: 10"], 200, "GET", FailureKind.TRUNCATED),
        (["Content-Length: 10"], 404, "GET", FailureKind.TRUNCATED),
        (["Content-Length: 10", "Transfer-Encoding: identity"], 200, "GET", FailureKind.TRUNCATED),
        (["Content-Length: 5"], 200, "GET", None),
        (["Content-Length: 10", "Transfer-Encoding: chunked"], 200, "GET", None),
        (["Content-Length: 10", "Transfer-Encoding: chunked"], 404, "GET", None),
        (["Content-Length: 10"], 200, "HEAD", None),
        (["Content-Length: 10"], 304, "GET", None),
        (["Content-Length: 10", "Location: /"], 302, "GET", None),
    ],
)
def test_less_than_its_length_is_a_truncated_body(
    lines: list[str], status: int, method: str, kind: FailureKind | None
) -> None:
    body = begun(*lines, status=status, method=method)
    chunks = [] if method == "HEAD" or status == 304 else [b"hello"]
    assert kind_at_end(body, *chunks) is kind


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_reading_stops_after_max_bytes_without_failing(coding):
    """As for a robots.txt: half a megabyte is read of one, however large it is and whatever the limits."""
    complete = bytes(range(256)) * 4096
    sent = complete if coding is None else gzip.compress(complete)
    lines = [f"Content-Length: {len(sent)}\r\n".encode()]
    if coding:
        lines.append(f"Content-Encoding: {coding}\r\n".encode())
    body = ResponseBody(FetchOptions(max_filesize=2048), "GET", max_bytes=100_000)
    assert body.on_head(ResponseHead(200, "1.1", Headers(lines)))
    fed = all(body.feed(sent[start : start + 1000]) for start in range(0, len(sent), 1000))
    assert not fed, "it stopped before the end"
    assert body.finish() is None
    assert len(body.content) >= 100_000
    assert complete.startswith(body.content)
