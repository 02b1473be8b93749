"""The stage before the workers: each host looked up once, in time, and nobody waits."""

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
    heard: list[HostAddresses] = []
    told = threading.Event()

    def tell(named: HostAddresses) -> None:
        heard.append(named)
        told.set()

    names = HostLookups(Resolver(lookup=lookup, clock=clock), timeout=5.0, clock=clock, **options)
    names.start(tell)
    return names, heard, told


def answer(_host, *_, **__):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


def test_a_name_is_answered_with_its_addresses_for_a_minute():
    clock = Clock()
    names, heard, told = stage(answer, clock)
    names.ask("example.org")
    assert told.wait(5)
    assert heard == [HostAddresses("example.org", ("192.0.2.7",), until=clock.now + TTL)]
    assert names.heard(heard[0])
    assert names.next_wakeup() is None


def test_an_address_needs_no_lookup():
    def never(*_, **__):
        raise AssertionError("looked up")

    names, heard, _ = stage(never, Clock())
    names.ask("127.0.0.1")
    names.ask("[::1]")
    assert [(named.host, named.addresses, named.failure) for named in heard] == [
        ("127.0.0.1", (), None),
        ("[::1]", (), None),
    ]


def test_a_fixed_host_needs_no_lookup():
    names, heard, _ = stage(answer, Clock(), fixed={"example.org": ("127.0.0.1",)})
    names.ask("example.org")
    assert heard[0].addresses == ("127.0.0.1",)


def test_a_name_that_does_not_exist_says_so():
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    names, heard, told = stage(unknown, Clock())
    names.ask("nosuch.invalid")
    assert told.wait(5)
    assert heard[0].failure is FailureKind.DNS


def test_a_lookup_that_hangs_is_given_up_and_its_late_answer_ignored():
    clock = Clock()
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def hangs(*arguments, **options):
        begun.set()
        assert go_on.wait(10)
        ended.set()
        return answer(*arguments, **options)

    names, heard, told = stage(hangs, clock)
    names.ask("slow.test")
    assert begun.wait(10)
    assert names.next_wakeup() == clock.now + 5.0
    assert names.overdue(clock.now + 4.9) == []
    late = names.overdue(clock.now + 5.0)
    assert [(named.host, named.failure) for named in late] == [("slow.test", FailureKind.TIMEOUT_DNS)]
    go_on.set()
    assert ended.wait(10)
    names.ask("other.test")  # the resolver answers in turn: what came before would be heard by now
    assert told.wait(10)
    assert [named.host for named in heard] == ["other.test"]


def test_a_lookup_that_waits_for_a_thread_has_its_time_from_when_it_gets_one():
    clock = Clock()
    begun, go_on = threading.Event(), threading.Event()

    def hangs(*arguments, **options):
        begun.set()
        assert go_on.wait(10)
        return answer(*arguments, **options)

    heard: list[HostAddresses] = []
    told = threading.Semaphore(0)

    def tell(named: HostAddresses) -> None:
        heard.append(named)
        told.release()

    names = HostLookups(Resolver(1, lookup=hangs, clock=clock, most_threads=1), timeout=5.0, clock=clock)
    names.start(tell)
    names.ask("slow.test")
    names.ask("behind.test")
    assert begun.wait(10)
    clock.now += 6.0
    assert [named.host for named in names.overdue(clock.now)] == ["slow.test"]
    go_on.set()
    assert told.acquire(timeout=10)
    assert [(named.host, named.failure) for named in heard] == [("behind.test", None)]
    assert names.heard(heard[0])


def test_a_name_server_that_could_not_say_is_asked_again_after_a_pause():
    clock = Clock()
    asked = []

    def away(host, *arguments, **options):
        asked.append(host)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return answer(host, *arguments, **options)

    names, heard, told = stage(away, clock)
    names.ask("example.org")
    for pause in (0.5, 1.0):
        assert told.wait(10)
        told.clear()
        assert not names.heard(heard[-1])
        assert names.next_wakeup() == clock.now + pause
        clock.now += pause - 0.01
        assert names.overdue(clock.now) == []
        assert not told.is_set()
        clock.now += 0.01
        assert names.overdue(clock.now) == []
    assert told.wait(10)
    assert names.heard(heard[-1])
    assert (heard[-1].failure, len(asked)) == (None, 3)
