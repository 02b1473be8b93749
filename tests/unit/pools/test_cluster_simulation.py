"""Runs over a simulated cluster: the real engine and the real cluster pool in virtual time, while workers are
killed and cut off. `make simulation` runs much larger ones."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.simulation.run import SCENARIOS, Result, Scenario, simulate
from bench.simulation.servers import Behaviour

SMALL = {"urls": 4_000, "hosts": 400, "workers": 10, "places": 20, "kill_every": 8.0, "cut_off_every": 20.0}


def run(scenario: Scenario, **changes: object) -> Result:
    return simulate(replace(scenario, **SMALL | changes))


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_limit_is_exceeded_and_each_url_has_one_row_whatever_happens_to_workers(name: str) -> None:
    result = run(SCENARIOS[name])
    assert (result.rows, result.repeated_rows) == (4_000, 0)
    assert (result.violations, result.too_close) == (0, 0)
    assert result.workers_lost
    # No more than places: those of the dead are divided among the others until they are replaced.
    assert result.attempts_lost <= result.workers_lost * (200 // 8)
    assert result.internal_rows <= 1  # three of three workers died during one URL


def test_nearly_all_places_are_busy_until_the_list_ends() -> None:
    result = run(SCENARIOS["sorted"], kill_every=0.0, cut_off_every=0.0)
    assert result.busy >= 0.9


def test_nearly_all_places_are_busy_with_a_delay_at_many_small_stations() -> None:
    """Calls to a station are 80 ms apart, so a place would wait for that long after each fetch if nothing
    waited in the station."""
    delayed = replace(SCENARIOS["delayed"], hosts=4_000, workers=40, places=5)
    result = simulate(replace(delayed, urls=4_000, kill_every=0.0, cut_off_every=0.0))
    assert delayed.ceiling > 2 * 200
    assert result.busy >= 0.9
    assert (result.violations, result.too_close) == (0, 0)


def test_hosts_that_ask_for_a_pause_get_it_also_with_a_delay() -> None:
    """Requests wait in stations for their delay, with places free, and in one that no message reaches."""
    delayed = replace(SCENARIOS["delayed"], hosts=1_000, behaviour=Behaviour(throttling=0.5), seed=6)
    result = run(delayed, hosts=1_000, kill_every=0.0, cut_off_every=8.0)
    assert (result.rows, result.violations, result.too_close) == (4_000, 0, 0)


def test_hosts_that_are_just_enough_for_all_places_are_divided_evenly() -> None:
    """Each host always has a request at its station, so that it can't move to another one."""
    delayed = replace(SCENARIOS["delayed"], hosts=440, workers=20, places=10)
    result = simulate(replace(delayed, urls=6_000, kill_every=0.0, cut_off_every=0.0))
    assert delayed.ceiling == pytest.approx(242)
    assert result.busy >= 0.9
    assert (result.violations, result.too_close) == (0, 0)
