"""Every transport, through the same cases, against real servers on loopback.

The contract is that of `transports/base.py`: one hop, exactly as asked, answered within its
deadline, whatever the server does.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic

import pytest
import trustme

from fetchpool.config.choices import TRANSPORTS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports import tls_messages
from fetchpool.transports.base import HopRequest, HopResult, ResponseHead, Transport
from fetchpool.transports.open import open_transport
from tests.at_once import AtOnce
from tests.faults import ports
from tests.faults.proxy import Proxy
from tests.faults.scenarios import further
from tests.faults.scenarios.broken import BROKEN_RESPONSES
from tests.faults.scenarios.normal import PAGE
from tests.faults.scenarios.responses import BAD_FRAMINGS, FRAMINGS, HELLO, PART
from tests.faults.server import FaultServer

assert further  # its scenarios are registered by its import

LATE = 0.5
"""Seconds a deadline may be late by."""


class Recorder:
    """A receiver that records its calls, and stops when configured to."""

    def __init__(self, *, stop_at_head: bool = False, stop_after: int | None = None) -> None:
        self.heads: list[ResponseHead] = []
        self.chunks: list[bytes] = []
        self._stop_at_head = stop_at_head
        self._stop_after = stop_after

    pending = False

    def on_head(self, head: ResponseHead) -> bool:
        self.heads.append(head)
        return not self._stop_at_head

    def feed(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        return self._stop_after is None or len(self.body) < self._stop_after

    @property
    def head(self) -> ResponseHead:
        [head] = self.heads
        return head

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Client:
    """A transport with its options, and hops made short."""

    def __init__(self, transport: Transport, options: FetchOptions) -> None:
        self.transport = transport
        self.options = options
        self.seconds = 0.0
        """How long the last hop took, on our clock."""

    def fetch(
        self, url: str, receiver: Recorder | None = None, **changes: object
    ) -> tuple[HopResult, Recorder]:
        receiver = receiver or Recorder()
        options = self.options
        fields: dict = {
            "method": "GET",
            "headers": (("User-Agent", "contract"), ("Accept", "*/*")),
            "connect_timeout": options.connect_timeout,
            "read_timeout": options.read_timeout,
            "max_time": options.max_time,
            **changes,
        }
        hop = HopRequest(url=url, authority=urls.authority(url), receiver=receiver, **fields)
        started = monotonic()
        response = self.transport.perform(hop)
        self.seconds = monotonic() - started
        return response, receiver

    def failure(self, url: str, **changes: object) -> FailureKind:
        """The kind of failure a hop ends with; there must be one, with a message."""
        response, _ = self.fetch(url, **changes)
        assert response.failure is not None
        message = response.failure.message
        assert message
        assert message.isprintable()
        assert "?" not in message.replace("http://?", "")  # no query
        return response.failure.kind


@pytest.fixture(params=TRANSPORTS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@contextlib.contextmanager
def clients(name: str) -> Iterator[Callable[..., Client]]:
    """Makes clients with options of the test's own."""
    opened: list[Transport] = []

    def make(**options: object) -> Client:
        settings = {"connect_timeout": 5.0, "read_timeout": 5.0, "max_time": 10.0, **options}
        chosen = FetchOptions(transport=name, **settings)
        transport = open_transport(chosen)
        opened.append(transport)
        return Client(transport, chosen)

    try:
        yield make
    finally:
        for transport in opened:
            transport.close()


@pytest.fixture
def client_with(name: str) -> Iterator[Callable[..., Client]]:
    with clients(name) as make:
        yield make


@pytest.fixture
def client(client_with) -> Client:
    return client_with()


def at_once() -> AtOnce:
    """A group of tests that wait. Each has servers of its own."""
    return AtOnce(
        client_with=clients,
        client=lambda client_with: contextlib.nullcontext(client_with()),
        server=FaultServer,
        fresh=FaultServer,
    )


trickling, waiting = at_once(), at_once()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def fresh() -> Iterator[FaultServer]:
    """A server without other clients: its counts are this test's."""
    with FaultServer() as server:
        yield server


# What is sent


def test_get_brings_the_body(client, server):
    response, recorder = client.fetch(server.url("ok"))
    assert response.failure is None
    assert (recorder.head.status, recorder.head.http_version) == (200, "1.1")
    assert recorder.body == PAGE


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PURGE"])
def test_a_method_is_sent_as_it_is(client, fresh, method):
    response, recorder = client.fetch(fresh.url("ok"), method=method)
    assert response.failure is None
    assert [received.method for received in fresh.received] == [method]
    assert recorder.body == (b"" if method == "HEAD" else PAGE)


def test_head_leaves_a_connection_that_can_be_used_again(client, fresh):
    for method in ("HEAD", "GET", "HEAD", "GET"):
        assert client.fetch(fresh.url("ok"), method=method)[0].failure is None
    assert fresh.connections == 1


