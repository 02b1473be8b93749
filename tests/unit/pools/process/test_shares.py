"""How fetches are divided among processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fetchpool.pools.process.shares import AHEAD, MOST_AHEAD, Rate, portions, shares


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_shares_add_up_exactly_and_differ_by_one_at_most(most: int, processes: int) -> None:
    processes = min(most, processes)
    divided = shares(most, processes)
    assert len(divided) == processes
    assert sum(divided) == most
    assert 1 <= min(divided) <= max(divided) <= min(divided) + 1


@given(st.integers(0, 500), st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_portions_fill_no_process_beyond_its_capacity(number: int, capacities: list[int]) -> None:
    parts = portions(number, capacities)
    assert sum(parts) == min(number, sum(capacities))
    assert all(0 <= part <= capacity for part, capacity in zip(parts, capacities, strict=True))


def test_portions_are_fair() -> None:
    assert portions(10, [20, 20]) == [5, 5]
    assert portions(9, [30, 60]) == [3, 6]
    assert portions(1, [0, 4]) == [0, 1]


def test_a_process_is_sent_ahead_what_it_completes_in_a_moment() -> None:
    rate = Rate()
    now = 100.0
    for _ in range(20):
        now += 0.01
        rate.add(20, now)
    assert abs(rate.ahead - 2000 * AHEAD) < 2
    rate.add(100_000, now + 0.05)
    assert rate.ahead == MOST_AHEAD
    rate.clear()
    assert rate.ahead == 0


def test_a_process_whose_fetches_take_long_is_sent_nothing_ahead() -> None:
    rate = Rate()
    rate.add(1, 100.0)
    rate.add(1, 101.0)
    assert rate.ahead == 0
