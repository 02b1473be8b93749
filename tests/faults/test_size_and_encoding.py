"""Size and encoding: responses that are too large are aborted while they arrive; truncated and malformed ones
are failures."""

from __future__ import annotations

import sys

import pytest

from fetchpool.transports.requests.http1 import READ_BODY
from tests.cli import runner
from tests.faults.matrix import (
    LATE,
    Way,
    errors,
    fetch_faults,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.scenarios.broken import BROKEN_RESPONSES
from tests.faults.scenarios.further import CODINGS
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

LIMIT = 1 << 20


@over_each_transport
def test_08_an_endless_body_is_aborted_at_max_filesize(server: FaultServer, way: Way) -> None:
    """`too_large`, at most one read beyond `--max-filesize`, chunked or not."""
    endless = ["endless-body", "endless-chunks"]
    records = fetch_faults(server, way, endless, max_filesize=LIMIT)
    assert errors(records) == dict.fromkeys(endless, "too_large")
    for record in records.values():
        assert record.size_download is not None
        assert LIMIT < record.size_download <= LIMIT + READ_BODY


@over_each_transport
def test_09_an_announced_petabyte_is_rejected_immediately(server: FaultServer, way: Way) -> None:
    """`too_large` from the `Content-Length` alone, with the default limit of 1 GiB: nothing is read and
    nothing allocated."""
    for record in fetch_faults(server, way, ["huge-length", "huger-length"]).values():
        assert (record.error, record.response_code) == ("too_large", 200)
        assert record.size_download in (0, 3)
        assert record.time_total is not None
        assert record.time_total < LATE


@over_each_transport
def test_10_a_compression_bomb_is_limited_by_its_decoded_size(server: FaultServer, way: Way) -> None:
    """`too_large` for gzip, deflate, br and zstd: decoded bytes are counted while decoding, which stops at
    the limit. The output between two layers counts as well."""
    bombs = [*(f"gibibyte-{coding}" for coding in CODINGS), "bomb-in-bomb"]
    records = fetch_faults(server, way, bombs, max_filesize=LIMIT)
    assert errors(records) == dict.fromkeys(bombs, "too_large")
    for record in records.values():
        assert record.size_delivered is not None
        assert record.size_delivered <= LIMIT + (256 << 10)


PEAK = """
import re, sys, fetchpool
from pathlib import Path

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10

first, *bombs = sys.argv[2:]
def fetch(urls):
    rows = fetchpool.fetch(urls, transport=sys.argv[1], max_filesize="64M", retry=0, per_host=0)
    return [str(row.error) for row in rows]
fetch([first] * 4)
before = peak()
print(*fetch(bombs), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("transport", ["curl", "requests"])
def test_10_decoding_a_bomb_needs_little_memory(server: FaultServer, transport: str) -> None:
    """The peak memory grows by less than 40 MB while four bombs of 1 GiB each are decoded at once, up to 64
    MiB of each."""
    urls = [server.url("ok"), *(server.url(f"gibibyte-{coding}") for coding in CODINGS)]
    done = runner.run(
        [sys.executable, "-c", PEAK, transport, *urls],
        capture_output=True,
        check=True,
    )
    *errors, grown = done.stdout.decode().split()
    assert errors == ["too_large"] * 4
    assert int(grown) < 40 << 20


@over_each_transport
def test_11_a_bomb_as_the_body_of_a_redirect_is_never_decoded(server: FaultServer, way: Way) -> None:
    """The redirect is followed; its body is not decoded, and not read beyond 64 KiB."""
    record = fetch_faults(server, way, ["bomb-redirect"], max_filesize=LIMIT)["bomb-redirect"]
    assert (record.error, record.num_redirects, record.size_delivered) == (None, 1, len(PAGE))
    assert record.url_effective == server.url("ok")


@over_each_transport
def test_12_six_stacked_encodings_are_a_decode_failure(server: FaultServer, way: Way) -> None:
    """`decode`, even if each layer is valid. Up to five layers are decoded, as in curl."""
    records = fetch_faults(server, way, ["six-encodings", "five-encodings"])
    assert errors(records) == {"six-encodings": "decode", "five-encodings": None}
    assert records["five-encodings"].size_delivered == len(PAGE)


@over_each_transport
def test_13_a_wrong_content_encoding_is_a_decode_failure(server: FaultServer, way: Way) -> None:
    """`decode` for gzip, deflate, br and zstd. Correct ones are decoded."""
    wrong = [f"mislabelled-{coding}" for coding in CODINGS]
    right = [f"packed-{coding}" for coding in CODINGS]
    records = fetch_faults(server, way, [*wrong, *right, "fake-gzip"])
    assert errors(records) == {
        **dict.fromkeys(wrong, "decode"),
        **dict.fromkeys(right, None),
        "fake-gzip": "decode",
    }
    assert {records[path].size_delivered for path in right} == {len(PAGE)}


@over_each_transport
def test_14_an_unknown_encoding_is_reported_and_not_decoded(server: FaultServer, way: Way) -> None:
    """No failure: both sizes are those on the wire, and the row has a field `content_encoding` with the
    name."""
    records = fetch_faults(server, way, ["unknown-encoding", "unknown-and-gzip"])
    assert errors(records) == dict.fromkeys(records)
    assert [record.to_dict()["content_encoding"] for record in records.values()] == ["rot13", "gzip, x-rot13"]
    for record in records.values():
        assert record.size_delivered == record.size_download
    assert records["unknown-encoding"].size_delivered == len(PAGE)


@in_every_way
def test_15_a_body_shorter_than_its_content_length_is_truncated(server: FaultServer, way: Way) -> None:
    """`truncated`; the row has the bytes received. Also with `Transfer-Encoding: identity`, for which libcurl
    accepts any end."""
    cut = ["short-body", "identity-cut"]
    records = fetch_faults(server, way, cut)
    assert errors(records) == dict.fromkeys(cut, "truncated")
    assert {(record.exitcode, record.response_code) for record in records.values()} == {(18, 200)}
    assert [record.size_download for record in records.values()] == [5, 3]


@over_each_transport
def test_16_a_chunked_body_without_its_end_is_truncated(server: FaultServer, way: Way) -> None:
    """`truncated`, whether the connection closes between two chunks or within one."""
    cut = ["chunked-without-end", "chunk-cut"]
    records = fetch_faults(server, way, cut)
    assert errors(records) == dict.fromkeys(cut, "truncated")
    assert [record.size_download for record in records.values()] == [5, 5]


@over_each_transport
def test_17_a_truncated_gzip_stream_in_a_complete_body_is_truncated(server: FaultServer, way: Way) -> None:
    """`truncated` for gzip, deflate, br and zstd: the HTTP body is complete, the compressed stream is not.
    libcurl and requests report a success with half a page."""
    cut = ["gzip-cut", "gzip-cut-chunked", *(f"cut-{coding}" for coding in CODINGS)]
    records = fetch_faults(server, way, cut)
    assert errors(records) == dict.fromkeys(cut, "truncated")


@over_each_transport
def test_18_malformed_http_is_a_protocol_failure(server: FaultServer, way: Way) -> None:
    """`protocol`: a chunk size of -5, a negative or conflicting `Content-Length`, garbage, HTTP/0.9, status
    1000 and the like. requests raises a bare ValueError for some of them."""
    broken = [
        *(name for name in BROKEN_RESPONSES if name != "ten-thousand-headers"),
        "http20-status",
        "blank-before-colon",
    ]
    records = fetch_faults(server, way, broken)
    assert errors(records) == dict.fromkeys(broken, "protocol")
    assert {record.exitcode for record in records.values()} == {8}


@over_each_transport
def test_19_ten_thousand_headers_or_one_of_10_mb_are_a_protocol_failure(
    server: FaultServer, way: Way
) -> None:
    """`protocol`: a header block is limited in lines and bytes."""
    many = ["ten-thousand-headers", "ten-megabyte-header"]
    records = fetch_faults(server, way, many)
    assert errors(records) == dict.fromkeys(many, "protocol")


@over_each_transport
def test_20_a_connection_closed_before_a_reply_is_retried(server: FaultServer, way: Way) -> None:
    """`empty_reply`, or `reset`, or `truncated` within the headers; each is retried, and the second attempt
    counts."""
    closed = {"empty": "empty_reply", "reset": "reset", "cut-in-headers": "truncated"}
    records = fetch_faults(server, way, list(closed))
    assert errors(records) == closed
    [record] = fetch_urls(way, [server.url("empty-at-first?retried")], retry=1, retry_delay=0)
    assert (record.error, record.num_retries, record.size_delivered) == (None, 1, len(PAGE))


@over_each_transport
def test_21_an_unknown_charset_or_binary_content_breaks_nothing(server: FaultServer, way: Way) -> None:
    """Sizes are bytes, whatever the label; the title is extracted if there is one."""
    records = fetch_faults(server, way, ["bogus-charset", "binary-as-text"], parse=["title"])
    assert errors(records) == dict.fromkeys(records)
    assert [record.size_delivered for record in records.values()] == [len(PAGE), 1024]
    assert records["bogus-charset"].to_dict()["title"] == "A page"
    assert records["binary-as-text"].to_dict()["title"] is None
