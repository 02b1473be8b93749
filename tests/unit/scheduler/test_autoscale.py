"""`-w auto` against servers that are formulas: it gets near the best fixed number and stays there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.scheduler.autoscale import START, AutoScaler
from tests.factories import with_fields

SAMPLE = refusal(urls.request(0, "http://h/"), FailureKind.RESET, timestamp="2026-01-01T00:00:00.000Z")
CPU = 60e-6
"""Seconds of this machine's that a URL costs: never more than 1 / CPU a second."""


def answer(seconds: float, status: int = 200) -> Outcome:
    error = f"http_{status}" if status >= 400 else None
    return with_fields(SAMPLE, error=error, response_code=status, time_total=seconds)


Server = Callable[[int], tuple[float, float, float]]
"""From how many are asked for at once: URLs per second, seconds each takes, share answered 503."""


def fast(target: int) -> tuple[float, float, float]:
    rate = min(1 / CPU, target / 0.0005)
    return rate, target / rate, 0.0


def distant(target: int) -> tuple[float, float, float]:
    rate = min(1 / CPU, target / 0.1)
    return rate, target / rate, 0.0


def fragile(target: int) -> tuple[float, float, float]:
    """Slows down, and says 503 to what is past 50 at once."""
    return min(target, 50) / 0.02, 0.02, max(0, target - 50) / target


@cache  # a minute of a fast server is a million records
def run(server: Server, seconds: float, ceiling: int = 1000) -> tuple[AutoScaler, list[tuple[float, float]]]:
    """The controller over simulated time; what it got done, second by second."""
    now = 0.0
    concurrency = AutoScaler(ceiling, now)
    done = []
    while now < seconds:
        now += 0.05
        rate, each, busy = server(concurrency.target)
        number = round(rate * 0.05)
        refused = round(number * busy)
        for _ in range(number - refused):
            concurrency.record(answer(each))
        for _ in range(refused):
            concurrency.record(answer(each, 503))
        concurrency.update(now, concurrency.target, CPU)
        done.append((now, rate * (1 - busy)))
    return concurrency, done


@pytest.mark.parametrize(("server", "best"), [(fast, 1 / CPU), (distant, 1000 / 0.1), (fragile, 50 / 0.02)])
def test_it_gets_within_a_tenth_of_the_best_and_stays(server: Server, best: float) -> None:
    _, done = run(server, 60)
    settled = [rate for now, rate in done if now > 10]
    assert sum(settled) / len(settled) >= 0.9 * best


def test_it_does_not_hold_a_hundred_where_ten_do() -> None:
    concurrency, _ = run(fast, 60)
    assert concurrency.target <= 64


def test_it_stays_under_the_ceiling_and_reports_it() -> None:
    concurrency, _ = run(distant, 30, ceiling=100)
    assert concurrency.target == 100
    assert concurrency.reason == "the limit set by --max-workers"


def test_a_reported_overload_lowers_the_number_at_once() -> None:
    concurrency, _ = run(fragile, 30)
    assert 40 <= concurrency.target <= 56


def test_a_number_that_was_not_reached_is_not_judged() -> None:
    concurrency = AutoScaler(1000, 0.0)
    for turn in range(200):
        for _ in range(50):
            concurrency.record(answer(0.01))
        concurrency.update(turn * 0.05, concurrency.target - 1, CPU)
    assert concurrency.target == START


def test_a_fast_server_is_known_in_a_second() -> None:
    concurrency, _ = run(fast, 1.0)
    assert concurrency.reason == "more were no faster"


def test_the_time_before_the_first_answer_is_not_measured() -> None:
    concurrency = AutoScaler(1000, 0.0)
    for turn in range(100):  # five seconds of looking up names
        concurrency.update(turn * 0.05, 0, 0.0)
    for turn in range(100, 107):
        for _ in range(50):
            concurrency.record(answer(0.01))
        concurrency.update(turn * 0.05, concurrency.target, CPU)
    assert concurrency.target == 2 * START


def test_a_pause_of_the_input_does_not_change_the_number() -> None:
    concurrency, _ = run(distant, 1.0)
    now, reached = 1.0, concurrency.target
    assert reached > START
    for _ in range(10):  # requests in flight complete, and the current measurement ends
        now += 0.05
        for _ in range(50):
            concurrency.record(answer(0.1))
        concurrency.update(now, concurrency.target, CPU)
    before = (concurrency.target, concurrency.reason)
    concurrency._begin(now)
    for _ in range(100):  # five seconds in which the list has nothing
        now += 0.05
        concurrency.update(now, 0, CPU)
    for _ in range(30):
        concurrency.record(answer(0.1))
    concurrency.update(now + 0.05, concurrency.target, CPU)
    assert (concurrency.target, concurrency.reason) == before
