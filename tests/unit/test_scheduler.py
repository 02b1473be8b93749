"""The scheduler, stateful: whatever happens in whatever order, never over a limit, nothing lost,
nothing twice."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fetchpool import urls
from fetchpool.model import FetchRequest
from fetchpool.scheduler import Scheduler


class SchedulerMachine(RuleBasedStateMachine):
    @initialize(per_host=st.integers(0, 3))
    def start(self, per_host: int) -> None:
        self.per_host = per_host
        self.scheduler = Scheduler(per_host=per_host)
        self.now = 0.0
        self.added: dict[int, FetchRequest] = {}
        self.later: dict[int, float] = {}
        self.in_flight: dict[int, FetchRequest] = {}
        self.finished: set[int] = set()

    @rule(host=st.sampled_from("abcd"), first=st.booleans())
    def add(self, host: str, first: bool) -> None:
        request = urls.request(len(self.added), f"http://{host}/")
        self.added[request.urlnum] = request
        self.scheduler.add(request, self.now, first=first)

    @rule(number=st.integers(1, 5))
    def start_what_may(self, number: int) -> None:
        for _ in range(number):
            request = self.scheduler.next(self.now)
            if request is None:
                assert not self.anything_could_start(), "a request may start, and was not handed out"
                return
            assert request.urlnum not in self.in_flight, "handed out twice"
            assert request.urlnum not in self.finished, "handed out after its end"
            assert self.later.pop(request.urlnum, 0.0) <= self.now, "a retry came too early"
            self.in_flight[request.urlnum] = request

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), again=st.booleans(), delay=st.floats(0, 10))
    def finish(self, data: st.DataObject, again: bool, delay: float) -> None:
        request = self.in_flight.pop(data.draw(st.sampled_from(sorted(self.in_flight))))
        self.scheduler.finished(request, self.now, self.now, None)
        if again:
            self.later[request.urlnum] = self.now + delay
            self.scheduler.add_later(request, self.now + delay)
        else:
            self.finished.add(request.urlnum)

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_host_is_over_its_limit(self) -> None:
        if getattr(self, "per_host", 0):
            for host in "abcd":
                assert self.flying(host) <= self.per_host

    @invariant()
    def every_request_is_somewhere(self) -> None:
        if hasattr(self, "scheduler"):
            known = self.scheduler.queued + len(self.in_flight) + len(self.finished)
            assert known == len(self.added)

    def teardown(self) -> None:
        """Run to the end, every request comes out exactly once."""
        if not hasattr(self, "scheduler"):
            return
        while len(self.finished) < len(self.added):
            request = self.scheduler.next(self.now)
            if request is not None:
                assert request.urlnum not in self.in_flight
                assert request.urlnum not in self.finished
                self.in_flight[request.urlnum] = request
            elif self.in_flight:
                _, request = self.in_flight.popitem()
                self.scheduler.finished(request, self.now, self.now, None)
                self.finished.add(request.urlnum)
            else:
                wake_at = self.scheduler.wake_at()
                assert wake_at is not None, "requests are queued and nothing will ever wake them"
                self.now = max(self.now, wake_at)
        assert self.scheduler.next(self.now) is None

    def flying(self, host: str) -> int:
        return sum(request.host == host for request in self.in_flight.values())

    def anything_could_start(self) -> bool:
        return any(
            self.later.get(urlnum, 0.0) <= self.now
            and (not self.per_host or self.flying(request.host) < self.per_host)
            for urlnum, request in self.added.items()
            if urlnum not in self.finished and urlnum not in self.in_flight
        )


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_hosts_take_turns() -> None:
    scheduler = Scheduler()
    for number, host in enumerate("aaabbc"):
        scheduler.add(urls.request(number, f"http://{host}/"), 0.0)
    started = [scheduler.next(0.0) for _ in range(6)]
    assert "".join(request.host for request in started if request) == "abcaba"


def test_a_host_at_its_limit_does_not_hold_up_the_others() -> None:
    scheduler = Scheduler(per_host=1)
    for number, host in enumerate("aaab"):
        scheduler.add(urls.request(number, f"http://{host}/"), 0.0)
    first = scheduler.next(0.0)
    assert first is not None
    assert first.host == "a"
    second = scheduler.next(0.0)
    assert second is not None
    assert second.host == "b"
    assert scheduler.next(0.0) is None
    scheduler.finished(first, 0.0, 0.0, None)
    third = scheduler.next(0.0)
    assert third is not None
    assert third.urlnum == 1


def test_an_idle_host_is_forgotten() -> None:
    scheduler = Scheduler(per_host=2)
    for number in range(1000):
        scheduler.add(urls.request(number, f"http://h{number}/"), 0.0)
    while (request := scheduler.next(0.0)) is not None:
        scheduler.finished(request, 0.0, 0.0, None)
    assert not scheduler._hosts
