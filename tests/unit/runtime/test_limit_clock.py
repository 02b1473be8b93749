"""The clock for timeouts stands still while the process does not run."""

from __future__ import annotations

from fetchpool.runtime.limit_clock import INTERVAL, LATE, LimitClock


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_goes_on_between_signs_that_come_in_time() -> None:
    time = Time()
    clock = LimitClock(time)
    clock.run()
    for _ in range(50):
        time.now += INTERVAL
        clock.sign()
    assert clock.now() == time.now
    time.now += LATE
    clock.sign()
    assert clock.lost == 0.0


def test_time_without_a_sign_is_lost_also_before_the_next_sign() -> None:
    time = Time()
    clock = LimitClock(time)
    clock.run()
    before = clock.now()
    time.now += 60.0
    assert clock.now() == before + INTERVAL
    clock.sign()
    assert clock.now() == before + INTERVAL
    assert clock.lost == 60.0 - INTERVAL
    time.now += 0.05
    assert round(clock.now() - before, 6) == round(INTERVAL + 0.05, 6)


def test_time_in_which_no_limit_runs_is_not_lost() -> None:
    time = Time()
    clock = LimitClock(time)
    clock.run()
    clock.rest()
    before = clock.now()
    time.now += 60.0
    clock.sign()
    assert clock.now() == before + 60.0
    clock.run()
    assert clock.lost == 0.0


def test_a_reading_from_before_lost_time_that_is_noticed_meanwhile_is_read_again() -> None:
    """A thread reads the machine's time, all are stopped, and another thread gives the sign first."""
    time = Time()
    stopped = [60.0]

    def machine_time() -> float:
        now = time.now
        if clock_is_running and stopped:
            time.now += stopped.pop()
            clock.sign()
        return now

    clock_is_running = False
    clock = LimitClock(machine_time)
    clock.run()
    before = clock.now()
    clock_is_running = True
    assert clock.now() == before + INTERVAL
    assert clock.lost == 60.0 - INTERVAL
