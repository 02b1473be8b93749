"""What the scheduler says about requests that wait."""

from __future__ import annotations

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.scheduler.host import FAILURE_THRESHOLD, HALF_OPEN_AFTER
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.scheduler.waits import PausedHost, Wait, WaitReason
from tests.factories import with_fields

NO_RESPONSE = refusal(urls.request(0, "http://h/"), FailureKind.REFUSED, timestamp="2026-01-01T00:00:00.000Z")
BUSY = with_fields(NO_RESPONSE, error="http_429", response_code=429)
OK = with_fields(NO_RESPONSE, error=None, response_code=200)
OVERLOADED = with_fields(NO_RESPONSE, error="http_503", response_code=503)


def queued(scheduler: Scheduler, number: int, host: str = "h") -> None:
    for n in range(number):
        scheduler.enqueue(urls.request(n, f"http://{host}/{n}"), 0.0)


def run_one(scheduler: Scheduler, outcome: Outcome, *, retry_after: float | None = None) -> None:
    request = scheduler.next_request(0.0)
    assert request is not None
    scheduler.complete(request, 0.0, 0.0, outcome, retry_after)


def all_wait(scheduler: Scheduler, now: float = 0.0) -> Scheduler:
    assert scheduler.next_request(now) is None
    return scheduler


def test_without_a_delay_nothing_waits() -> None:
    scheduler = Scheduler()
    queued(scheduler, 3)
    assert scheduler.wait(0.0) is None
    assert scheduler.least_wait(0.0) == 0.0


def test_a_pause_that_the_host_asked_for_has_its_status_and_its_time() -> None:
    scheduler = Scheduler()
    queued(scheduler, 61)
    run_one(scheduler, BUSY, retry_after=120.0)
    assert all_wait(scheduler).wait(2.0) == Wait(WaitReason.PAUSE, 60, 118.0, host="h", hosts=1, status=429)
    assert scheduler.least_wait(2.0) == 118.0


def test_responses_to_requests_from_before_the_pause_do_not_end_it() -> None:
    scheduler = Scheduler()
    queued(scheduler, 40)
    earlier = [scheduler.next_request(0.0) for _ in range(3)]
    busy, *others = earlier
    assert busy is not None
    scheduler.complete(busy, 1.0, 0.0, BUSY, 120.0)
    for request in others:
        assert request is not None
        scheduler.complete(request, 2.0, 0.0, OK, None)
    assert all_wait(scheduler, 3.0).wait(3.0) == Wait(
        WaitReason.PAUSE, 37, 118.0, host="h", hosts=1, status=429
    )
    assert scheduler.next_request(121.0) is not None
    assert scheduler.next_request(121.0) is None  # one at a time


def test_without_retry_after_the_host_is_overloaded() -> None:
    scheduler = Scheduler()
    queued(scheduler, 2)
    run_one(scheduler, OVERLOADED)
    wait = all_wait(scheduler).wait(0.0)
    assert wait is not None
    assert (wait.reason, wait.status) == (WaitReason.BACKOFF, 503)


def test_a_single_url_that_was_asked_to_wait_waits_for_its_host() -> None:
    scheduler = Scheduler()
    queued(scheduler, 1)
    run_one(scheduler, BUSY, retry_after=120.0)
    scheduler.enqueue_at(urls.request(0, "http://h/0"), 121.0)
    assert scheduler.wait(1.0) == Wait(WaitReason.PAUSE, 1, 120.0, host="h", hosts=1, status=429)


def test_the_reason_of_most_requests_is_given_with_the_number_of_hosts() -> None:
    scheduler = Scheduler(host_delay=10.0)
    queued(scheduler, 3, "a")
    queued(scheduler, 4, "b")
    for _ in range(2):
        assert scheduler.next_request(0.0) is not None
    scheduler.enqueue_at(urls.request(9, "http://c/"), 50.0)
    assert all_wait(scheduler).wait(4.0) == Wait(WaitReason.DELAY, 5, 6.0, host="b", hosts=2)


def test_a_host_that_does_not_respond_is_named() -> None:
    scheduler = Scheduler()
    queued(scheduler, FAILURE_THRESHOLD + 5)
    for _ in range(FAILURE_THRESHOLD):
        run_one(scheduler, NO_RESPONSE)
    assert all_wait(scheduler).wait(0.0) == Wait(
        WaitReason.NO_RESPONSE, 5, HALF_OPEN_AFTER, host="h", hosts=1
    )


def test_names_that_are_resolved_for_long_are_named_until_they_are_known() -> None:
    scheduler = Scheduler(resolve_hosts=True)
    queued(scheduler, 3, "a")
    queued(scheduler, 5, "b")
    all_wait(scheduler, 1.0)
    assert scheduler.wait(2.9) is None, "most lookups are over by then"
    assert scheduler.wait(5.0) == Wait(WaitReason.DNS, 8, 4.0, host="b", hosts=2)
    scheduler.host_resolved("b", 5.0, 65.0, (), 4.0)
    assert scheduler.wait(5.0) == Wait(WaitReason.DNS, 3, 4.0, host="a", hosts=1)
    assert len(scheduler.host_failed("a", 6.0)) == 3
    assert scheduler.wait(9.0) is None


def test_a_robots_txt_that_takes_long_is_named_until_it_is_there() -> None:
    scheduler = Scheduler()
    queued(scheduler, 4)
    request = scheduler.next_request(0.0)
    assert request is not None
    scheduler.hold_host(request, 0.0)
    assert scheduler.wait(1.9) is None
    assert scheduler.wait(3.0) == Wait(WaitReason.ROBOTS, 4, 3.0, host="h", hosts=1)
    scheduler.resume_host("h", 3.0)
    assert scheduler.wait(9.0) is None


def test_the_least_wait_counts_every_delay_that_is_known() -> None:
    scheduler = Scheduler(host_delay=10.0)
    queued(scheduler, 6)
    assert scheduler.next_request(0.0) is not None
    assert all_wait(scheduler).least_wait(0.0) == 50.0
    scheduler.enqueue_at(urls.request(9, "http://c/"), 70.0)
    assert scheduler.least_wait(0.0) == 70.0
    limited = Scheduler(rate=2.0)
    queued(limited, 21)
    assert limited.next_request(0.0) is not None
    assert all_wait(limited).least_wait(0.0) == 10.0


def test_hosts_that_pause_are_named_with_the_time_until_they_go_on() -> None:
    scheduler = Scheduler(host_delay=9.0)
    for host, number in (("fine", 8), ("h", 3)):
        queued(scheduler, number, host)
    run_one(scheduler, with_fields(NO_RESPONSE, error=None, response_code=200))
    run_one(scheduler, BUSY, retry_after=120.0)
    scheduler.enqueue_at(urls.request(9, "http://h/9"), 120.0)
    paused = all_wait(scheduler).paused_hosts(2.0, 10)
    assert paused == (PausedHost("h", 3, 118.0, WaitReason.PAUSE, 429),)
    assert scheduler.paused_hosts(2.0, 0) == ()
    assert scheduler.queued_for("fine") == 7
    assert scheduler.queued_for("other") == 0
