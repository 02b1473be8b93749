"""The resolver against name servers that answer, refuse, and hang."""

from __future__ import annotations

import socket
import threading
from time import monotonic

import pytest

from fetchpool.model.failures import FailureKind
from fetchpool.transports.lookup import ResolveError
from fetchpool.transports.resolver import Resolver

ANSWER = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::7", 0, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0)),
]


class NameServer:
    """A `getaddrinfo` whose answers the test decides."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.error: Exception | None = None
        self.hung: set[bytes] = set()
        self.release = threading.Event()

    def __call__(self, host, _port, **_options):
        self.asked.append(host)
        if host in self.hung:
            self.release.wait(30)
        if self.error is not None:
            raise self.error
        return ANSWER


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server():
    server = NameServer()
    yield server
    server.release.set()


def test_addresses_come_in_the_order_of_the_system_and_once_each(server):
    found = Resolver(lookup=server).resolve("example.org", 8080, 5)
    assert [(address.family, address.ip, address.sockaddr) for address in found] == [
        (socket.AF_INET6, "2001:db8::7", ("2001:db8::7", 8080, 0, 0)),
        (socket.AF_INET, "192.0.2.7", ("192.0.2.7", 8080)),
    ]


def test_the_system_is_asked_for_localhost():
    assert "127.0.0.1" in [address.ip for address in Resolver().resolve("localhost", 80, 5)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_resolves_to_itself_without_a_lookup(server, host):
    [address] = Resolver(lookup=server).resolve(host, 443, 0)
    assert (address.ip, address.sockaddr[:2]) == (host, (host, 443))
    assert server.asked == []


def test_a_result_is_cached_for_a_minute_for_any_port(server):
    clock = Clock()
    resolver = Resolver(lookup=server, clock=clock)
    resolver.resolve("example.org", 80, 5)
    clock.now = 59
    assert resolver.resolve("example.org", 443, 5)[1].sockaddr == ("192.0.2.7", 443)
    assert len(server.asked) == 1
    clock.now = 61
    resolver.resolve("example.org", 80, 5)
    assert len(server.asked) == 2


def test_a_failure_is_kept_for_five_seconds(server):
    clock = Clock()
    resolver = Resolver(lookup=server, clock=clock)
    server.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    for _ in range(2):
        with pytest.raises(ResolveError) as caught:
            resolver.resolve("nowhere.invalid", 80, 5)
        assert caught.value.kind is FailureKind.DNS
        assert str(caught.value) == "the host name nowhere.invalid does not exist"
    assert len(server.asked) == 1
    clock.now = 6
    server.error = None
    assert resolver.resolve("nowhere.invalid", 80, 5)
    assert len(server.asked) == 2


def test_a_name_server_that_refuses_differs_from_a_name_that_does_not_exist(server):
    server.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    with pytest.raises(ResolveError, match=r"the name server did not answer for example.org") as caught:
        Resolver(lookup=server).resolve("example.org", 80, 0.1)
    assert caught.value.kind is FailureKind.TIMEOUT_DNS  # worth another attempt


def test_a_name_server_that_hangs_is_timeout_dns_in_time(server):
    server.hung.add(b"slow.test")
    started = monotonic()
    with pytest.raises(ResolveError, match=r"no address for slow.test after 0.2 s") as caught:
        Resolver(lookup=server).resolve("slow.test", 80, 0.2)
    assert caught.value.kind is FailureKind.TIMEOUT_DNS
    assert 0.15 < monotonic() - started < 0.7


def test_a_late_result_is_cached_for_the_next_caller(server):
    server.hung.add(b"slow.test")
    resolver = Resolver(lookup=server)
    with pytest.raises(ResolveError):
        resolver.resolve("slow.test", 80, 0.05)
    server.release.set()
    assert resolver.resolve("slow.test", 80, 5)
    assert server.asked == [b"slow.test"]


def test_other_names_go_on_while_one_hangs(server):
    server.hung.add(b"slow.test")
    resolver = Resolver(threads=2, lookup=server)
    with pytest.raises(ResolveError):
        resolver.resolve("slow.test", 80, 0.05)
    for number in range(20):
        assert resolver.resolve(f"host{number}.test", 80, 5)


def test_many_callers_of_one_name_share_one_lookup(server):
    server.hung.add(b"slow.test")
    resolver = Resolver(lookup=server)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(len(resolver.resolve("slow.test", 80, 10))))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    server.release.set()
    for thread in threads:
        thread.join(10)
    assert answers == [2] * 20
    assert server.asked == [b"slow.test"]


def test_cancelled_lookups_are_not_started(server):
    server.hung.add(b"slow.test")
    resolver = Resolver(threads=1, lookup=server)
    while not server.asked:  # the thread may take longer to start than the wait for it
        with pytest.raises(ResolveError):
            resolver.resolve("slow.test", 80, 0.05)
    for host in ("given-up.test", "given-up-too.test"):
        with pytest.raises(ResolveError):
            resolver.resolve(host, 80, 0.05)
    server.release.set()
    assert resolver.resolve("wanted.test", 80, 5)
    assert server.asked == [b"slow.test", b"wanted.test"]


def test_no_more_threads_than_allowed(server):
    hosts = [f"slow{number}.test" for number in range(12)]
    server.hung.update(host.encode() for host in hosts)
    resolver = Resolver(threads=3, lookup=server)
    before = threading.active_count()
    for host in hosts:
        with pytest.raises(ResolveError):
            resolver.resolve(host, 80, 0.01)
    assert threading.active_count() - before <= 3


def test_a_wait_that_ends_early_is_timeout_dns_and_wakes_no_other_caller(server):
    server.hung.add(b"slow.test")
    resolver = Resolver(lookup=server)
    answers: list[int] = []
    waiting = threading.Event()

    def wait(event: threading.Event, timeout: float) -> None:
        waiting.set()
        event.wait(timeout)

    patient = threading.Thread(
        target=lambda: answers.append(len(resolver.resolve("slow.test", 80, 10, wait=wait)))
    )
    patient.start()
    assert waiting.wait(5)
    with pytest.raises(ResolveError) as caught:
        resolver.resolve("slow.test", 80, 30, wait=lambda event, _: event.set())
    assert caught.value.kind is FailureKind.TIMEOUT_DNS
    assert answers == []
    server.release.set()
    patient.join(5)
    assert answers == [2]


def test_a_name_without_an_address_of_a_kind_we_speak_is_dns():
    resolver = Resolver(lookup=lambda *_, **__: [])
    with pytest.raises(ResolveError, match=r"empty.test has no address"):
        resolver.resolve("empty.test", 80, 5)


def test_a_lookup_that_failed_for_the_moment_is_not_kept(server):
    resolver = Resolver(lookup=server, clock=Clock())
    server.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    with pytest.raises(ResolveError):
        resolver.resolve("example.org", 80, 0.1)
    server.error = None
    assert resolver.resolve("example.org", 80, 5)


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM, socket.EAI_MEMORY])
def test_a_name_that_could_not_be_looked_up_is_not_reported_as_unknown(server, code):
    server.error = socket.gaierror(code, "")
    with pytest.raises(ResolveError) as caught:
        Resolver(lookup=server).resolve("example.org", 80, 0.1)
    assert caught.value.kind is FailureKind.TIMEOUT_DNS


def test_a_temporary_dns_failure_is_retried_within_the_timeout(server):
    def away_once(host, *more, **options):
        if not server.asked:
            server.asked.append(host)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return server(host, *more, **options)

    assert Resolver(lookup=away_once).resolve("example.org", 80, 5)
    assert len(server.asked) == 2


def test_stuck_lookups_get_company_up_to_a_limit(server):
    clock = Clock()
    hosts = [f"slow{number}.test" for number in range(12)]
    server.hung.update(host.encode() for host in hosts)
    resolver = Resolver(threads=2, lookup=server, clock=clock, most_threads=5)
    lookups = [resolver.resolve_async(host, lambda _: None) for host in hosts]
    for expected in (2, 4, 5, 5):
        by = monotonic() + 5
        while len(server.asked) < expected and monotonic() < by:
            resolver.hurry()
        assert len(server.asked) == expected
        clock.now += 2  # those are stuck now
    assert [lookup.begun is not None for lookup in lookups] == [True] * 5 + [False] * 7
    assert resolver.resolve_async("live.test", lambda _: None).begun is None
    server.release.set()


@pytest.mark.parametrize(
    ("v4", "v6", "kept4", "kept6"), [(5000, 0, 64, 0), (5000, 5000, 32, 32), (5000, 3, 61, 3)]
)
def test_both_families_keep_some_of_too_many_addresses(v4, v6, kept4, kept6):
    fours = [(socket.AF_INET, 1, 6, "", (f"198.18.{n // 250}.{n % 250}", 0)) for n in range(v4)]
    sixes = [(socket.AF_INET6, 1, 6, "", (f"2001:db8::{n:x}", 0, 0, 0)) for n in range(v6)]
    found = Resolver(lookup=lambda *_, **__: fours + sixes).resolve("many.test", 80, 5)
    assert len(found) == 64
    assert [address.family for address in found].count(socket.AF_INET) == kept4
    assert [address.family for address in found].count(socket.AF_INET6) == kept6
    assert found[0].ip == "198.18.0.0"
    if v6:
        assert found[1].ip == "2001:db8::0"
