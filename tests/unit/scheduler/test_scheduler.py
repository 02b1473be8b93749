"""The scheduler, stateful: whatever happens in whatever order, never over a limit, nothing lost,
nothing twice, nothing forgotten that would never be woken."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from fetchpool.model import derive, urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.host import (
    FAILURE_THRESHOLD,
    HALF_OPEN_AFTER,
    INITIAL_BACKOFF,
    OPEN_FOR,
    BlockReason,
)
from fetchpool.scheduler.scheduler import Scheduler
from tests.factories import with_fields

HOSTS = "abcd"
NO_ANSWER = refusal(urls.request(0, "http://h/"), FailureKind.REFUSED, timestamp="2026-01-01T00:00:00.000Z")
FINE = with_fields(NO_ANSWER, error=None, response_code=200)
TOO_MANY_REQUESTS = with_fields(NO_ANSWER, error="http_429", response_code=429)
BUSY = with_fields(NO_ANSWER, error="http_503", response_code=503)


class SchedulerMachine(RuleBasedStateMachine):
    @initialize(
        per_host=st.integers(0, 3),
        host_delay=st.sampled_from([0.0, 0.5, 2.0]),
        rate=st.sampled_from([0.0, 1.0, 4.0]),
        resolve_hosts=st.booleans(),
    )
    def begin(self, per_host: int, host_delay: float, rate: float, resolve_hosts: bool) -> None:
        self.per_host, self.host_delay, self.rate = per_host, host_delay, rate
        self.scheduler = Scheduler(
            per_host=per_host, host_delay=host_delay, rate=rate, resolve_hosts=resolve_hosts
        )
        self.resolve_hosts = resolve_hosts
        self.now = 0.0
        self.added: dict[int, FetchRequest] = {}
        self.later: dict[int, float] = {}
        self.in_flight: dict[int, tuple[FetchRequest, float]] = {}
        self.ended: set[int] = set()
        self.resolving: set[str] = set()
        self.resolved: set[str] = set()
        self.on_hold: dict[int, str] = {}
        self.starts: list[tuple[float, str]] = []
        self.cool_until: dict[str, float] = {}

    # What the engine does with it

    @rule(host=st.sampled_from(HOSTS), first=st.booleans(), number=st.integers(1, 4))
    def add(self, host: str, first: bool, number: int) -> None:
        for _ in range(number):
            request = urls.request(len(self.added), f"http://{host}/")
            self.added[request.urlnum] = request
            self.scheduler.enqueue(request, self.now, first=first)

    @rule(number=st.integers(1, 5))
    def start_ready(self, number: int) -> None:
        for _ in range(number):
            if self.start() is None:
                return

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), again=st.booleans(), delay=st.floats(0, 10))
    def finish(self, data: st.DataObject, again: bool, delay: float) -> None:
        request, started = self.in_flight.pop(data.draw(st.sampled_from(sorted(self.in_flight))))
        outcome: Outcome | None = data.draw(st.sampled_from([FINE, FINE, BUSY, NO_ANSWER, None]))
        retry_after = data.draw(st.sampled_from([None, 0.0, 3.0])) if outcome is BUSY else None
        self.scheduler.complete(request, self.now, started, outcome, retry_after)
        if retry_after:
            until = self.now + retry_after
            self.cool_until[request.host] = max(self.cool_until.get(request.host, 0.0), until)
        if again:
            self.later[request.urlnum] = self.now + delay
            self.scheduler.enqueue_at(request, self.now + delay)
        else:
            self.end(request)

    @precondition(lambda self: any(urlnum < 0 for urlnum in self.in_flight))
    @rule(data=st.data(), host=st.sampled_from(HOSTS))
    def redirect_ours(self, data: st.DataObject, host: str) -> None:
        """A robots.txt is elsewhere, and waits for its turn there."""
        ours = sorted(urlnum for urlnum in self.in_flight if urlnum < 0)
        request, started = self.in_flight.pop(data.draw(st.sampled_from(ours)))
        self.scheduler.complete(request, self.now, started, FINE)
        self.scheduler.enqueue(replace(request, host=host), self.now, first=True)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """As for robots: one of our own starts in the place of what was handed out."""
        urlnum = data.draw(st.sampled_from(sorted(self.in_flight)))
        request, started = self.in_flight[urlnum]
        if (
            urlnum >= 0
            and started == self.now
            and request.host not in (*self.resolving, *self.on_hold.values())
        ):
            del self.in_flight[urlnum]
            self.scheduler.hold_host(request, self.now)
            ours = replace(request, urlnum=-len(self.added) - 1)
            self.added[ours.urlnum] = ours
            self.on_hold[ours.urlnum] = request.host
            self.in_flight[ours.urlnum] = (ours, started)

    @precondition(lambda self: self.on_hold)
    @rule(data=st.data(), numbers=st.sets(st.integers(0, 20)))
    def remove_queued(self, data: st.DataObject, numbers: set[int]) -> None:
        host = data.draw(st.sampled_from(sorted(self.on_hold.values())))
        for request in self.scheduler.remove_queued(host, lambda request: request.urlnum in numbers):
            assert request.urlnum in numbers
            self.end(request)

    @precondition(lambda self: self.resolving)
    @rule(data=st.data(), found=st.booleans(), seconds=st.floats(0, 100))
    def answer(self, data: st.DataObject, found: bool, seconds: float) -> None:
        host = data.draw(st.sampled_from(sorted(self.resolving)))
        self.resolving.discard(host)
        if found:
            self.resolved.add(host)
            self.scheduler.host_resolved(host, self.now, self.now + seconds, ("192.0.2.1",), 0.0)
        else:
            for request in self.scheduler.host_failed(host, self.now):
                self.end(request)

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # What must hold

    @invariant()
    def no_host_is_over_its_limit(self) -> None:
        if getattr(self, "per_host", 0):
            for host in HOSTS:
                assert self.flying(host) <= self.per_host

    @invariant()
    def every_request_is_somewhere(self) -> None:
        if hasattr(self, "scheduler"):
            known = self.scheduler.queued + len(self.in_flight) + len(self.ended)
            assert known == len(self.added)

    def start(self) -> FetchRequest | None:
        request = self.scheduler.next_request(self.now)
        while self.scheduler.abandoned:
            self.end(self.scheduler.abandoned.popleft())
        while self.scheduler.to_resolve:
            host = self.scheduler.to_resolve.popleft()
            assert host not in self.resolving, "resolved twice"
            self.resolving.add(host)
        if request is None:
            return None
        assert request.urlnum not in self.in_flight, "handed out twice"
        assert request.urlnum not in self.ended, "handed out after its end"
        assert self.later.pop(request.urlnum, 0.0) <= self.now, "a retry came too early"
        assert request.host not in self.resolving, "started before its host was resolved"
        if request.urlnum >= 0:
            assert request.host not in self.on_hold.values(), "started while its host was on hold"
        assert not self.resolve_hosts or request.host in self.resolved, "started before its host was resolved"
        assert self.cool_until.get(request.host, 0.0) <= self.now, "started before its host had rested"
        for then, host in self.starts:
            if host == request.host:
                assert self.now - then >= self.host_delay - 1e-9, "too soon after its host's last start"
            if self.rate:
                assert self.now - then >= 1 / self.rate - 1e-9, "too soon after the last start of all"
        self.starts.append((self.now, request.host))
        self.in_flight[request.urlnum] = (request, self.now)
        return request

    def end(self, request: FetchRequest) -> None:
        assert request.urlnum not in self.ended, "abandoned twice"
        assert request.urlnum not in self.in_flight, "abandoned while in flight"
        self.later.pop(request.urlnum, None)
        self.ended.add(request.urlnum)
        if request.urlnum < 0:
            self.scheduler.resume_host(self.on_hold.pop(request.urlnum), self.now)

    def flying(self, host: str) -> int:
        return sum(request.host == host for request, _ in self.in_flight.values())

    def teardown(self) -> None:
        """Run to its end, every request comes out exactly once, and no host is remembered."""
        if not hasattr(self, "scheduler"):
            return
        while len(self.ended) < len(self.added):
            if self.start() is not None:
                continue
            if self.resolving:
                host = self.resolving.pop()
                self.resolved.add(host)
                self.scheduler.host_resolved(host, self.now, float("inf"), (), 0.0)
            elif self.in_flight:
                _, (request, started) = self.in_flight.popitem()
                self.scheduler.complete(request, self.now, started, FINE)
                self.end(request)
            elif len(self.ended) < len(self.added):
                wake_at = self.scheduler.next_wakeup()
                assert wake_at is not None, "requests are queued and nothing will ever wake them"
                self.now = max(self.now, wake_at)
        for host in self.resolving:
            self.scheduler.host_resolved(host, self.now, float("inf"), (), 0.0)
        assert self.scheduler.queued == 0
        self.now += 10_000.0
        assert self.scheduler.next_request(self.now) is None
        assert not self.scheduler._hosts


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def filled(scheduler: Scheduler, hosts: str) -> Scheduler:
    for number, host in enumerate(hosts):
        scheduler.enqueue(urls.request(number, f"http://{host}/"), 0.0)
    return scheduler


def started(scheduler: Scheduler, now: float) -> FetchRequest:
    request = scheduler.next_request(now)
    assert request is not None
    return request


def test_hosts_take_turns() -> None:
    scheduler = filled(Scheduler(), "aaabbc")
    assert "".join(started(scheduler, 0.0).host for _ in range(6)) == "abcaba"


def test_a_host_at_its_limit_does_not_hold_up_the_others() -> None:
    scheduler = filled(Scheduler(per_host=1), "aaab")
    first = started(scheduler, 0.0)
    assert first.host == "a"
    assert started(scheduler, 0.0).host == "b"
    assert scheduler.next_request(0.0) is None
    scheduler.complete(first, 0.0, 0.0, None)
    assert started(scheduler, 0.0).urlnum == 1


def test_a_pace_has_no_opening_burst() -> None:
    scheduler = filled(Scheduler(rate=10.0), "abcdef")
    assert scheduler.next_request(100.0) is not None
    assert scheduler.next_request(100.0) is None
    assert scheduler.next_wakeup() == 100.1
    assert scheduler.next_request(100.1) is not None
    assert scheduler.next_request(100.1) is None


def test_an_idle_host_is_forgotten() -> None:
    scheduler = Scheduler(per_host=2)
    for number in range(1000):
        scheduler.enqueue(urls.request(number, f"http://h{number}/"), 0.0)
    while (request := scheduler.next_request(0.0)) is not None:
        scheduler.complete(request, 0.0, 0.0, FINE)
    assert not scheduler._hosts


def test_a_busy_host_is_asked_one_at_a_time_until_it_is_well_again() -> None:
    scheduler = filled(Scheduler(per_host=3), "aaaaaaaa")
    flying = [started(scheduler, 0.0) for _ in range(3)]
    for request in flying:  # one word, said three times, counts once
        scheduler.complete(request, 1.0, 0.0, TOO_MANY_REQUESTS)
    assert scheduler.next_request(1.0 + INITIAL_BACKOFF / 2) is None
    now = 1.0 + INITIAL_BACKOFF
    for _ in range(2):
        request = started(scheduler, now)
        assert scheduler.next_request(now + 1.0) is None, "one at a time"
        scheduler.complete(request, now + 1.0, now, FINE)
        now += 2.0
    assert [started(scheduler, now).host for _ in range(3)] == ["a"] * 3


def test_a_host_that_never_responds_is_paused_probed_once_and_then_abandoned_for_a_while() -> None:
    scheduler = filled(Scheduler(), "a" * (FAILURE_THRESHOLD + 5))
    for _ in range(FAILURE_THRESHOLD):
        scheduler.complete(started(scheduler, 0.0), 0.0, 0.0, NO_ANSWER)
    assert scheduler.next_request(HALF_OPEN_AFTER - 0.1) is None
    last = started(scheduler, HALF_OPEN_AFTER)
    assert scheduler.next_request(HALF_OPEN_AFTER) is None, "a single try"
    scheduler.complete(last, HALF_OPEN_AFTER + 1, HALF_OPEN_AFTER, NO_ANSWER)
    assert scheduler.next_request(HALF_OPEN_AFTER + 1) is None
    assert [request.host for request, _ in scheduler.abandoned] == ["a"] * 4
    scheduler.abandoned.clear()
    scheduler.enqueue(urls.request(99, "http://a/"), HALF_OPEN_AFTER + 2)
    assert scheduler.next_request(HALF_OPEN_AFTER + 2) is None
    assert len(scheduler.abandoned) == 1, "what is queued while it is down is abandoned, too"
    scheduler.enqueue(urls.request(100, "http://a/"), HALF_OPEN_AFTER + 2 + OPEN_FOR)
    again = started(scheduler, HALF_OPEN_AFTER + 2 + OPEN_FOR)
    scheduler.complete(again, HALF_OPEN_AFTER + 3 + OPEN_FOR, HALF_OPEN_AFTER + 2 + OPEN_FOR, FINE)
    filled(scheduler, "aa")
    assert [started(scheduler, 200.0).host for _ in range(2)] == ["a", "a"]


def test_failures_are_counted_though_the_list_is_slow() -> None:
    scheduler = Scheduler()
    for number in range(FAILURE_THRESHOLD):
        scheduler.enqueue(urls.request(number, "http://a/"), 0.0)
        scheduler.complete(started(scheduler, 0.0), 0.0, 0.0, NO_ANSWER)
    scheduler.enqueue(urls.request(99, "http://a/"), 0.0)
    assert scheduler.next_request(0.0) is None, "it is paused"


def test_an_answer_between_failures_keeps_a_host_alive() -> None:
    scheduler = filled(Scheduler(), "a" * 40)
    for number in range(40):
        outcome = FINE if number % FAILURE_THRESHOLD == 0 else NO_ANSWER
        scheduler.complete(started(scheduler, 0.0), 0.0, 0.0, outcome)
    assert not scheduler.abandoned


def test_reasons_for_waiting_are_distinguished() -> None:
    scheduler = filled(Scheduler(per_host=2), "aaaa")
    flying = [started(scheduler, 0.0) for _ in range(2)]
    assert scheduler.block_reason(0.0) is BlockReason.HOST_LIMIT
    scheduler.complete(flying[0], 1.0, 0.0, NO_ANSWER)
    scheduler.enqueue_at(flying[0], 9.0)
    assert scheduler.block_reason(1.0) is BlockReason.RETRY, "also where its limit would be reached"
    scheduler.complete(flying[1], 1.0, 0.0, BUSY, 5.0)
    scheduler.enqueue_at(flying[1], 9.0)
    assert scheduler.block_reason(1.0) is BlockReason.BACKOFF, "also what is to be tried again"
    is_rate_limited = filled(Scheduler(per_host=2, host_delay=1.0), "aa")
    started(is_rate_limited, 0.0)
    assert is_rate_limited.block_reason(0.5) is BlockReason.RATE_LIMIT
    rated = filled(Scheduler(per_host=2, rate=1.0), "aa")
    started(rated, 0.0)
    assert rated.block_reason(0.5) is BlockReason.RATE_LIMIT


def test_the_reason_that_most_requests_wait_for_is_reported() -> None:
    scheduler = filled(Scheduler(per_host=1), "abbbcc")
    first = started(scheduler, 0.0)
    scheduler.complete(first, 0.0, 0.0, NO_ANSWER)
    scheduler.enqueue_at(first, 9.0)
    assert [started(scheduler, 0.0).host for _ in range(2)] == ["b", "c"]
    assert scheduler.block_reason(0.0) is BlockReason.HOST_LIMIT


def test_a_request_carries_the_delay_in_force_at_its_host() -> None:
    """Workers elsewhere measure it again from the actual start."""
    delayed = filled(Scheduler(host_delay=1.0), "aa")
    assert started(delayed, 0.0).spacing == 1.0
    scheduler = filled(Scheduler(), "aaab")
    first = started(scheduler, 0.0)
    assert first.spacing == 0.0
    scheduler.complete(first, 0.0, 0.0, TOO_MANY_REQUESTS)
    other = started(scheduler, 1.0)
    after = started(scheduler, 1.0)
    assert (other.host, other.spacing, after.host, after.spacing) == ("b", 0.0, "a", INITIAL_BACKOFF)


def test_a_request_that_starts_again_carries_no_earlier_delay() -> None:
    scheduler = filled(Scheduler(), "a")
    waited = derive.spaced(started(scheduler, 0.0), 5.0)
    scheduler.complete(waited, 0.0, 0.0, None)
    scheduler.enqueue(waited, 0.0, first=True)
    assert started(scheduler, 0.0).spacing == 0.0
