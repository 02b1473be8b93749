"""DNS before the workers: each host is resolved once and in time, and no worker waits for it."""

import socket
import threading

from fetchpool.model.failures import FailureKind
from fetchpool.transports.dns import TTL, HostAddresses, HostLookups
from fetchpool.transports.resolver import Resolver


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def stage(lookup, clock, **options):
    results: list[HostAddresses] = []
    reported = threading.Event()

    def tell(named: HostAddresses) -> None:
        results.append(named)
        reported.set()

    names = HostLookups(Resolver(lookup=lookup, clock=clock), timeout=5.0, clock=clock, **options)
    names.start(tell)
    return names, results, reported


def answer(_host, *_, **__):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


def test_a_name_is_answered_with_its_addresses_for_a_minute():
    clock = Clock()
    names, results, reported = stage(answer, clock)
    names.start_lookup("example.org")
    assert reported.wait(5)
    assert results == [HostAddresses("example.org", ("192.0.2.7",), until=clock.now + TTL)]
    assert names.finish(results[0])
    assert names.next_wakeup() is None


def test_an_address_needs_no_lookup():
    def never(*_, **__):
        raise AssertionError("looked up")

    names, results, _ = stage(never, Clock())
    names.start_lookup("127.0.0.1")
    names.start_lookup("[::1]")
    assert [(named.host, named.addresses, named.failure) for named in results] == [
        ("127.0.0.1", (), None),
        ("[::1]", (), None),
    ]


def test_a_fixed_host_needs_no_lookup():
    names, results, _ = stage(answer, Clock(), fixed={"example.org": ("127.0.0.1",)})
    names.start_lookup("example.org")
    assert results[0].addresses == ("127.0.0.1",)


def test_a_name_that_does_not_exist_is_reported():
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    names, results, reported = stage(unknown, Clock())
    names.start_lookup("nosuch.invalid")
    assert reported.wait(5)
    assert results[0].failure is FailureKind.DNS


def test_a_lookup_that_hangs_is_abandoned_and_its_late_result_ignored():
    clock = Clock()
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def hangs(*arguments, **options):
        begun.set()
        assert go_on.wait(10)
        ended.set()
        return answer(*arguments, **options)

    names, results, reported = stage(hangs, clock)
    names.start_lookup("slow.test")
    assert begun.wait(10)
    assert names.next_wakeup() == clock.now + 5.0
    assert names.expire(clock.now + 4.9) == []
    late = names.expire(clock.now + 5.0)
    assert [(named.host, named.failure) for named in late] == [("slow.test", FailureKind.TIMEOUT_DNS)]
    go_on.set()
    assert ended.wait(10)
    names.start_lookup("other.test")  # the resolver answers in turn: what came before would be results by now
    assert reported.wait(10)
    assert [named.host for named in results] == ["other.test"]


def test_a_lookup_that_waits_for_a_thread_has_its_time_from_when_it_gets_one():
    clock = Clock()
    begun, go_on = threading.Event(), threading.Event()

    def hangs(*arguments, **options):
        begun.set()
        assert go_on.wait(10)
        return answer(*arguments, **options)

    results: list[HostAddresses] = []
    reported = threading.Semaphore(0)

    def tell(named: HostAddresses) -> None:
        results.append(named)
        reported.release()

    names = HostLookups(Resolver(1, lookup=hangs, clock=clock, most_threads=1), timeout=5.0, clock=clock)
    names.start(tell)
    names.start_lookup("slow.test")
    names.start_lookup("behind.test")
    assert begun.wait(10)
    clock.now += 6.0
    assert [named.host for named in names.expire(clock.now)] == ["slow.test"]
    go_on.set()
    assert reported.acquire(timeout=10)
    assert [(named.host, named.failure) for named in results] == [("behind.test", None)]
    assert names.finish(results[0])


def test_a_temporary_dns_failure_is_retried_after_a_pause():
    clock = Clock()
    asked = []

    def away(host, *arguments, **options):
        asked.append(host)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return answer(host, *arguments, **options)

    names, results, reported = stage(away, clock)
    names.start_lookup("example.org")
    for pause in (0.5, 1.0):
        assert reported.wait(10)
        reported.clear()
        assert not names.finish(results[-1])
        assert names.next_wakeup() == clock.now + pause
        clock.now += pause - 0.01
        assert names.expire(clock.now) == []
        assert not reported.is_set()
        clock.now += 0.01
        assert names.expire(clock.now) == []
    assert reported.wait(10)
    assert names.finish(results[-1])
    assert (results[-1].failure, len(asked)) == (None, 3)
