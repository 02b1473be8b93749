"""The summary at the end: what a person reads there."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool.engine.events import FailureCount, Snapshot, WaitTimes
from fetchpool.progress.summary import report
from tests.factories import EVEN, all_ok, snapshot


def lines(shot: Snapshot, **changes: Any) -> list[str]:
    settings: dict[str, Any] = {
        "outputs": [("sizes.txt", shot.done)],
        "workers": 10,
        "executor": "thread",
        "per_host": None,
        "interrupted": False,
    }
    return [str(line) for line in report(shot, **settings | changes)]


def advice(shot: Snapshot, **changes: Any) -> str:
    """The line that says what held the run back."""
    last = lines(shot, **changes)[-1]
    assert last.startswith("held back by: ")
    return last.removeprefix("held back by: ")


def limits(**changes: Any) -> WaitTimes:
    """Ten seconds of a run, to be spread."""
    return replace(EVEN, **changes)


def ten_seconds(**changes: Any) -> Snapshot:
    return all_ok(**{"elapsed": 10.0, "time_waiting": 80.0, "time_receiving": 10.0} | changes)


def test_a_whole_summary_says_how_many_how_big_how_long_and_where() -> None:
    shot = snapshot(
        elapsed=80.0, done=12_345, ok=12_300, total=12_345, total_exact=True, limits=limits(workers=74.4)
    )
    assert lines(shot, outputs=[("sizes.txt", 12_345), ("standard output", 12_345)]) == [
        "12,345 URLs in 1 min 20 s: 12,300 ok, 45 failed",
        "rate     154 URLs/s, 1.2 MB/s",
        "size     98.2 MB (31.0 MB on the wire); p50 1.3 kB, largest 12.3 MB",
        "time     p50 45 ms, p95 230 ms, longest 4.2 s",
        "failed   30 http_404  e.g. http://example.org/missing",
        "         10 dns       e.g. http://nowhere.example/",
        "          4 tls       e.g. https://expired.example/",
        "          1 reset     http://rude.example/",
        "retried  17 attempts",
        "wrote    12,345 rows to sizes.txt, 12,345 rows to standard output",
        "held back by: the workers (all 10 were busy 93 % of the time); more at once: -w 40",
    ]


def test_an_empty_list_says_in_words_that_there_was_nothing_to_fetch() -> None:
    shot = all_ok(done=0, elapsed=0.01, time_max=0.0)
    assert lines(shot, outputs=[("sizes.txt", 0)]) == ["nothing to fetch: there is no URL in the input"]


@pytest.mark.parametrize(
    ("done", "ok", "headline"),
    [
        (1, 1, "1 URL in 45 ms: ok"),
        (1, 0, "1 URL in 45 ms: failed"),
        (3, 3, "3 URLs in 45 ms: all ok"),
        (3, 0, "3 URLs in 45 ms: all failed"),
        (3, 2, "3 URLs in 45 ms: 2 ok, 1 failed"),
    ],
)
def test_the_headline_fits_the_number(done: int, ok: int, headline: str) -> None:
    assert lines(snapshot(done=done, ok=ok, elapsed=0.045))[0] == headline


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        (
            {"total": 100, "total_exact": True},
            "interrupted after 10 s: 60 URLs done (all ok), 40 not fetched",
        ),
        ({"total": 98_213}, "interrupted after 10 s: 60 URLs done (all ok), ~98,200 not fetched"),
        ({"total": None}, "interrupted after 10 s: 60 URLs done (all ok), the rest of the input not fetched"),
        ({"total": 60, "total_exact": True}, "interrupted after 10 s: 60 URLs done (all ok), 0 not fetched"),
        (
            {"done": 0, "ok": 0, "total": 7, "total_exact": True},
            "interrupted after 10 s: 0 URLs done, 7 not fetched",
        ),
    ],
)
def test_an_interrupted_run_says_what_it_left(changes: dict[str, Any], headline: str) -> None:
    shot = snapshot(**{"elapsed": 10.0, "done": 60, "ok": 60, "failed": ()} | changes)
    assert lines(shot, interrupted=True)[0] == headline


def test_an_interrupted_run_says_what_stopped_it_and_how_it_goes_on() -> None:
    shot = all_ok(elapsed=10.0, done=60, total=100, total_exact=True)
    said = lines(shot, interrupted=True, timed_out=True, resume="the same command with --resume")
    assert said[0] == "stopped by --max-runtime after 10 s: 60 URLs done (all ok), 40 not fetched"
    assert said[-1] == "to go on: the same command with --resume"


def test_an_interrupted_run_says_what_held_it_back_until_it_was_stopped() -> None:
    waited = limits(pauses=7.5, stopping=2.0)
    shot = snapshot(elapsed=10.0, done=0, ok=0, failed=(), retries=16, limits=waited, total=30)
    assert lines(shot, interrupted=True, timed_out=True, resume="the same command with --resume")[-2:] == [
        "held back by: hosts that asked for a pause (429, 503 or Retry-After): 93 % of the time",
        "to go on: the same command with --resume",
    ]


def test_a_run_that_was_stopped_at_once_has_nothing_to_say_of_what_held_it_back() -> None:
    shot = snapshot(elapsed=10.0, done=3, ok=3, failed=(), limits=limits(workers=0.5, stopping=9.5))
    assert not [line for line in lines(shot, interrupted=True) if line.startswith("held back by")]


def test_where_no_name_was_found_it_is_the_network_that_is_asked_about() -> None:
    kinds = (FailureCount("dns", 5, "http://a.example/"), FailureCount("timeout_dns", 2, "http://b.example/"))
    hint = "no name could be looked up: is there a network, or a proxy to name with -x?"
    assert lines(snapshot(done=7, ok=0, failed=kinds))[-1] == hint
    assert hint not in lines(snapshot(done=8, ok=1, failed=kinds))
    assert hint not in lines(snapshot(done=8, ok=0, failed=(*kinds, FailureCount("tls", 1, "http://c/"))))


def test_bodies_that_were_kept_are_counted() -> None:
    assert "kept     3 bodies in ka\\x1bpt, equal ones once" in lines(all_ok(), kept=(3, "ka\x1bpt"))


def test_a_long_example_loses_its_middle() -> None:
    url = f"http://example.org/{'x' * 500}/end"
    (said,) = [each for each in lines(snapshot(failed=(FailureCount("dns", 2, url),))) if "e.g." in each]
    shown = said.partition("e.g. ")[2]
    assert len(shown) == 100
    assert shown.startswith("http://example.org/xx")
    assert shown.endswith("xx/end")


def test_sizes_are_said_once_when_the_wire_carried_the_same() -> None:
    shot = ten_seconds(size_delivered=5_000, size_download=5_000)
    assert "size     5.0 kB; p50 1.3 kB, largest 12.3 MB" in lines(shot)


def test_a_single_url_has_no_percentiles() -> None:
    said = lines(all_ok(done=1, size_delivered=1256, size_download=1256, time_max=0.045))
    assert "size     1.3 kB" in said
    assert "time     45 ms" in said
    assert "wrote    1 row to sizes.txt" in said


def test_what_never_reached_the_network_has_no_times() -> None:
    shot = snapshot(done=1, ok=0, time_max=0.0, failed=(FailureCount("invalid_url", 1, "http://[::1"),))
    assert not [line for line in lines(shot) if line.startswith("time")]


def test_without_an_output_nothing_is_said_of_one() -> None:
    assert not [line for line in lines(all_ok(), outputs=[]) if line.startswith("wrote")]


def test_the_rarest_kinds_share_a_line() -> None:
    kinds = tuple(FailureCount(f"http_{500 + n}", 100 - n, f"http://h/{n}") for n in range(15))
    said = lines(snapshot(failed=kinds))
    assert "         261 of 3 other kinds" in said
    assert not [line for line in said if "http_512" in line]


def test_a_url_that_looks_like_markup_is_shown_as_it_is() -> None:
    shot = snapshot(failed=(FailureCount("reset", 2, "http://h/[/foo][red]"),))
    assert "failed   2 reset  e.g. http://h/[/foo][red]" in lines(shot)


def test_a_file_name_moves_no_cursor() -> None:
    assert "wrote    3 rows to a\\x1b[2J\\x0ab.txt" in lines(all_ok(), outputs=[("a\x1b[2J\nb.txt", 3)])


def test_one_worker_that_was_always_busy_is_spoken_of_as_one() -> None:
    shot = ten_seconds(limits=limits(workers=9.95))
    assert (
        advice(shot, workers=1)
        == "the workers (the one worker was busy 99 % of the time); more at once: -w 4"
    )


def test_workers_that_spend_their_time_on_bodies_point_to_the_network() -> None:
    shot = ten_seconds(
        limits=limits(workers=10.0), time_waiting=10.0, time_receiving=90.0, size_download=120_000_000
    )
    assert advice(shot) == (
        "the network or the servers (90 % of the time that fetches took went into receiving "
        "bodies, at 12.0 MB/s in all); if there is more to be had: -w 40"
    )


def test_threads_beside_a_parser_do_not_blame_the_network() -> None:
    shot = ten_seconds(limits=limits(workers=10.0), time_waiting=1.0, time_receiving=8.0)
    assert advice(shot, parses=True) == (
        "what --parse does with a page (fetching took 9 % of the workers' time); if it computes: "
        "--executor process"
    )
    assert advice(shot) == "the workers (all 10 were busy 100 % of the time); more at once: -w 40"
    found = replace(shot, workers=64, workers_reason="more brought no more")
    assert advice(found, parses=True, workers=1000).startswith("the workers (64 at once, found by -w auto")
    shot = ten_seconds(limits=limits(workers=10.0), time_waiting=10.0, time_receiving=80.0)
    for executor in ("thread", "async"):
        assert advice(shot, parses=True, executor=executor).startswith("the workers (all 10 were busy 100 %")
    assert advice(shot, parses=True, executor="process").startswith("the network or the servers")


def test_a_parser_that_uses_up_the_cpu_is_given_processes() -> None:
    shot = ten_seconds(limits=limits(workers=10.0, cpu=9.6, cores=8))
    for executor in ("thread", "async"):
        assert advice(shot, parses=True, executor=executor).endswith("--executor process uses them all")


def test_more_workers_than_one_host_may_have_take_two_flags() -> None:
    shot = ten_seconds(limits=limits(workers=10.0))
    assert advice(shot, per_host=10) == (
        "the workers (all 10 were busy 100 % of the time); more at once: -w 40 "
        "(if most is on one host: --per-host 40 too)"
    )
    assert advice(shot, per_host=40).endswith("more at once: -w 40")


def test_workers_for_whom_there_are_too_few_open_files_are_not_told_to_be_more() -> None:
    shot = ten_seconds(limits=limits(workers=9.95), workers=1)
    assert advice(shot, workers=1, fd_limited=True) == (
        "the limit of open files (it leaves room for 1 worker, busy 99 % of the time); "
        "to raise it: ulimit -Hn"
    )
    found = replace(shot, workers=40, workers_reason="the ceiling (--max-workers)")
    assert advice(found, workers=40, fd_limited=True).startswith(
        "the limit of open files (it leaves room for 40"
    )
    found = replace(shot, workers=16, workers_reason="more brought no more")
    assert advice(found, workers=40, fd_limited=True).startswith("the workers (16 at once, found by -w auto")


def test_processes_of_auto_are_as_many_as_cores_and_no_flag_of_workers_makes_them_more() -> None:
    shot = ten_seconds(limits=limits(workers=9.95), time_waiting=15.0, time_receiving=1.0)
    assert advice(shot, executor="process", workers=2, auto=True) == (
        "the workers (all 2 were busy 99 % of the time); more at once: --executor async "
        "(one process for each core is all of -w auto)"
    )
    assert advice(shot, executor="process", workers=1, auto=True).endswith("more at once: --max-workers 2")


def test_a_limit_per_host_names_its_flag() -> None:
    shot = ten_seconds(limits=limits(turns=8.0, workers=1.0))
    assert advice(shot, per_host=2) == (
        "the limit of 2 at once per host (80 % of the time workers were free but every host had its share); "
        "if the hosts can take it: --per-host 4"
    )


def test_dead_hosts_are_not_to_be_asked_for_more_at_once() -> None:
    shot = ten_seconds(limits=limits(retries=8.0, turns=1.0), retries=3)
    assert advice(shot, per_host=2) == (
        "waits before what failed is tried again: 80 % of the time; --retry 0 gives up at once"
    )


def test_without_a_retry_nobody_is_told_to_leave_retries_out() -> None:
    shot = ten_seconds(limits=limits(retries=8.0))
    assert advice(shot) == "waits before what failed is tried again: 80 % of the time"


def test_hosts_that_asked_for_a_pause_are_said_to_have_asked_and_how() -> None:
    shot = ten_seconds(limits=limits(pauses=8.0), retries=3)
    assert advice(shot, per_host=2, robots=True) == (
        "hosts that asked for a pause (429, 503 or Retry-After): 80 % of the time"
    )
    shot = ten_seconds(limits=limits(pace=8.0))
    assert advice(shot, per_host=2, robots=True) == (
        "hosts that asked for a pause (their robots.txt's Crawl-delay): 80 % of the time"
    )


def test_a_pace_that_was_asked_for_names_its_flags_and_is_not_blamed_for_a_hosts_pauses() -> None:
    shot = ten_seconds(limits=limits(pace=8.0))
    assert advice(shot, paced=True) == (
        "the pace that was asked for (80 % of the time); --rate and --host-delay set it"
    )
    shot = ten_seconds(limits=limits(pace=2.0, pauses=6.0))
    assert advice(shot, paced=True).startswith("hosts that asked for a pause (429, 503 or Retry-After): 60 %")


def test_what_hosts_are_waited_for_is_compared_with_the_rest_as_a_whole() -> None:
    shot = ten_seconds(limits=limits(workers=4.0, turns=1.0, pauses=2.0, retries=3.0), retries=3)
    assert advice(shot, per_host=2).startswith("waits before what failed is tried again: 30 % of the time")


def test_a_slow_pipe_is_the_input() -> None:
    shot = ten_seconds(limits=limits(source=9.0))
    assert advice(shot) == "the input (for 90 % of the time the workers waited for it to say more)"


def test_a_short_list_is_held_back_by_its_slowest_answers() -> None:
    shot = ten_seconds(limits=limits(ending=9.0), time_max=1.2)
    assert advice(shot) == (
        "the slowest answers (for 90 % of the time only the last few were awaited; the longest took 1.2 s)"
    )


def test_a_long_last_answer_names_the_flag_that_cuts_it_short() -> None:
    shot = ten_seconds(limits=limits(ending=9.0), time_p95=2.0, time_max=9.0)
    assert advice(shot).endswith("the longest took 9.0 s); to give up sooner: --max-time 4s")


@pytest.mark.parametrize(
    ("p95", "max_time"),
    [
        (6.0, 300.0),  # twice that is longer than the longest answer: it would cut nothing short
        (2.0, 4.0),  # they are cut there already
    ],
)
def test_a_flag_that_would_change_nothing_is_not_named(p95: float, max_time: float) -> None:
    shot = ten_seconds(limits=limits(ending=9.0), time_p95=p95, time_max=9.0)
    assert advice(shot, max_time=max_time).endswith("the longest took 9.0 s)")


def test_processes_that_hardly_fetch_are_not_multiplied() -> None:
    shot = ten_seconds(limits=limits(workers=10.0), time_waiting=2.0, time_receiving=1.0)
    assert advice(shot, executor="process") == (
        "starting the processes, handing over to them and what they do with a page "
        "(fetching took 3 % of their time)"
    )


def test_what_was_in_flight_when_a_run_was_aborted_is_not_missed_in_its_fetching() -> None:
    shot = ten_seconds(limits=limits(workers=10.0), time_waiting=2.0, time_receiving=1.0)
    for executor in ("thread", "process"):
        said = lines(shot, executor=executor, parses=True, interrupted=True, aborted=True)[-1]
        assert said.startswith("held back by: the workers (all 10 were busy 100 % of the time)")


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_nobody_is_told_to_add_workers_to_a_core_that_is_nearly_full(executor: str) -> None:
    shot = ten_seconds(limits=limits(workers=10.0, cpu=7.5))
    assert advice(shot, executor=executor).startswith("this machine's CPU (0.8 of 2 cores busy")
    assert "-w" not in advice(shot, executor=executor)


@pytest.mark.parametrize(
    ("executor", "cpu", "cores", "said"),
    [
        (
            "thread",
            9.6,
            8,
            "this machine's CPU (1.0 of 8 cores busy; threads share one for Python); "
            "--executor async needs half as much for a URL",
        ),
        ("thread", 19.0, 2, "this machine's CPU (all its 2 cores were busy 95 % of the time)"),
        ("thread", 9.5, 1, "this machine's CPU (its one core was busy 95 % of the time)"),
        ("process", 19.0, 2, "this machine's CPU (all its 2 cores were busy 95 % of the time)"),
        ("process", 9.5, 2, "the workers (all 10 were busy 100 % of the time); more at once: -w 40"),
        ("thread", 5.0, 2, "the workers (all 10 were busy 100 % of the time); more at once: -w 40"),
    ],
)
def test_a_cpu_that_is_used_up_comes_before_all_else(
    executor: str, cpu: float, cores: int, said: str
) -> None:
    shot = ten_seconds(limits=limits(workers=10.0, cpu=cpu, cores=cores))
    assert advice(shot, executor=executor) == said


def test_a_run_too_short_to_measure_is_summed_up_without_a_division_by_nothing() -> None:
    said = lines(all_ok(elapsed=0.0, limits=limits(cpu=0.0)))
    assert said[0] == "100 URLs in 0 s: all ok"
    assert "rate     too quick to say" in said


def test_a_run_of_a_moment_needs_no_advice() -> None:
    shot = ten_seconds(elapsed=0.2, limits=limits(cpu=0.2))
    assert lines(shot)[-1] == "wrote    100 rows to sizes.txt"