def test_nothing_is_added_to_the_headers_but_host(client, fresh):
    headers = (
        ("X-One", "1"),
        ("x-two", "2"),
        ("X-One", "again"),
        ("Accept-Encoding", "br, gzip"),
        ("X-Empty", ""),
    )
    client.fetch(fresh.url("ok"), headers=headers)
    [received] = fresh.received
    assert [line.rstrip() for line in received.lines] == [
        f"Host: 127.0.0.1:{fresh.port}",
        "X-One: 1",
        "x-two: 2",
        "X-One: again",
        "Accept-Encoding: br, gzip",
        "X-Empty:",
    ]


def test_no_headers_means_none(client, fresh):
    client.fetch(fresh.url("ok"), headers=())
    assert [line for line in fresh.received[0].lines if not line.startswith("Host:")] == []


def test_a_host_header_of_ones_own_takes_the_place_of_the_other(client, fresh):
    client.fetch(fresh.url("ok"), headers=(("Host", "other.example"),))
    hosts = [line for line in fresh.received[0].lines if line.lower().startswith("host:")]
    assert hosts == ["Host: other.example"]


@pytest.mark.parametrize(
    "target",
    [
        "/ok?a=b&c=%7e%7E%2f%2F",
        "/ok?",
        "/ok?q='|;,:@!$()*",
        "/a//b/%2F%20/",
        "/?x",
        "/ok?%",
        "/ok?[]{}^`\\",
        "/%c3%a9/%C3%A9/%c3?%c3%A9",
    ],
)
def test_the_target_goes_on_the_wire_as_it_was_checked(client, fresh, target):
    client.fetch(fresh.url(target[1:]))
    assert [received.target for received in fresh.received] == [target]


