"""What the scheduler reports for the log: hosts that begin to back off, and hosts that are down."""

from __future__ import annotations

from fetchpool.model import urls
from fetchpool.model.outcome import Outcome
from fetchpool.scheduler.host import FAILURE_THRESHOLD, HALF_OPEN_AFTER, OPEN_FOR
from fetchpool.scheduler.host_change import HostChange
from fetchpool.scheduler.scheduler import Scheduler
from tests.factories import with_fields
from tests.unit.scheduler.test_waits import BUSY, NO_RESPONSE, queued, run_one

FINE = with_fields(NO_RESPONSE, error=None, response_code=200)


def run_at(scheduler: Scheduler, now: float, outcome: Outcome) -> None:
    request = scheduler.next_request(now)
    assert request is not None
    scheduler.complete(request, now, now, outcome)


def test_a_host_that_backs_off_is_reported_once_until_it_has_recovered() -> None:
    scheduler = Scheduler()
    queued(scheduler, 20)
    run_one(scheduler, BUSY, retry_after=30.0)
    assert list(scheduler.notices) == [HostChange("h", 30.0, 429)]
    run_at(scheduler, 31.0, BUSY)
    run_at(scheduler, 35.0, FINE)
    assert len(scheduler.notices) == 1
    for second in range(40, 46):
        run_at(scheduler, second, FINE)
    run_at(scheduler, 50.0, BUSY)
    assert len(scheduler.notices) == 2


def test_a_host_that_does_not_respond_cools_and_then_is_down_each_reported_once() -> None:
    scheduler = Scheduler()
    queued(scheduler, FAILURE_THRESHOLD + 5)
    for _ in range(FAILURE_THRESHOLD):
        run_one(scheduler, NO_RESPONSE)
    assert list(scheduler.notices) == [HostChange("h", HALF_OPEN_AFTER)]
    run_at(scheduler, HALF_OPEN_AFTER, NO_RESPONSE)
    assert list(scheduler.notices)[1:] == [HostChange("h", OPEN_FOR, is_down=True)]
    scheduler.enqueue(urls.request(99, "http://h/"), HALF_OPEN_AFTER + OPEN_FOR)
    run_at(scheduler, HALF_OPEN_AFTER + OPEN_FOR, NO_RESPONSE)
    assert len(scheduler.notices) == 2


def test_a_host_that_responds_is_not_reported() -> None:
    scheduler = Scheduler()
    queued(scheduler, 3)
    for _ in range(3):
        run_one(scheduler, FINE)
    assert not scheduler.notices
