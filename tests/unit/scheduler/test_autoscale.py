"""`-w auto` against simulated servers: it comes near the best fixed number, and one bad measurement decides
nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fetchpool.scheduler.autoscale import CEILING, ENOUGH, START, AutoScaler, ScalePhase
from tests.unit.scheduler.simulated_server import TICK, Client, Run, Server, simulate

BUSY = Client(cpu=0.001, stalls=0.7)
"""A tenth of its time goes to other programs, at any moment."""
QUICK = Client(cpu=0.0004, stalls=0.7)
FAST = Server(0.001)
FAR = Server(0.1)
MIXED = Server(0.03, spread=0.8)
PACED = Server(0.02, spread=0.3, capacity=300)
REFUSING = Server(0.05, spread=0.2, most=50)
DEAD = Server(0.05, spread=0.5, dead=0.1, timeout=1.0)


def auto(server: Server, client: Client, seconds: float, seed: int = 0, ceiling: int = 1000) -> Run:
    return simulate(server, client, AutoScaler(ceiling, 0.0), seconds, seed)


def last(run: Run) -> int:
    """Return the number at the end."""
    return run.course[-1][1]


@pytest.mark.parametrize(
    ("server", "client", "fixed"),
    [
        pytest.param(FAST, BUSY, (16, 64, 256), id="fast"),
        pytest.param(FAR, QUICK, (100, 300, 1000), id="far"),
        pytest.param(MIXED, QUICK, (64, 256), id="mixed"),
        pytest.param(PACED, BUSY, (8, 64), id="paced"),
        pytest.param(REFUSING, QUICK, (40, 50, 80), id="refusing"),
    ],
)
def test_nine_of_ten_runs_reach_nine_tenths_of_the_best_fixed_number(
    server: Server, client: Client, fixed: tuple[int, ...]
) -> None:
    shares = []
    for seed in range(10):
        best = max(simulate(server, client, number, 9.0, seed).late for number in fixed)
        shares.append(auto(server, client, 9.0, seed).late / best)
    assert sorted(shares)[1] >= 0.9, shares


@pytest.mark.parametrize("at", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("server", [FAST, FAR])
def test_one_stall_while_it_climbs_does_not_stop_it(server: Server, at: float) -> None:
    client = Client(cpu=0.0004, stalled=((at, 0.4),))
    best = simulate(server, client, 1000 if server is FAR else ENOUGH, 6.0).late
    assert auto(server, client, 6.0).late >= 0.95 * best


def test_a_far_server_is_used_fully_within_two_seconds() -> None:
    run = auto(FAR, Client(cpu=0.0001), 3.0)
    assert next(time for time, number in run.course if number == 1000) < 2.0


def test_it_starts_with_few_and_at_least_doubles_them_step_by_step() -> None:
    numbers = [number for _, number in auto(FAR, Client(cpu=0.0001), 3.0).course]
    assert numbers[0] == START
    assert all(after <= 2 * before for before, after in pairwise(numbers))


def test_the_ceiling_is_never_exceeded_and_is_the_reason() -> None:
    scaler = AutoScaler(100, 0.0)
    run = simulate(FAR, QUICK, scaler, 5.0)
    assert max(number for _, number in run.course) == 100
    assert scaler.reason == CEILING


@pytest.mark.parametrize("ceiling", [17, 35, 70])
def test_a_ceiling_too_close_to_be_tested_is_the_reason(ceiling: int) -> None:
    scaler = AutoScaler(ceiling, 0.0)
    simulate(FAR, QUICK, scaler, 3.0)
    assert ceiling * 0.9 < scaler.target <= ceiling
    assert scaler.reason == CEILING


@pytest.mark.parametrize(("seconds", "reason"), [(0.45, ScalePhase.CLIMBING.value), (1.5, CEILING)])
def test_the_reason_is_never_that_more_were_no_faster_while_it_climbs(seconds: float, reason: str) -> None:
    scaler = AutoScaler(1000, 0.0)
    simulate(FAR, Client(cpu=0.0001), scaler, seconds)
    assert scaler.target > START
    assert scaler.reason == reason


@pytest.mark.parametrize("ceiling", [1, 2, 5])
def test_a_low_ceiling_is_held(ceiling: int) -> None:
    run = auto(FAST, BUSY, 5.0, ceiling=ceiling)
    assert {number for _, number in run.course} <= set(range(1, ceiling + 1))
    assert run.fetched > 500


def test_a_paced_server_does_not_get_hundreds() -> None:
    assert max(number for _, number in auto(PACED, Client(), 20.0).course) <= 4 * ENOUGH


def test_overload_lowers_the_number_at_once() -> None:
    run = auto(REFUSING, QUICK, 20.0)
    assert next(time for time, number in run.course if number == ENOUGH) + 0.1 > next(
        time for time, number in run.course if time > 0.1 and number < 50
    )
    assert 40 <= last(run) <= 55
    assert run.failed <= 0.02 * run.fetched


def test_a_server_for_few_connections_gets_few() -> None:
    scaler = AutoScaler(1000, 0.0)
    run = simulate(Server(0.05, most=5), Client(), scaler, 20.0)
    assert last(run) <= 6
    assert scaler.reason == "servers reported overload with more"


def test_dead_hosts_do_not_lower_the_number() -> None:
    assert last(auto(DEAD, QUICK, 20.0)) >= 500


def test_one_failure_is_no_overload() -> None:
    scaler = AutoScaler(1000, 0.0)
    simulate(Server(0.05, dead=0.002, timeout=0.1), QUICK, scaler, 10.0)
    assert scaler.target >= 2 * ENOUGH
    assert scaler.reason != "servers reported overload with more"


@pytest.mark.parametrize("limit", [10, 50, 300])
def test_a_number_that_another_limit_does_not_allow_is_not_measured(limit: int) -> None:
    """As with --per-host, or --rate."""
    run = auto(FAR, Client(cpu=0.0004, in_flight=limit), 10.0)
    assert last(run) < 2 * max(limit, START)


def test_ten_urls_are_fetched_at_once() -> None:
    run = simulate(FAR, Client(), AutoScaler(1000, 0.0), 10.0, count=10)
    assert run.fetched == 10
    assert run.course[-1][0] < FAR.latency + 10 * 0.002 + 2 * TICK


def test_it_rises_again_when_a_limit_ends() -> None:
    run = auto(FAR, Client(cpu=0.0001, in_flight=20, until=5.0), 8.0)
    assert max(number for time, number in run.course if time < 5.0) <= 2 * START
    assert last(run) == 1000


def test_nothing_changes_before_the_first_response() -> None:
    scaler = AutoScaler(1000, 0.0)
    for tick in range(100):
        scaler.update(tick * TICK, 0)
    assert scaler.target == START
