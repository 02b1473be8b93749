"""How many threads pay, by what the process has used."""

from __future__ import annotations

from fetchpool.pools.thread_limit import FEWEST, ThreadLimit

SECOND = 1.0


def after(limit: ThreadLimit, *seconds: tuple[float, int]) -> list[int]:
    """The limit after each second in which so much CPU time was used and so many fetches were done."""
    limits, cpu, done = [], 0.0, 0
    limit.update(0.0, cpu, done)
    for number, (used, fetched) in enumerate(seconds, 1):
        cpu, done = cpu + used, done + fetched
        limit.update(number * SECOND, cpu, done)
        limits.append(limit.limit)
    return limits


def test_all_may_run_until_a_core_is_used_up() -> None:
    assert after(ThreadLimit(10), (0.1, 10), (0.5, 1000), (0.9, 9000)) == [10, 10, 10]


def test_small_fetches_that_use_a_full_core_are_done_by_fewer_threads() -> None:
    assert after(ThreadLimit(10), *[(1.2, 5000)] * 4) == [5, 2, 2, 2]


def test_there_are_more_again_as_soon_as_the_core_has_time() -> None:
    busy, idle = (1.2, 5000), (0.3, 30)
    assert after(ThreadLimit(10), *[busy] * 2, *[idle] * 6) == [5, 2, 3, 4, 6, 9, 10, 10]


def test_threads_that_use_a_core_for_large_bodies_are_not_limited() -> None:
    assert after(ThreadLimit(10), *[(1.9, 500)] * 3) == [10, 10, 10]


def test_there_are_more_again_when_another_program_uses_the_core() -> None:
    assert after(ThreadLimit(10), *[(1.2, 5000)] * 2, *[(1.9, 20)] * 6) == [5, 2, 3, 4, 6, 9, 10, 10]


def test_a_server_that_pauses_now_and_then_does_not_make_the_number_go_up_and_down() -> None:
    busy, pause = (1.2, 5000), (0.3, 30)
    limits = after(ThreadLimit(10), *[busy] * 3, *[pause, *[busy] * 3] * 20)
    assert limits[3:6] == [3, 2, 2]
    assert limits.count(3) == 1


def test_a_server_that_has_become_slow_gets_all_threads_after_such_pauses() -> None:
    busy, pause = (1.2, 5000), (0.3, 30)
    limits = after(ThreadLimit(10), *[busy] * 3, *[pause, *[busy] * 3] * 20, *[pause] * 15)
    assert limits[-15:] == [2] * 1 + [3, 4, 6, 9] + [10] * 10


def test_never_more_than_the_workers_nor_fewer_than_it_takes() -> None:
    assert after(ThreadLimit(1), (1.0, 5000), (0.0, 1)) == [1, 1]
    assert after(ThreadLimit(2), *[(1.5, 5000)] * 3)[-1] == FEWEST
