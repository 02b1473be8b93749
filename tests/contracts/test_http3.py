"""HTTP/3 with a real server, over each executor."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trustme

import fetchpool
from fetchpool.config.dependencies import _has_http3
from tests.at_once import AtOnce
from tests.faults.matrix import ASYNC, CURL, PROCESS, REQUESTS, Way, fetch_urls
from tests.http3_server import Http3Server
from tests.recording_server import RecordingServer

pytestmark = pytest.mark.skipif(not _has_http3(), reason="this libcurl has no HTTP/3")
over_each_executor = pytest.mark.parametrize("way", [CURL, ASYNC, PROCESS], ids=str)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("tls")
    files = {name: directory / f"{name}.pem" for name in ("ca", "certificate", "key")}
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(files["ca"])
    issued.cert_chain_pems[0].write_to_path(files["certificate"])
    issued.private_key_pem.write_to_path(files["key"])
    return files


@pytest.fixture(scope="module")
def server(authority: dict[str, Path]) -> Iterator[Http3Server]:
    with Http3Server(authority["certificate"], authority["key"]) as server:
        yield server


@pytest.fixture
def options(authority: dict[str, Path]) -> dict[str, Any]:
    return {"http_version": "3", "cacert": authority["ca"]}


@over_each_executor
def test_pages_are_fetched_by_http3(way: Way, server: Http3Server, options: dict[str, Any]) -> None:
    urls = [server.url(f"size/{size}") for size in (0, 1000, 300_000)] * 4
    records = fetch_urls(way, urls, **options)
    assert {(record.error, record.http_version) for record in records} == {(None, "3")}
    assert [record.size_delivered for record in records] == [0, 1000, 300_000] * 4


@over_each_executor
def test_a_body_is_sent_by_http3(way: Way, server: Http3Server, options: dict[str, Any]) -> None:
    before = len(server.requests)
    [record] = fetch_urls(way, [server.url("form")], data="a=1", **options)
    assert (record.error, server.requests[before:]) == (None, [("POST", "/form", b"a=1")])


@over_each_executor
def test_a_stream_that_is_reset_is_a_failure(way: Way, server: Http3Server, options: dict[str, Any]) -> None:
    [record] = fetch_urls(way, [server.url("reset")], **options)
    assert record.error in ("reset", "truncated")


@over_each_executor
@pytest.mark.parametrize("limit", [{"read_timeout": "1s"}, {"max_time": "1s"}], ids=" ".join)
@AtOnce()
def test_a_server_that_is_silent_costs_no_more_than_the_timeout(
    way: Way, limit: dict[str, str], server: Http3Server, options: dict[str, Any]
) -> None:
    began = monotonic()
    [record] = fetch_urls(way, [server.url("silent")], **limit, **options)
    assert record.error == ("timeout_read" if "read_timeout" in limit else "timeout_total")
    assert monotonic() - began < 8


@over_each_executor
def test_a_server_without_http3_is_fetched_from_all_the_same(
    way: Way, authority: dict[str, Path], options: dict[str, Any]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority["certificate"], authority["key"])
    with RecordingServer() as plain, RecordingServer(tls=context) as secure:
        records = fetch_urls(way, [plain.url(), secure.url()], **options)
    assert [(record.error, record.http_version) for record in records] == [(None, "1.1")] * 2


def test_requests_has_no_http3(options: dict[str, Any]) -> None:
    with pytest.raises(fetchpool.UsageError, match="http_version='3' requires transport='curl'"):
        list(fetchpool.fetch([], transport=REQUESTS.transport, **options))
