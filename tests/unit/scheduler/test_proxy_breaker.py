"""The proxy of a run: paused after failures in a row, tried, given up when it stays away for long."""

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal
from fetchpool.scheduler.proxy_breaker import (
    DOWN,
    FAILURES_TO_PAUSE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PATIENCE,
    Gateway,
)
from tests.factories import with_fields

AWAY = with_fields(refusal(urls.request(0, "http://h/"), FailureKind.PROXY), proxy_down=True)
REFUSED = with_fields(AWAY, proxy_down=False)
FINE = with_fields(AWAY, error=None, proxy_down=False, response_code=200)
RESET = with_fields(REFUSED, error=FailureKind.RESET)


def away() -> Gateway:
    gateway = Gateway()
    for _ in range(FAILURES_TO_PAUSE):
        assert gateway.may_start(0.0)
        gateway.started()
        gateway.heard(AWAY, 0.0, 0.0)
    return gateway


def test_after_some_failures_in_a_row_it_is_asked_with_one_request_at_a_time():
    gateway = away()
    assert not gateway.may_start(FIRST_PAUSE - 0.01)
    assert gateway.next_wakeup() == FIRST_PAUSE
    assert gateway.may_start(FIRST_PAUSE)
    gateway.started()
    assert not gateway.may_start(FIRST_PAUSE)
    gateway.heard(AWAY, 1.5, 0.5)  # one that was on its way before
    assert not gateway.may_start(FIRST_PAUSE)
    gateway.heard(AWAY, 2.0, FIRST_PAUSE)
    assert (gateway.may_start(3.9), gateway.may_start(4.0)) == (False, True)


def test_whatever_gets_through_ends_the_pause():
    for outcome in (FINE, REFUSED):
        gateway = away()
        gateway.started()
        gateway.heard(outcome, 2.0, FIRST_PAUSE)
        assert gateway.may_start(2.0)
        assert gateway.news == "the proxy serves again"


def test_failures_with_others_between_that_got_through_pause_nothing():
    gateway = Gateway()
    for _ in range(10):
        for outcome in (AWAY, AWAY, FINE):
            gateway.started()
            gateway.heard(outcome, 0.0, 0.0)
    assert gateway.may_start(0.0)


def test_a_try_that_came_to_nothing_is_followed_by_another_one():
    for nothing in (None, RESET):
        gateway = away()
        gateway.started()
        gateway.heard(nothing, 2.0, FIRST_PAUSE)
        assert gateway.may_start(2.0)


def test_when_it_stays_away_for_long_what_waits_is_given_up():
    gateway, now = away(), FIRST_PAUSE
    while now < PATIENCE:
        assert gateway.may_start(now)
        assert not gateway.gives_up(now)
        gateway.started()
        gateway.heard(AWAY, now, now)
        assert gateway.next_wakeup() - now <= LONGEST_PAUSE
        now = gateway.next_wakeup()
    gateway.started()
    gateway.heard(AWAY, now, now)
    assert gateway.gives_up(now + DOWN - 1)
    assert gateway.may_start(now + DOWN)
    gateway.started()
    gateway.heard(FINE, now + DOWN, now + DOWN)
    assert not gateway.gives_up(now + DOWN)
