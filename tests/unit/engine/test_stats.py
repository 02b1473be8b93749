"""The run's counters: what a snapshot says after rows were added."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.config.machine import usable_cores
from fetchpool.engine.bottlenecks import Bottleneck, BottleneckTimer, cpu_seconds
from fetchpool.engine.events import TIME_BOUNDS, ActiveRequest, Snapshot
from fetchpool.engine.histogram import Histogram
from fetchpool.engine.stats import Stats
from fetchpool.model.steering import State
from tests.factories import EVEN, record


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def now(
    stats: Stats, *, total: int | None = None, least_wait: float = 0.0, state: State = State.RUNNING
) -> Snapshot:
    return stats.snapshot(
        in_flight=3,
        slowest=(ActiveRequest("http://slow.example/", 7.0),),
        queued=5,
        delayed=2,
        total=total,
        total_exact=True,
        workers=10,
        workers_reason="",
        state=state,
        wait_times=EVEN,
        least_wait=least_wait,
    )


def test_a_run_that_has_not_begun_is_all_zeros() -> None:
    shot = now(Stats(Clock()))
    assert (shot.elapsed, shot.done, shot.ok, shot.failed, shot.retries) == (0, 0, 0, (), 0)
    assert (shot.urls_per_second, shot.bytes_per_second, shot.eta) == (0, 0, None)
    assert (shot.time_p50, shot.time_p95, shot.time_max, shot.size_p50, shot.size_max) == (0, 0, 0, 0, 0)


def test_rows_are_counted_as_ok_or_by_their_kind_of_failure() -> None:
    stats = Stats(Clock())
    stats.add([record(), record(error="dns", size_delivered=None, size_download=None, time_total=None)])
    stats.add([record(error="http_404", url=f"http://h/{n}") for n in range(3)])
    stats.add([])
    for _ in range(3):
        stats.retried(record(error="reset"))
    shot = now(stats)
    assert (shot.done, shot.ok, shot.retries) == (5, 1, 3)
    assert [(kind.kind, kind.count, kind.example) for kind in shot.failed] == [
        ("http_404", 3, "http://h/0"),
        ("dns", 1, "http://example.org/0"),
    ]


def test_sizes_add_up_over_all_rows_and_are_spread_over_the_complete_ones() -> None:
    stats = Stats(Clock())
    stats.add([record(size_delivered=n, size_download=n // 2) for n in (0, 1000, 3000)])
    stats.add([record(error="truncated", size_delivered=50_000, size_download=50_000)])
    shot = now(stats)
    assert (shot.size_delivered, shot.size_download) == (54_000, 52_000)
    assert shot.size_p50 == pytest.approx(1000, rel=0.03)
    assert shot.size_max == 3000


def test_times_are_spread_over_every_row_that_has_one() -> None:
    stats = Stats(Clock())
    stats.add([record(time_total=n / 1000, time_starttransfer=None) for n in range(1, 101)])
    stats.add([record(error="invalid_url", time_total=None)])
    shot = now(stats)
    assert shot.time_p50 == pytest.approx(0.050, rel=0.03)
    assert shot.time_p95 == pytest.approx(0.095, rel=0.03)
    assert shot.time_max == 0.1


def test_waiting_for_a_response_and_receiving_it_are_distinguished() -> None:
    stats = Stats(Clock())
    stats.add([record(time_starttransfer=0.25, time_total=1.0)])
    shot = now(stats)
    assert (shot.time_waiting, shot.time_receiving) == (0.25, 0.75)


def test_fetches_without_a_response_count_as_waiting() -> None:
    stats = Stats(Clock())
    silent = record(error="timeout_read", time_starttransfer=None, time_total=2.0)
    stats.retried(silent)
    stats.add([silent, record(error="invalid_url", time_total=None)])
    shot = now(stats)
    assert (shot.time_waiting, shot.time_receiving) == (4.0, 0.0)


def test_the_rate_is_that_of_the_last_five_seconds() -> None:
    clock = Clock()
    stats = Stats(clock)
    for _ in range(40):  # ten seconds at forty a second
        clock.now += 0.25
        stats.add([record(size_delivered=100)] * 10)
        now(stats)
    assert now(stats).urls_per_second == pytest.approx(40)
    assert now(stats).bytes_per_second == pytest.approx(4000)
    for _ in range(20):  # five more without a row
        clock.now += 0.25
        now(stats)
    shot = now(stats)
    assert (shot.urls_per_second, shot.bytes_per_second) == (0, 0)
    assert shot.elapsed == 15


def test_a_young_run_has_a_rate_before_its_first_five_seconds_are_over() -> None:
    clock = Clock()
    stats = Stats(clock)
    clock.now += 0.5
    stats.add([record()] * 50)
    assert now(stats).urls_per_second == pytest.approx(100)


def test_the_time_left_follows_from_the_pace() -> None:
    clock = Clock()
    stats = Stats(clock)
    assert now(stats, total=100).eta is None  # nothing has moved
    clock.now += 10
    stats.add([record()] * 20)
    assert now(stats, total=100).eta == pytest.approx(40)
    assert now(stats, total=100, least_wait=300.0).eta == 300.0  # a host asked for a pause
    assert now(stats, total=20).eta == 0
    assert now(stats, total=None).eta is None


def test_values_of_the_engine_are_in_the_snapshot() -> None:
    shot = now(Stats(Clock()), total=9)
    assert (shot.in_flight, shot.queued, shot.delayed, shot.total, shot.total_exact) == (3, 5, 2, 9, True)
    assert shot.slowest[0].seconds == 7.0
    assert shot.wait_times is EVEN


def test_the_rate_is_divided_into_ok_and_failed() -> None:
    clock = Clock()
    stats = Stats(clock)
    for _ in range(40):
        clock.now += 0.25
        stats.add([*[record()] * 6, *[record(error="reset")] * 4])
        shot = now(stats)
    assert (shot.rate_ok, shot.rate_failed) == (pytest.approx(24), pytest.approx(16))
    clock.now += 10
    assert now(stats).rate_average == pytest.approx(20)


def test_the_recent_percentiles_forget_earlier_seconds() -> None:
    clock = Clock()
    stats = Stats(clock)
    assert (now(stats).recent_p50, now(stats).recent_p95) == (None, None)
    stats.add([record(time_total=0.1)] * 900)
    clock.now += 1
    assert now(stats).recent_p50 == pytest.approx(0.1, rel=0.03)
    stats.add([record(time_total=4.0)] * 10)
    clock.now += 0.5
    assert now(stats).recent_p50 == pytest.approx(0.1, rel=0.03)  # this second is not complete
    clock.now += 0.5
    shot = now(stats)
    assert shot.recent_p50 == shot.recent_p95 == pytest.approx(4.0, rel=0.03)
    assert shot.time_p50 == pytest.approx(0.1, rel=0.03)
    clock.now += 1
    assert now(stats).recent_p50 is None


def test_the_spread_has_every_row_in_its_bucket() -> None:
    stats = Stats(Clock())
    stats.add([record(time_total=seconds, size_delivered=0) for seconds in (0.0001, 0.02, 0.02, 5.0, 1e5)])
    times, sizes = stats.histograms()
    assert (len(times), len(sizes), sum(times), sum(sizes)) == (40, 40, 5, 5)
    assert (times[0], times[-1], sizes[0]) == (1, 1, 5)
    (place,) = (place for place, number in enumerate(times) if number == 2)
    assert TIME_BOUNDS[place - 1] < 0.02 <= TIME_BOUNDS[place]


def test_memory_does_not_grow_with_the_run() -> None:
    clock = Clock()
    stats = Stats(clock)
    rows = [
        record(size_delivered=n, time_total=n / 1000, error="reset" if n % 5 else None) for n in range(100)
    ]

    def five_minutes() -> None:
        for _ in range(300):
            clock.now += 1
            stats.add(rows)
            now(stats)

    five_minutes()
    tracemalloc.start()
    five_minutes()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 50_000  # the samples of the last minute are other ones now, but no more of them


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_within_five_percent_of_the_true_value(values: list[float], share: float) -> None:
    histogram = Histogram(1e-6, 1e6)
    histogram.add(values)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert histogram.percentile(share) == pytest.approx(exact, rel=0.05)
    assert histogram.maximum == max(values)


def test_values_beyond_the_histogram_are_counted_all_the_same() -> None:
    histogram = Histogram(1, 1000)
    histogram.add([0, 0, 0, 5_000_000])
    assert histogram.percentile(0.5) == 0
    assert histogram.maximum == 5_000_000
    same = Histogram(1, 1000)
    same.add([1e-9])
    assert same.percentile(0.5) == 1e-9


def test_seconds_are_counted_for_the_current_bottleneck() -> None:
    used = iter((2.0, 5.5))
    clock = BottleneckTimer(100.0, cpu=lambda: next(used), cores=4)
    clock.switch_to(101.0, Bottleneck.WORKERS)  # until here the first URL was waited for
    clock.switch_to(105.0, Bottleneck.WORKERS)
    clock.switch_to(108.0, Bottleneck.HOST_LIMIT)
    clock.switch_to(108.5, Bottleneck.ENDING)
    limits = clock.wait_times(110.0)
    assert (limits.source, limits.workers, limits.host_limit, limits.ending) == (1.0, 7.0, 0.5, 1.5)
    assert (limits.cpu, limits.cores) == (3.5, 4)
    assert (limits.stations, limits.stations_cpu) == (0.0, 0.0)


def test_asking_for_the_limits_changes_nothing() -> None:
    clock = BottleneckTimer(0.0, cpu=lambda: 0.0)
    clock.stations = lambda: (20.0, 15.0)
    assert (clock.wait_times(0.0).stations, clock.wait_times(0.0).stations_cpu) == (20.0, 15.0)
    clock.switch_to(0.0, Bottleneck.HOST_LIMIT)
    assert clock.wait_times(1.0).host_limit == 1.0
    assert clock.wait_times(3.0).host_limit == 3.0
    clock.switch_to(4.0, Bottleneck.WORKERS)
    assert clock.wait_times(4.0).host_limit == 4.0


def test_cpu_seconds_rise_with_work_also_with_a_childs() -> None:
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(2_000_000))"], check=True)
    assert cpu_seconds() > before
    assert usable_cores() >= 1


def test_counting_and_reporting_do_without_rich() -> None:
    code = (
        "import sys; from fetchpool.engine import bottlenecks, events, stats;"
        "from fetchpool.progress import advice, log, messages, summary; print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_no_rate_and_no_remaining_time_includes_a_pause() -> None:
    clock = Clock()
    stats = Stats(clock)
    for _ in range(40):  # ten seconds at forty a second
        clock.now += 0.25
        stats.add([record(size_delivered=100)] * 10)
        now(stats)
    assert now(stats, state=State.PAUSED).urls_per_second == 0
    for _ in range(400):  # a hundred seconds
        clock.now += 0.25
        shot = now(stats, total=800, state=State.PAUSED)
    assert (shot.urls_per_second, shot.bytes_per_second, shot.eta) == (0, 0, None)
    clock.now += 0.125
    shot = now(stats, total=800)
    assert shot.time_paused == pytest.approx(100.125)
    assert shot.urls_per_second == pytest.approx(40)
    assert shot.rate_average == pytest.approx(40)
    assert shot.eta == pytest.approx(10)
    assert now(stats, total=800, state=State.PAUSING).eta is None
