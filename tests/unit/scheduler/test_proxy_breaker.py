"""ProxyBreaker: the run pauses after failures in a row, probes the proxy, and fails URLs if it stays down."""

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal
from fetchpool.scheduler.proxy_breaker import (
    DOWN_AFTER,
    FAILURE_THRESHOLD,
    INITIAL_PAUSE,
    MAX_PAUSE,
    PROBE_INTERVAL,
    ProxyBreaker,
)
from tests.factories import with_fields

AWAY = with_fields(refusal(urls.request(0, "http://h/"), FailureKind.PROXY), proxy_down=True)
REFUSED = with_fields(AWAY, proxy_down=False)
FINE = with_fields(AWAY, error=None, proxy_down=False, response_code=200)
RESET = with_fields(REFUSED, error=FailureKind.RESET)


def away() -> ProxyBreaker:
    proxy = ProxyBreaker()
    for _ in range(FAILURE_THRESHOLD):
        assert proxy.may_start(0.0)
        proxy.started()
        proxy.record_result(AWAY, 0.0, 0.0)
    return proxy


def test_after_some_failures_in_a_row_it_is_asked_with_one_request_at_a_time():
    proxy = away()
    assert not proxy.may_start(INITIAL_PAUSE - 0.01)
    assert proxy.next_wakeup() == INITIAL_PAUSE
    assert proxy.may_start(INITIAL_PAUSE)
    proxy.started()
    assert not proxy.may_start(INITIAL_PAUSE)
    proxy.record_result(AWAY, 1.5, 0.5)  # one that was on its way before
    assert not proxy.may_start(INITIAL_PAUSE)
    proxy.record_result(AWAY, 2.0, INITIAL_PAUSE)
    assert (proxy.may_start(3.9), proxy.may_start(4.0)) == (False, True)


def test_the_seconds_left_are_finite_while_a_probe_is_on_its_way():
    """The display shows them."""
    proxy = away()
    assert proxy.seconds_left(0.25 * INITIAL_PAUSE) == 0.75 * INITIAL_PAUSE
    proxy.started()
    assert proxy.seconds_left(INITIAL_PAUSE + 1.0) == 0.0


def test_any_request_that_gets_through_ends_the_pause():
    for outcome in (FINE, REFUSED):
        proxy = away()
        proxy.started()
        proxy.record_result(outcome, 2.0, INITIAL_PAUSE)
        assert proxy.may_start(2.0)
        assert proxy.notice == "the proxy is available again"


def test_failures_with_others_between_that_got_through_pause_nothing():
    proxy = ProxyBreaker()
    for _ in range(10):
        for outcome in (AWAY, AWAY, FINE):
            proxy.started()
            proxy.record_result(outcome, 0.0, 0.0)
    assert proxy.may_start(0.0)


def test_a_probe_without_a_result_is_followed_by_another_one():
    for nothing in (None, RESET):
        proxy = away()
        proxy.started()
        proxy.record_result(nothing, 2.0, INITIAL_PAUSE)
        assert proxy.may_start(2.0)


def test_when_it_stays_down_for_long_queued_urls_fail():
    proxy, now = away(), INITIAL_PAUSE
    while now < DOWN_AFTER:
        assert proxy.may_start(now)
        assert not proxy.is_rejecting(now)
        proxy.started()
        proxy.record_result(AWAY, now, now)
        assert proxy.next_wakeup() - now <= MAX_PAUSE
        now = proxy.next_wakeup()
    proxy.started()
    proxy.record_result(AWAY, now, now)
    assert proxy.is_rejecting(now + PROBE_INTERVAL - 1)
    assert proxy.may_start(now + PROBE_INTERVAL)
    proxy.started()
    proxy.record_result(FINE, now + PROBE_INTERVAL, now + PROBE_INTERVAL)
    assert not proxy.is_rejecting(now + PROBE_INTERVAL)
