"""The requests transport at its own seams: the adapter that others intercept, and the exceptions of
the libraries beneath it."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import subprocess
import sys
import threading

import pytest
import requests
import responses
import urllib3.exceptions
from responses import matchers

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import authority
from fetchpool.transports.base import HopRequest, HopResult, ResponseHead
from fetchpool.transports.lookup import ResolveError
from fetchpool.transports.requests.dialer import Proxy, TlsSettings, context_for, proxy_of
from fetchpool.transports.requests.errors import KINDS, failure_of, kind_of, root_cause
from fetchpool.transports.requests.framing import TransportError
from fetchpool.transports.requests.trace import Phase, Trace
from fetchpool.transports.requests.transport import RequestsTransport
from fetchpool.transports.resolver import Resolver
from fetchpool.transports.watchdog import Watchdog
from tests.faults import ports
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer


class Recorder:
    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = b""

    pending = False

    def on_head(self, head: ResponseHead) -> bool:
        self.head = head
        return True

    def feed(self, chunk: bytes) -> bool:
        self.body += chunk
        return True


@pytest.fixture
def transport():
    transport = RequestsTransport(FetchOptions(transport="requests"))
    yield transport
    transport.close()


def hop(url: str, receiver: Recorder, **changes) -> HopRequest:
    fields = {"method": "GET", "headers": (("X-One", "1"),), "connect_timeout": 5.0, **changes}
    return HopRequest(
        url=url,
        authority=authority(url),
        receiver=receiver,
        **{"read_timeout": 5.0, "max_time": 10.0, **fields},
    )


# The adapter, as `responses` intercepts it


@responses.activate
def test_an_intercepted_response_is_handled_alike(transport):
    responses.get(
        "https://example.org/page",
        body=b"<title>A page</title>",
        headers={"X-Answer": "yes"},
        match=[matchers.header_matcher({"X-One": "1"}, strict_match=True)],
    )
    recorder = Recorder()
    response = transport.perform(hop("https://example.org/page", recorder))
    assert response.failure is None
    assert recorder.head.status == 200
    assert recorder.head.http_version == "1.1"
    assert recorder.head.headers.get("x-answer") == "yes"
    assert recorder.body == b"<title>A page</title>"


@responses.activate
def test_the_url_reaches_the_adapter_as_it_was_checked(transport):
    url = "http://example.org/a%2Fb?q='|%zz"
    responses.get("http://example.org/a%2Fb", body=b"")
    transport.perform(hop(url, Recorder()))
    assert [call.request.url for call in responses.calls] == [url]


@responses.activate
def test_one_hop_is_one_request_whatever_its_status(transport):
    responses.get("http://example.org/", status=302, headers={"Location": "http://example.org/next"})
    responses.get("http://example.org/busy", status=503, headers={"Retry-After": "1"})
    for url, status in (("http://example.org/", 302), ("http://example.org/busy", 503)):
        recorder = Recorder()
        assert transport.perform(hop(url, recorder)).failure is None
        assert recorder.head.status == status
    assert len(responses.calls) == 2


class Asleep(Watchdog):
    """A watchdog without its thread, which is the only one that notices lost time."""

    def wake(self) -> None: ...


@pytest.mark.parametrize("connect_timeout", [1.0, 5.0])
def test_a_connection_that_timed_out_because_of_lost_time_is_tried_again(
    connect_timeout: float,
) -> None:
    """Whether the connect timeout or the deadline is shorter."""
    transport = RequestsTransport(FetchOptions(transport="requests"), Asleep())
    send, sent = transport._adapter.send, []

    def stopped_at_first(*arguments, **others):
        sent.append(1)
        if len(sent) == 1:
            transport._watchdog.clock.lost += 10.0
            raise TimeoutError
        return send(*arguments, **others)

    transport._adapter.send = stopped_at_first  # type: ignore[method-assign]
    with FaultServer() as server:
        hopped = hop(server.url("ok"), Recorder(), connect_timeout=connect_timeout, max_time=2.0)
        assert transport.perform(hopped).failure is None
    assert len(sent) == 2
    transport.close()


@responses.activate
def test_a_cookie_that_is_set_is_not_sent_back(transport):
    responses.get("http://example.org/", headers={"Set-Cookie": "session=1"})
    for _ in range(2):
        transport.perform(hop("http://example.org/", Recorder()))
    assert [call.request.headers.get("Cookie") for call in responses.calls] == [None, None]


@responses.activate
def test_an_encoded_response_is_not_decoded(transport):
    packed = b"\x1f\x8b not really"
    responses.get("http://example.org/", body=packed, headers={"Content-Encoding": "gzip"})
    recorder = Recorder()
    assert transport.perform(hop("http://example.org/", recorder)).failure is None
    assert recorder.body == packed


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (requests.exceptions.ConnectTimeout("x"), FailureKind.TIMEOUT_CONNECT),
        (requests.exceptions.ReadTimeout("x"), FailureKind.TIMEOUT_READ),
        (requests.exceptions.SSLError("x"), FailureKind.TLS),
        (requests.exceptions.ProxyError("x"), FailureKind.PROXY),
        (requests.exceptions.ChunkedEncodingError("x"), FailureKind.TRUNCATED),
        (requests.exceptions.ConnectionError("x"), FailureKind.RESET),
        (requests.exceptions.ConnectionError(ConnectionRefusedError(111, "x")), FailureKind.REFUSED),
        (ValueError("invalid literal for int() with base 16: b'-5'"), FailureKind.PROTOCOL),
    ],
)
@responses.activate
def test_any_exception_of_the_adapter_is_a_failure(transport, raised, kind):
    responses.get("http://example.org/", body=raised)
    response = transport.perform(hop("http://example.org/?token=secret", Recorder()))
    assert response.failure.kind is kind
    assert "secret" not in response.failure.message
    assert response.failure.message.isprintable()


def test_an_internal_error_is_not_reported_as_the_servers(transport):
    class Broken(Recorder):
        def on_head(self, head: ResponseHead) -> bool:
            raise KeyError(head.status)

    with FaultServer() as server:
        with pytest.raises(KeyError):
            transport.perform(hop(server.url("ok"), Broken()))
        recorder = Recorder()
        assert transport.perform(hop(server.url("ok"), recorder)).failure is None
        assert recorder.body == PAGE


# The table


def tree(root: type[BaseException]) -> set[type[BaseException]]:
    return {root}.union(*(tree(child) for child in root.__subclasses__()))


@pytest.mark.parametrize(
    ("root", "library"),
    [
        (requests.exceptions.RequestException, "requests."),
        (urllib3.exceptions.HTTPError, "urllib3."),
        (http.client.HTTPException, "http."),
        (ssl.SSLError, "ssl"),
    ],
)
def test_every_exception_of_the_libraries_has_a_kind_of_its_own(root, library):
    known = {error for error in tree(root) if error.__module__.startswith(library)}
    assert known
    assert {error.__name__ for error in known if error not in KINDS} == set()


def test_every_exception_of_sockets_has_a_kind():
    for error in (ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
        assert kind_of(error(), Phase.RESPONSE) in (FailureKind.REFUSED, FailureKind.RESET)
    assert kind_of(socket.gaierror(socket.EAI_NONAME, "x")) is FailureKind.DNS
    assert kind_of(OSError(errno.ENETUNREACH, "x")) is FailureKind.UNREACHABLE
    assert kind_of(OSError(errno.EMFILE, "x")) is FailureKind.INTERNAL
    assert kind_of(OSError(12345, "x")) is FailureKind.UNREACHABLE
    assert kind_of(OSError(12345, "x"), Phase.RESPONSE) is FailureKind.RESET


def test_the_most_specific_class_decides():
    assert kind_of(urllib3.exceptions.NameResolutionError("h", None, None)) is FailureKind.DNS
    assert kind_of(http.client.RemoteDisconnected()) is FailureKind.EMPTY_REPLY
    assert kind_of(http.client.BadStatusLine("x")) is FailureKind.PROTOCOL

    class NewerError(http.client.BadStatusLine):
        pass

    assert kind_of(NewerError("x")) is FailureKind.PROTOCOL


def test_the_exception_within_the_exceptions_is_the_one():
    within = ConnectionResetError(errno.ECONNRESET, "x")
    error = requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("aborted", within))
    assert root_cause(error) is within
    reason = urllib3.exceptions.MaxRetryError(None, "/?secret", http.client.RemoteDisconnected("x"))
    assert kind_of(root_cause(requests.exceptions.ConnectionError(reason))) is FailureKind.EMPTY_REPLY


@pytest.fixture
def trace():
    trace = Trace(Watchdog().watch())
    trace.hop = hop("http://example.org/?secret", Recorder())
    trace.peer = "192.0.2.7 port 80"
    return trace


def test_the_meaning_of_an_exception_depends_on_the_hops_phase(trace):
    reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    trace.phase = Phase.RESPONSE
    assert failure_of(reset, trace).message == "connection reset by server"
    trace.phase = Phase.TLS
    assert failure_of(reset, trace).kind is FailureKind.TLS
    trace.phase = Phase.PROXY
    assert failure_of(reset, trace).kind is FailureKind.PROXY


def test_a_proxys_broken_answer_is_the_proxys_fault(trace):
    trace.phase = Phase.PROXY
    assert failure_of(TransportError(FailureKind.EMPTY_REPLY, "x"), trace).kind is FailureKind.PROXY
    assert failure_of(ResolveError(FailureKind.DNS, "x"), trace).kind is FailureKind.PROXY
    assert failure_of(TimeoutError(), trace).kind is FailureKind.TIMEOUT_CONNECT


def test_words_name_the_peer_and_the_limit(trace):
    trace.phase = Phase.CONNECT
    assert failure_of(ConnectionRefusedError(), trace).message == "connection refused"
    assert failure_of(TimeoutError(), trace).message == "connect timeout: no connection after 5 s"
    message = failure_of(OSError(errno.EMFILE, "Too many open files"), trace).message
    assert "ulimit -n" in message


# Dialling


def test_a_dead_address_does_not_hide_a_live_one():
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("127.0.0.2", "127.0.0.1")]
    transport = RequestsTransport(FetchOptions(), resolver=Resolver(lookup=lambda *_, **__: answers))
    with FaultServer() as server, ports.never_accepting("127.0.0.2", server.port):
        recorder = Recorder()
        response = transport.perform(hop(server.url("ok", host="two.test"), recorder, connect_timeout=1.0))
        transport.close()
    assert response.failure is None
    assert response.remote_ip == "127.0.0.1"
    assert recorder.body == PAGE


def test_a_name_server_that_hangs_is_timeout_dns_within_the_deadline():
    release = threading.Event()
    resolver = Resolver(lookup=lambda *_, **__: release.wait(20) and [])
    transport = RequestsTransport(FetchOptions(), resolver=resolver)
    try:
        response = transport.perform(hop("http://hangs.test/?secret", Recorder(), connect_timeout=0.3))
    finally:
        release.set()
        transport.close()
    assert response.failure.kind is FailureKind.TIMEOUT_DNS
    assert response.time_namelookup is None
    assert response.time_total < 0.8


def test_an_abort_ends_the_wait_for_a_name_server():
    asked, release = threading.Event(), threading.Event()

    def hang(*_, **__):
        asked.set()
        release.wait(20)
        return []

    transport = RequestsTransport(FetchOptions(), resolver=Resolver(lookup=hang))
    came: list[HopResult] = []
    thread = threading.Thread(
        target=lambda: came.append(transport.perform(hop("http://hangs.test/", Recorder())))
    )
    thread.start()
    try:
        assert asked.wait(5)
        transport.abort()
        thread.join(2)
        assert [response.failure.kind for response in came] == [FailureKind.ABORTED]
    finally:
        release.set()
        thread.join(5)
        transport.close()


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        (None, None),
        ("", None),
        ("http://proxy.test:3128", Proxy("http", "proxy.test", 3128, "", "")),
        ("proxy.test", Proxy("http", "proxy.test", 1080, "", "")),
        ("https://proxy.test", Proxy("https", "proxy.test", 443, "", "")),
        ("socks5h://n%40me:p%3Aw@[::1]:9050", Proxy("socks5h", "::1", 9050, "n@me", "p:w")),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(text, proxy):
    assert proxy_of(text) == proxy


def test_tls_settings_are_shared_by_the_workers():
    assert context_for(TlsSettings(insecure=True)) is context_for(TlsSettings(insecure=True))
    assert context_for(TlsSettings(insecure=True)).verify_mode is ssl.CERT_NONE
    assert context_for(TlsSettings()).verify_mode is ssl.CERT_REQUIRED


def test_importing_it_starts_nothing_and_a_transport_the_watchdog_alone():
    code = (
        "import threading, fetchpool.transports.requests.transport as r;"
        "from fetchpool.config.fetch_options import FetchOptions;"
        "print(*[thread.name for thread in threading.enumerate()]); r.RequestsTransport(FetchOptions());"
        "print(*[thread.name for thread in threading.enumerate()])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "MainThread\nMainThread fetchpool-watchdog\n"
