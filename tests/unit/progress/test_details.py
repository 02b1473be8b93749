"""The details of the live display."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from fetchpool.engine.events import (
    TIME_BOUNDS,
    ActiveRequest,
    BusyHost,
    FailingHost,
    FailureCount,
    Hosts,
    Snapshot,
)
from fetchpool.progress.details import details
from fetchpool.progress.display import MOST_LINES, Progress
from fetchpool.progress.rate_history import MOST_POINTS, RateHistory
from fetchpool.progress.sparkline import merged, sparkline
from fetchpool.scheduler.waits import PausedHost, WaitReason
from tests.factories import RUNNING, snapshot

LONG = f"{'long-' * 40}.example"
HOSTS = Hosts(
    busiest=(BusyHost("a.example", 10, 4011), BusyHost("b.example", 8, 0)),
    paused=(
        PausedHost("c.example", 60, 118.0, WaitReason.PAUSE, 429),
        PausedHost("d.example", 4, 12.0, WaitReason.NO_RESPONSE),
    ),
    failing=(FailingHost("e.example", 211, "http_404"), FailingHost(LONG, 3, "dns")),
)
TIMES = tuple({10: 4, 11: 80, 12: 40, 27: 1}.get(place, 0) for place in range(len(TIME_BOUNDS) + 1))
FULL = snapshot(
    rate_average=1198.0,
    recent_p50=0.018,
    recent_p95=0.041,
    hosts=HOSTS,
    times=TIMES,
    slowest=tuple(
        ActiveRequest(f"https://slow.example/{number}/日本語", 42.0 - number) for number in range(5)
    ),
)


def history(seconds: int = 20) -> RateHistory:
    """Return the history of a run with twenty rows a second, of which half fail in the first five seconds."""
    rates = RateHistory()
    for quarter in range(1, seconds * 4 + 1):
        failed = min(quarter, 20) * 5 // 2
        rates.add(quarter / 4, quarter * 5 - failed, failed)
    return rates


def lines(shot: Snapshot, width: int = 99, *, ascii_only: bool = False) -> list[str]:
    return [str(each) for each in details(shot, history(), width, ascii_only=ascii_only)]


def test_every_line_says_one_thing() -> None:
    rates, failed, times, *kinds, busiest, paused, failing, slow, slower = lines(FULL)
    assert rates.startswith("URLs/s    █")
    assert rates.endswith("  20 at most, 1,198 on average")
    assert failed.startswith("failed/s  ")
    assert failed.endswith("at most")
    assert times.endswith("  p50 18 ms, p95 41 ms now")
    assert "19 ms ▁█" in times
    assert kinds[0] == "failures  30 http_404  http://example.org/missing"
    assert kinds[2] == "           4 tls       https://expired.example/"
    assert busiest == "busiest   a.example 10 (4,011 waiting)  b.example 8"
    assert paused == "paused    c.example 429, again in 1:58 (60 waiting)"
    assert "d.example does not respond, again in 0:12 (4 waiting)" in "".join(lines(FULL, 120))
    assert failing.startswith("failing   e.example 211 (http_404)  long-long-")
    assert slow == "longest   42 s      https://slow.example/0/日本語"
    assert slower.startswith("          41 s      https://slow.example/1/")


def test_a_run_without_anything_to_say_has_no_lines() -> None:
    shot = snapshot(failed=(), slowest=())
    assert details(shot, RateHistory(), 79) == []


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", [1, 7, 11, 19, 25, 39, 79, 300])
def test_no_line_is_wider_than_the_terminal(width: int, ascii_only: bool) -> None:
    shown = lines(FULL, width, ascii_only=ascii_only)
    assert len(shown) <= 11
    assert [line for line in shown if cell_len(line) > width] == []
    if ascii_only:
        assert "█" not in "".join(shown)


@pytest.mark.parametrize("shows_help", [False, True])
@pytest.mark.parametrize("height", [1, 2, 5, 9, 16, 17, 50])
def test_the_display_fits_a_low_terminal_and_ends_with_the_keys(height: int, shows_help: bool) -> None:
    progress = Progress(Console(file=StringIO(), force_terminal=True, width=80, height=height))
    progress.view.has_keys = progress.view.details = True
    progress.view.help = shows_help
    for quarter in range(1, 9):
        progress.on_snapshot(replace(FULL, elapsed=quarter / 4, done=quarter * 50, ok=quarter * 40))
    shown = [str(each) for each in progress.lines(FULL)]
    assert 1 <= len(shown) <= max(min(MOST_LINES, height - 1), 1)
    if height > 9:
        assert shown[-1].startswith("Ctrl-C" if shows_help else "p pause")
    if height == 50 and not shows_help:
        assert len(shown) >= MOST_LINES - 1
    progress.view.details = progress.view.help = False
    assert len(progress.lines(FULL)) < 9


def test_text_of_a_server_moves_no_cursor() -> None:
    bad = "\x1b[2J\u202eevil"
    shot = snapshot(
        failed=(FailureCount("http_404", 1, (f"http://h/{bad}",)),),
        slowest=(ActiveRequest(f"http://h/{bad}", 9.0),),
        hosts=Hosts(
            busiest=(BusyHost(bad, 1, 0),),
            paused=(PausedHost(bad, 1, 9.0, WaitReason.BACKOFF, 503),),
            failing=(FailingHost(bad, 1, "dns"),),
        ),
    )
    shown = lines(shot)
    assert sum("evil" in line for line in shown) == 5
    assert all(line.isprintable() for line in shown)


def test_a_sparkline_has_a_bar_for_every_number_but_zero() -> None:
    assert sparkline([0, 1, 600, 1000]) == " ▁▅█"
    assert sparkline([0, 0.001, 1000], ascii_only=True) == " _#"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "


@given(st.lists(st.integers(0, 1000), max_size=60), st.integers(1, 60))
def test_merged_numbers_have_the_same_sum(numbers: list[int], most: int) -> None:
    assert sum(merged(numbers, most)) == sum(numbers)
    assert len(merged(numbers, most)) <= most


def test_rates_of_a_long_run_are_those_since_its_start_in_bounded_memory() -> None:
    rates = RateHistory()
    for second in range(1, 20_001):
        rates.add(second / 2, min(second, 10_000) * 10, max(second - 10_000, 0) * 4)
    assert len(rates._points) <= MOST_POINTS
    ok, failed = rates.columns(10)
    assert ok == pytest.approx([20.0] * 5 + [0.0] * 5, abs=0.5)
    assert failed == pytest.approx([0.0] * 5 + [8.0] * 5, abs=0.2)


def test_a_run_that_begins_has_a_column_for_each_point() -> None:
    rates = RateHistory()
    assert rates.columns(60) == ([], [])
    rates.add(0.25, 5, 0)
    assert rates.columns(60) == ([20.0], [0.0])
    rates.add(0.5, 5, 5)
    assert rates.columns(60) == ([20.0, 0.0], [0.0, 20.0])
    assert RUNNING.failed_before == 0