def test_the_environment_is_not_asked(client_with, fresh, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    response, _ = client_with().fetch(fresh.url("ok"))
    assert response.failure is None
    assert "secret" not in str(fresh.received)
    assert "authorization" not in fresh.received[0].headers()


# What comes back


def test_headers_come_back_as_sent_in_order_with_the_repeated_ones(client, server):
    _, recorder = client.fetch(server.url("headers"))
    assert recorder.head.headers.items() == [
        ("Set-Cookie", "a=1"),
        ("x-first", "1"),
        ("Set-Cookie", "b=2"),
        ("X-Folded", "one two"),
        ("X-Latin", "café"),
        ("X-Empty", ""),
        ("X-Tight", "value"),
        ("X-Colons", "a:b:c"),
        ("Content-Length", "2"),
    ]
    assert recorder.head.headers.get("SET-COOKIE") == "a=1, b=2"


@pytest.mark.parametrize(
    ("scenario", "body", "version"),
    [
        ("chunked", b"hello wide world", "1.1"),
        ("until-closed", PAGE, "1.1"),
        ("http10", PAGE, "1.0"),
        ("http10-kept", b"ok", "1.0"),
        ("says-close", PAGE, "1.1"),
        ("bare-line-feeds", b"ok\r\n", "1.1"),
        ("no-reason", b"ok", "1.1"),
    ],
)
def test_a_body_ends_where_its_framing_says(client, server, scenario, body, version):
    response, recorder = client.fetch(server.url(scenario))
    assert response.failure is None
    assert recorder.body == body
    assert recorder.head.http_version == version


@pytest.mark.parametrize(("scenario", "status"), [("nothing", 204), ("not-modified", 304)])
def test_an_answer_without_a_body_begins_all_the_same(client, fresh, scenario, status):
    for _ in range(2):
        response, recorder = client.fetch(fresh.url(scenario))
        assert response.failure is None
        assert recorder.head.status == status
        assert recorder.body == b""
    assert fresh.connections == 1


def test_a_content_coding_is_left_as_it_came(client, server):
    _, recorder = client.fetch(server.url("gzip"))
    assert recorder.head.headers.get("content-encoding") == "gzip"
    assert gzip.decompress(recorder.body) == PAGE


def test_interim_answers_are_skipped(client, server):
    response, recorder = client.fetch(server.url("continue"))
    assert response.failure is None
    assert recorder.head.status == 200
    assert recorder.head.headers.get("link") is None
    assert recorder.head.headers.get("x-final") == "yes"
    assert recorder.body == PAGE


def test_thousands_of_interim_answers_take_no_time(client, server):
    response, recorder = client.fetch(server.url("eighteen-thousand-continues"))
    assert response.failure is None
    assert recorder.body == PAGE
    assert client.seconds < 1


def test_a_redirect_is_an_answer_like_any_other(client, fresh):
    response, recorder = client.fetch(fresh.url("redirect-loop"))
    assert response.failure is None
    assert recorder.head.status == 302
    assert len(fresh.received) == 1


def test_bytes_are_handed_over_as_they_come(client, server):
    _, recorder = client.fetch(server.url("bytes-in-pieces"))
    assert recorder.chunks == [b"h", b"e", b"l", b"l", b"o"]


def test_where_it_was_and_how_long_each_phase_took(client, server):
    response, _ = client.fetch(server.url("bytes-in-pieces"))
    assert response.remote_ip == "127.0.0.1"
    times = (
        response.time_namelookup,
        response.time_connect,
        response.time_starttransfer,
        response.time_total,
    )
    assert all(time is not None and time > 0 for time in times)
    assert list(times) == sorted(times)
    assert response.time_appconnect == 0.0
    assert response.time_total == pytest.approx(client.seconds, abs=0.1)
    assert response.time_total - response.time_starttransfer > 0.15


def test_a_name_is_looked_up(client, server):
    response, recorder = client.fetch(server.url("ok", host="localhost"))
    assert response.failure is None
    assert recorder.body == PAGE


def test_addresses_known_beforehand_are_the_ones_dialled(client, fresh):
    response, _ = client.fetch(fresh.url("ok", host="no.such.host.invalid"), addresses=("127.0.0.1",))
    assert response.failure is None
    assert response.remote_ip == "127.0.0.1"
    assert fresh.received[0].headers()["host"] == f"no.such.host.invalid:{fresh.port}"


# Connections


def test_a_reused_connection_has_no_connect_time(client, fresh):
    for scenario in ("ok", "chunked", "gzip", "ok", "redirect-loop"):
        response, _ = client.fetch(fresh.url(scenario))
        assert response.failure is None
    assert fresh.connections == 1
    assert response.time_connect == pytest.approx(0.0, abs=0.001)
    assert response.remote_ip == "127.0.0.1"


@pytest.mark.parametrize("scenario", ["says-close", "closes-unsaid", "until-closed", "once-per-connection"])
def test_a_connection_that_the_server_closed_costs_no_request(client, fresh, scenario):
    for _ in range(4):
        response, _ = client.fetch(fresh.url(scenario))
        assert response.failure is None
    assert fresh.connections == 4


def test_a_receiver_that_has_enough_at_the_head_ends_the_hop_without_a_failure(client, server):
    response, recorder = client.fetch(server.url("endless-body"), Recorder(stop_at_head=True))
    assert response.failure is None
    assert recorder.head.status == 200
    assert recorder.chunks == []


@pytest.mark.parametrize("scenario", ["endless-body", "endless-chunks"])
def test_a_receiver_that_has_enough_of_the_body_ends_the_hop_without_a_failure(client, fresh, scenario):
    response, recorder = client.fetch(fresh.url(scenario), Recorder(stop_after=100_000))
    assert response.failure is None
    assert 100_000 <= len(recorder.body) <= 100_000 + 256 * 1024  # no more than it reads at once
    response, recorder = client.fetch(fresh.url("ok"))
    assert response.failure is None
    assert recorder.body == PAGE
    assert fresh.connections == 2


def test_after_any_failure_the_next_hop_is_not_harmed(client, server):
    for scenario in ("empty", "short-body", "garbage", "reset", "chunk-size-negative"):
        client.failure(server.url(scenario))
        response, recorder = client.fetch(server.url("ok"))
        assert response.failure is None
        assert recorder.body == PAGE


def test_many_workers_do_not_get_in_each_others_way(client_with, server):
    failures: list[object] = []

    def work(client: Client) -> None:
        for _ in range(20):
            response, recorder = client.fetch(server.url("ok"))
            if response.failure is not None or recorder.body != PAGE:
                failures.append(response)

    threads = [threading.Thread(target=work, args=(client_with(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def test_closing_closes_the_connections_and_may_be_done_twice(client, fresh):
    client.fetch(fresh.url("ok"))
    client.transport.close()
    client.transport.close()


# What goes wrong


def test_a_closed_port_is_refused(client):
    with ports.refused() as port:
        assert client.failure(f"http://127.0.0.1:{port}/?secret") is FailureKind.REFUSED


def test_a_name_that_does_not_exist_is_dns(client):
    assert client.failure("http://no.such.host.invalid/?secret") is FailureKind.DNS


def test_an_address_without_a_route_is_unreachable(client):
    # The local end of a multicast address: connect() fails at once, wherever this runs.
    assert client.failure("http://255.255.255.255/") is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("empty", FailureKind.EMPTY_REPLY),
        ("reset", FailureKind.RESET),
        ("reset-in-body", FailureKind.RESET),
        ("short-body", FailureKind.TRUNCATED),
        ("chunked-without-end", FailureKind.TRUNCATED),
        ("chunk-cut", FailureKind.TRUNCATED),
        ("cut-in-headers", FailureKind.TRUNCATED),
        ("ten-megabyte-header", FailureKind.PROTOCOL),
    ],
)
def test_an_answer_that_breaks_off_has_its_kind(client, server, scenario, kind):
    assert client.failure(server.url(f"{scenario}?secret")) is kind


@pytest.mark.parametrize("scenario", BROKEN_RESPONSES)
def test_a_response_that_is_not_http_is_protocol(client, server, scenario):
    response, recorder = client.fetch(server.url(scenario))
    if response.failure is None:  # some is the body's to refuse, by what the head says
        body = ResponseBody(client.options, "GET")
        body.on_head(recorder.head)
        response.failure = body.failure
    assert response.failure is not None
    assert response.failure.kind is FailureKind.PROTOCOL
    assert client.seconds < 2


def body_of(client: Client, url: str) -> ResponseBody:
    """The body that a hop's receiver got, with its failure."""
    body = ResponseBody(client.options, "GET")
    hop = HopRequest(url, urls.authority(url), "GET", (), 5, 5, 10, body)
    response = client.transport.perform(hop)
    body.failure = body.failure or response.failure or body.finish()
    return body


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_ends_where_both_transports_read_it_to(client, fresh, framing):
    for _ in range(2):
        started = monotonic()
        body = body_of(client, fresh.url(f"framed-{framing}"))
        assert body.failure is None
        assert body.size_delivered == len(HELLO)
        assert monotonic() - started < 2


def test_so_does_that_of_a_redirect(client, fresh):
    started = monotonic()
    body = body_of(client, fresh.url("identity-redirect"))
    assert (body.failure, body.location, body.size_download) == (None, "/ok", 5)
    assert monotonic() - started < 2


@pytest.mark.parametrize("framing", BAD_FRAMINGS)
def test_an_ambiguous_framing_is_protocol(client, server, framing):
    body = body_of(client, server.url(f"framed-{framing}"))
    assert body.failure is not None
    assert body.failure.kind is FailureKind.PROTOCOL


@pytest.mark.parametrize("status", ["600", "700", "999"])
def test_a_status_that_no_standard_knows_is_handed_over(client, server, status):
    response, recorder = client.fetch(server.url(f"status-{status}"))
    assert response.failure is None
    assert (recorder.head.status, recorder.body) == (int(status), PART)


def test_bytes_before_a_failure_are_passed_on(client, server):
    response, recorder = client.fetch(server.url("short-body"))
    assert recorder.head.status == 200
    assert recorder.body == b"short"
    assert response.remote_ip == "127.0.0.1"
    assert response.time_starttransfer is not None


def test_a_port_that_speaks_first_and_is_not_http_is_protocol(client):
    with ports.accepting(b"220 mail.example ESMTP\r\n") as port:
        assert client.failure(f"http://127.0.0.1:{port}/") in (FailureKind.PROTOCOL, FailureKind.RESET)


# Deadlines


def kinds(
    clients: dict[str, Client], server: FaultServer | None, limit: float, **limits: float
) -> dict[str, FailureKind | float]:
    """How each scenario (or URL, without a server) ends, or after how long if that is not after
    `limit`. All run at once, each with a client of its own: a deadline must hold in company, and the
    test takes no longer than one."""
    ended: dict[str, FailureKind | float] = {}

    def work(scenario: str, client: Client) -> None:
        kind = client.failure(server.url(scenario) if server else scenario, **limits)
        ended[scenario] = kind if limit - 0.1 < client.seconds < limit + LATE else client.seconds

    threads = [threading.Thread(target=work, args=pair) for pair in clients.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return ended


TRICKLES = [
    "trickle",
    "trickle-chunked",
    "slow-header",
    "slow-headers",
    "slow-status",
    "endless-continue",
    "endless-trailers",
    "slow-trailer",
]
SILENCES = ["silence", "silence-in-body", "silence-without-length", "silence-in-headers", "silence-at-once"]


@trickling
def test_no_trickle_outlives_the_deadline(client_with, server):
    ended = kinds({scenario: client_with() for scenario in TRICKLES}, server, 0.6, max_time=0.6)
    assert ended == dict.fromkeys(TRICKLES, FailureKind.TIMEOUT_TOTAL)


@trickling
def test_a_byte_now_and_then_is_not_silence(client_with, server):
    clients = {scenario: client_with() for scenario in TRICKLES}
    ended = kinds(clients, server, 1.0, max_time=1.0, read_timeout=0.35)
    assert ended == dict.fromkeys(TRICKLES, FailureKind.TIMEOUT_TOTAL)


@waiting
def test_silence_ends_after_the_read_timeout(client_with, server):
    ended = kinds({scenario: client_with() for scenario in SILENCES}, server, 0.4, read_timeout=0.4)
    assert ended == dict.fromkeys(SILENCES, FailureKind.TIMEOUT_READ)


@waiting
def test_the_deadline_holds_in_silence_too(client_with, server):
    ended = kinds({scenario: client_with() for scenario in SILENCES}, server, 0.4, max_time=0.4)
    assert ended == dict.fromkeys(SILENCES, FailureKind.TIMEOUT_TOTAL)


@waiting
def test_silence_on_a_kept_connection_is_counted_from_the_request(client, server):
    client.fetch(server.url("ok"))
    threading.Event().wait(0.4)
    assert client.failure(server.url("silence-at-once"), read_timeout=0.4) is FailureKind.TIMEOUT_READ
    assert 0.3 < client.seconds < 0.4 + LATE


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel isn't asked here")
@pytest.mark.parametrize("kept", [False, True])
@waiting
def test_bytes_on_another_connection_do_not_end_the_read_timeout(client, server, fresh, kept):
    client.fetch(server.url("goodbye-on-a-kept-connection"))
    if kept:
        client.fetch(fresh.url("ok"))
    kind = client.failure(fresh.url("silence-at-once"), read_timeout=0.5, max_time=3)
    assert kind is FailureKind.TIMEOUT_READ
    assert 0.4 < client.seconds < 0.5 + LATE
    assert fresh.connections == 1


@waiting
def test_a_listener_that_never_accepts_is_timeout_connect(client_with):
    client = client_with(connect_timeout=0.5)
    with ports.never_accepting() as port:
        assert client.failure(f"http://127.0.0.1:{port}/?secret") is FailureKind.TIMEOUT_CONNECT
    assert 0.4 < client.seconds < 0.5 + LATE


@waiting
def test_each_hop_has_a_connect_timeout_of_its_own(client, server):
    assert client.fetch(server.url("ok"))[0].failure is None
    with ports.never_accepting() as port:
        kind = client.failure(f"http://127.0.0.1:{port}/", connect_timeout=0.4)
    assert kind is FailureKind.TIMEOUT_CONNECT
    assert 0.3 < client.seconds < 0.4 + LATE


@waiting
def test_the_deadline_may_come_before_the_connect_timeout(client):
    with ports.never_accepting() as port:
        kind = client.failure(f"http://127.0.0.1:{port}/?secret", max_time=0.3)
    assert kind is FailureKind.TIMEOUT_TOTAL
    assert 0.2 < client.seconds < 0.3 + LATE


@waiting
def test_a_tls_handshake_that_is_never_answered_is_timeout_connect(client_with):
    client = client_with(connect_timeout=0.5)
    with ports.accepting(None) as port:
        assert client.failure(f"https://127.0.0.1:{port}/") is FailureKind.TIMEOUT_CONNECT
    assert 0.4 < client.seconds < 0.5 + LATE


@pytest.mark.parametrize(
    "scenario", ["silence", "trickle", "endless-continue", "silence-without-length", "silence-in-headers"]
)
def test_an_abort_ends_the_hop_at_once_and_every_later_one(client, fresh, scenario):
    responses: list[HopResult] = []
    thread = threading.Thread(target=lambda: responses.append(client.fetch(fresh.url(scenario))[0]))
    thread.start()
    deadline = monotonic() + 5
    while not fresh.received and monotonic() < deadline:
        threading.Event().wait(0.01)
    started = monotonic()
    client.transport.abort()
    thread.join(5)
    assert monotonic() - started < LATE
    [response] = responses
    assert response.failure is not None
    assert response.failure.kind is FailureKind.ABORTED
    assert client.failure(fresh.url("ok")) is FailureKind.ABORTED
    assert client.seconds < LATE


# Addresses


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_hop_for_the_public_only_does_not_connect_to_this_machine(client, fresh, host):
    kind = client.failure(fresh.url("ok", host=host), public_only=True)
    assert kind is FailureKind.FORBIDDEN_ADDRESS
    assert fresh.connections == 0


def test_nor_does_it_use_a_kept_connection_that_does(client, fresh):
    client.fetch(fresh.url("ok"))
    assert client.failure(fresh.url("ok"), public_only=True) is FailureKind.FORBIDDEN_ADDRESS
    assert len(fresh.received) == 1
    assert client.fetch(fresh.url("ok"))[0].failure is None


def test_nor_to_addresses_known_beforehand(client, fresh):
    url = fresh.url("ok", host="public.example")
    kind = client.failure(url, public_only=True, addresses=("127.0.0.1",))
    assert kind is FailureKind.FORBIDDEN_ADDRESS
    assert fresh.connections == 0


def speaks_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not speaks_ipv6(), reason="no IPv6 here")
def test_an_ipv6_address_in_brackets_is_fetched_from(client):
    with FaultServer(host="::1") as server:
        response, recorder = client.fetch(server.url("ok", host="[::1]"))
        assert response.failure is None
        assert response.remote_ip == "::1"
        assert recorder.body == PAGE
        assert server.received[0].headers()["host"] == f"[::1]:{server.port}"


# Several addresses


@pytest.mark.parametrize("dead", [1, 3])
@waiting
def test_a_live_address_behind_dead_ones_answers_soon(client, fresh, dead):
    with contextlib.ExitStack() as stack:
        addresses = [f"127.0.0.{9 + number}" for number in range(dead)]
        for address in addresses:
            stack.enter_context(ports.never_accepting(address, fresh.port))
        url = fresh.url("ok", host="several.example")
        response, recorder = client.fetch(url, addresses=(*addresses, "127.0.0.1"))
    assert response.failure is None
    assert response.remote_ip == "127.0.0.1"
    assert recorder.body == PAGE
    assert client.seconds < 0.3 * dead + LATE


def test_an_address_after_refusing_ones_responds_at_once(client, fresh):
    url = fresh.url("ok", host="several.example")
    response, _ = client.fetch(url, addresses=("127.0.0.9", "127.0.0.10", "127.0.0.1"))
    assert response.failure is None
    assert response.remote_ip == "127.0.0.1"
    assert client.seconds < LATE


def test_when_all_refuse_it_is_refused(client):
    with ports.refused() as port:
        kind = client.failure(f"http://several.example:{port}/", addresses=("127.0.0.1", "127.0.0.9"))
    assert kind is FailureKind.REFUSED


@waiting
def test_when_all_are_dead_it_is_timeout_connect(client_with):
    client = client_with(connect_timeout=0.7)
    with ports.never_accepting() as port, ports.never_accepting("127.0.0.9", port):
        kind = client.failure(f"http://several.example:{port}/", addresses=("127.0.0.1", "127.0.0.9"))
    assert kind is FailureKind.TIMEOUT_CONNECT
    assert 0.5 < client.seconds < 0.7 + LATE


@waiting
def test_an_abort_ends_it_while_several_are_tried(client):
    responses: list[HopResult] = []
    with ports.never_accepting() as port, ports.never_accepting("127.0.0.9", port):
        url, addresses = f"http://several.example:{port}/", ("127.0.0.1", "127.0.0.9")
        thread = threading.Thread(target=lambda: responses.append(client.fetch(url, addresses=addresses)[0]))
        thread.start()
        threading.Event().wait(0.4)  # both are under way by then
        client.transport.abort()
        thread.join(LATE)
        assert not thread.is_alive()
    [response] = responses
    assert response.failure is not None
    assert response.failure.kind is FailureKind.ABORTED


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def cacert(authority, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(authority: trustme.CA, *names: str, **validity: datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **validity).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def tls_server(authority) -> Iterator[FaultServer]:
    with FaultServer(server_context(authority, "127.0.0.1", "localhost")) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_is_verified_against_the_given_authority(client_with, cacert, tls_server, host):
    client = client_with(cacert=cacert)
    response, recorder = client.fetch(tls_server.url("ok", host=host))
    assert response.failure is None
    assert recorder.body == PAGE
    assert 0 < response.time_connect < response.time_appconnect < response.time_starttransfer
    response, _ = client.fetch(tls_server.url("chunked", host=host))
    assert response.failure is None
    assert response.time_appconnect == 0.0


def test_an_unknown_authority_is_tls(client, tls_server):
    assert client.failure(tls_server.url("ok?secret")) is FailureKind.TLS


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("unknown", tls_messages.UNKNOWN_ISSUER),
        ("other host", tls_messages.OTHER_HOST),
        ("expired", tls_messages.EXPIRED),
        ("early", tls_messages.NOT_YET_VALID),
        ("plain", tls_messages.NO_TLS),
    ],
)
def test_a_tls_failure_has_one_message_that_names_the_fix(
    client_with, server, authority, cacert, case, message
):
    years = {"expired": (2020, 2021), "early": (2090, 2091)}.get(case)
    dates = [datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in years or ()]
    validity = dict(zip(("not_before", "not_after"), dates, strict=False))
    context = server_context(authority, "other.example" if case == "other host" else "127.0.0.1", **validity)
    client = client_with() if case == "unknown" else client_with(cacert=cacert)
    with FaultServer(context) as secure:
        port = server.port if case == "plain" else secure.port
        response, _ = client.fetch(f"https://127.0.0.1:{port}/ok")
    assert response.failure is not None
    assert (response.failure.kind, response.failure.message) == (FailureKind.TLS, message)


def test_another_hosts_certificate_is_tls(client_with, authority, cacert):
    with FaultServer(server_context(authority, "other.example")) as server:
        assert client_with(cacert=cacert).failure(server.url("ok")) is FailureKind.TLS


@pytest.mark.parametrize(
    ("host", "names", "fits"),
    [
        ("a_b.site.test", ("*.site.test",), True),
        ("a_b.site.test", ("other.test", "*.site.test"), True),
        ("_a.site.test", ("*.site.test",), True),
        ("c.a_b.site.test", ("*.site.test",), False),
        ("a_b.site.test", ("*.other.test",), False),
        ("a_b.test", ("*.test",), False),
        ("plain.site.test", ("*.site.test",), True),
    ],
)
def test_an_underscore_in_a_host_is_a_letter_to_a_certificate(
    client_with, authority, cacert, host, names, fits
):
    with FaultServer(server_context(authority, *names)) as server:
        response, recorder = client_with(cacert=cacert).fetch(
            server.url("ok", host=host), addresses=("127.0.0.1",)
        )
        if fits:
            assert response.failure is None
            assert recorder.body == PAGE
        else:
            assert response.failure is not None
            assert response.failure.kind is FailureKind.TLS
            assert server.received == []


def test_an_underscore_does_not_make_an_unknown_authority_trusted(client, authority):
    with FaultServer(server_context(authority, "*.site.test")) as server:
        kind = client.failure(server.url("ok", host="a_b.site.test"), addresses=("127.0.0.1",))
    assert kind is FailureKind.TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_wanted_is_tls(client_with, authority, cacert, version):
    context = server_context(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    client = client_with(cacert=cacert)
    with FaultServer(context) as server:
        for _ in range(10):
            assert client.failure(server.url("ok")) is FailureKind.TLS


def test_insecure_takes_any_certificate_in_silence(client_with, tls_server, recwarn, capfd):
    response, recorder = client_with(insecure=True).fetch(tls_server.url("ok"))
    assert response.failure is None
    assert recorder.body == PAGE
    assert not [warning for warning in recwarn if not issubclass(warning.category, ResourceWarning)]
    assert capfd.readouterr() == ("", "")


def test_tls_to_a_port_that_speaks_http_is_tls(client, server):
    assert client.failure(f"https://127.0.0.1:{server.port}/ok") is FailureKind.TLS


def test_a_tls_handshake_that_is_hung_up_on_is_tls(client):
    with ports.accepting(b"") as port:
        assert client.failure(f"https://127.0.0.1:{port}/") is FailureKind.TLS


def test_the_file_of_certificates_may_have_any_name(client_with, cacert, tls_server, tmp_path):
    umlaut = shutil.copy(cacert, tmp_path / "schl\u00fcssel.pem")
    assert client_with(cacert=str(umlaut)).fetch(tls_server.url("ok"))[0].failure is None


@trickling
def test_deadlines_hold_inside_tls(client_with, cacert, tls_server):
    clients = {scenario: client_with(cacert=cacert) for scenario in TRICKLES}
    ended = kinds(clients, tls_server, 1.0, max_time=1.0, read_timeout=0.35)
    assert ended == dict.fromkeys(TRICKLES, FailureKind.TIMEOUT_TOTAL)


@waiting
def test_silence_inside_tls_is_timeout_read(client_with, cacert, tls_server):
    clients = {scenario: client_with(cacert=cacert) for scenario in SILENCES}
    ended = kinds(clients, tls_server, 0.4, read_timeout=0.4)
    assert ended == dict.fromkeys(SILENCES, FailureKind.TIMEOUT_READ)


def test_a_body_that_ends_with_the_connection_is_truncated_when_tls_was_cut(client_with, cacert, tls_server):
    # The server closes TCP without the close_notify of RFC 8446 section 6.1.
    response, _ = client_with(cacert=cacert).fetch(tls_server.url("until-closed"))
    assert response.failure is not None
    assert response.failure.kind in (FailureKind.TRUNCATED, FailureKind.RESET)


# Proxies


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


def test_a_proxy_gets_the_target_as_it_was_checked(client_with, proxy):
    client = client_with(proxy=f"http://127.0.0.1:{proxy.port}")
    for path in ("%c3%a9", "plain", "%C3"):
        client.fetch(f"http://no.such.host.invalid/{path}?%c3")
    lines = [head.split("\r\n")[0] for head in proxy.heads]
    assert lines == [
        f"GET http://no.such.host.invalid/{path}?%c3 HTTP/1.1" for path in ("%c3%a9", "plain", "%C3")
    ]


def test_an_http_proxy_gets_the_complete_url(client_with, proxy):
    client = client_with(proxy=f"http://name:pass%20word@127.0.0.1:{proxy.port}")
    for _ in range(2):
        response, recorder = client.fetch("http://no.such.host.invalid/page?q=1", headers=(("X-One", "1"),))
        assert response.failure is None
        assert recorder.body == b"forwarded"
    line, *fields = proxy.heads[0].split("\r\n")
    assert line == "GET http://no.such.host.invalid/page?q=1 HTTP/1.1"
    credentials = base64.b64encode(b"name:pass word").decode()
    assert {"Host: no.such.host.invalid", "X-One: 1", f"Proxy-Authorization: Basic {credentials}"} <= set(
        fields
    )


def test_a_proxys_password_need_not_be_ascii(client_with, proxy):
    client = client_with(proxy=f"http://name:schl\u00fcssel@127.0.0.1:{proxy.port}")
    assert client.fetch("http://no.such.host.invalid/")[0].failure is None
    credentials = base64.b64encode("name:schl\u00fcssel".encode()).decode()
    assert f"Proxy-Authorization: Basic {credentials}" in proxy.heads[0]


def test_an_http_proxy_tunnels_tls_and_its_password_stays_with_it(client_with, proxy, authority, cacert):
    with FaultServer(server_context(authority, "site.example")) as server:
        client = client_with(proxy=f"http://name:secret@127.0.0.1:{proxy.port}", cacert=cacert)
        for _ in range(2):
            response, recorder = client.fetch(server.url("ok", host="site.example"))
            assert response.failure is None
            assert recorder.body == PAGE
        assert [head.split("\r\n")[0] for head in proxy.heads] == [
            f"CONNECT site.example:{server.port} HTTP/1.1"
        ]
        assert "proxy-authorization" in proxy.heads[0].lower()
        assert "proxy-authorization" not in str(server.received).lower()
        assert recorder.head.headers.get("x-proxy") is None


def test_a_proxy_with_tls_forwards_and_tunnels(client_with, authority, cacert):
    with (
        Proxy(tls=server_context(authority, "127.0.0.1")) as proxy,
        FaultServer(server_context(authority, "site.example")) as server,
    ):
        client = client_with(proxy=f"https://127.0.0.1:{proxy.port}", cacert=cacert)
        if client.options.transport == "curl":
            pytest.skip("libcurl has certificates of its own for proxies (CURLOPT_PROXY_CAINFO)")
        assert client.fetch("http://plain.example/")[1].body == b"forwarded"
        response, recorder = client.fetch(server.url("ok", host="site.example"))
        assert response.failure is None
        assert recorder.body == PAGE


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_is_proxy(client_with, status):
    with Proxy(refuses=status) as proxy:
        client = client_with(proxy=f"http://127.0.0.1:{proxy.port}")
        assert client.failure("https://site.example/?secret") is FailureKind.PROXY


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("url", ["http://site.example/?secret", "https://site.example/?secret"])
def test_a_proxy_that_is_not_there_is_proxy(client_with, scheme, url):
    with ports.refused() as port:
        client = client_with(proxy=f"{scheme}://127.0.0.1:{port}")
        assert client.failure(url) is FailureKind.PROXY


def test_a_proxy_whose_name_does_not_resolve_is_proxy(client_with):
    client = client_with(proxy="http://no.such.proxy.invalid:3128")
    assert client.failure("http://site.example/") is FailureKind.PROXY


def test_socks5h_leaves_the_name_to_the_proxy(client_with, proxy, server):
    client = client_with(proxy=f"socks5h://127.0.0.1:{proxy.port}")
    for _ in range(2):
        response, recorder = client.fetch(server.url("ok", host="no.such.host.invalid"))
        assert response.failure is None
        assert recorder.body == PAGE
    assert proxy.destinations == [("no.such.host.invalid", server.port)]


def test_socks5_gets_the_address(client_with, proxy, server):
    client = client_with(proxy=f"socks5://127.0.0.1:{proxy.port}")
    response, _ = client.fetch(server.url("ok", host="localhost"))
    assert response.failure is None
    [(host, port)] = proxy.destinations
    assert host in ("127.0.0.1", "::1")
    assert port == server.port


def test_tls_goes_through_socks(client_with, proxy, authority, cacert):
    with FaultServer(server_context(authority, "site.example")) as server:
        client = client_with(proxy=f"socks5h://127.0.0.1:{proxy.port}", cacert=cacert)
        response, recorder = client.fetch(server.url("ok", host="site.example"))
        assert response.failure is None
        assert recorder.body == PAGE


def test_socks_asks_for_a_name_and_password(client_with, server):
    with Proxy(credentials=("name", "pass word")) as proxy:
        good = client_with(proxy=f"socks5h://name:pass%20word@127.0.0.1:{proxy.port}")
        assert good.fetch(server.url("ok"))[0].failure is None
        bad = client_with(proxy=f"socks5h://name:wrong@127.0.0.1:{proxy.port}")
        assert bad.failure(server.url("ok")) is FailureKind.PROXY
        none = client_with(proxy=f"socks5h://127.0.0.1:{proxy.port}")
        assert none.failure(server.url("ok")) is FailureKind.PROXY


def test_a_socks_proxy_that_refuses_is_proxy(client_with, server):
    with Proxy(refuses="yes") as proxy:
        client = client_with(proxy=f"socks5h://127.0.0.1:{proxy.port}")
        assert client.failure(server.url("ok")) is FailureKind.PROXY


@waiting
def test_a_proxy_that_falls_silent_does_not_outlive_the_deadline(client_with):
    with ports.accepting(None) as port:
        clients = {
            f"{scheme}://site.example/?{proxy}": client_with(proxy=f"{proxy}://127.0.0.1:{port}")
            for scheme in ("http", "https")
            for proxy in ("http", "socks5h")
        }
        ended = kinds(clients, None, 0.4, max_time=0.4)
    assert ended == dict.fromkeys(clients, FailureKind.TIMEOUT_TOTAL)
