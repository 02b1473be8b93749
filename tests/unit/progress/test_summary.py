"""The summary at the end of a run, and its advice."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool.config.outputs import Output
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.engine import RunResult
from fetchpool.engine.events import FailureCount, Snapshot, WaitTimes
from fetchpool.model.steering import Settings
from fetchpool.progress.summary import summary
from tests.factories import EVEN, all_ok, snapshot

CONFIG = RunConfig(outputs=(Output("sizes.txt", "text"),), per_host=None)
ENDINGS = {"interrupted": False, "aborted": False, "stopped_by": "", "steered_by": ""}
FETCH = ("limit_rate", "max_time", "parse", "save", "transport")


def lines(
    shot: Snapshot,
    *,
    resume: str = "",
    again: str = "",
    saved: int = 0,
    rows: tuple[int, ...] | None = None,
    **changes: Any,
) -> list[str]:
    """`changes`: how the run ended, and fields of the configuration."""
    ending = {name: changes.pop(name, value) for name, value in ENDINGS.items()}
    fetch = replace(CONFIG.fetch, **{name: changes.pop(name) for name in FETCH if name in changes})
    config = replace(CONFIG, fetch=fetch, **changes)
    rows = (shot.done,) * len(config.outputs) if rows is None else rows
    result = RunResult(shot, input_failure=None, rows=rows, **ending)
    return [str(line) for line in summary(result, config, resume=resume, again=again, saved=saved)]


def advice(shot: Snapshot, **changes: Any) -> str:
    """The text after "bottleneck: "."""
    last = lines(shot, **changes)[-1]
    assert last.startswith("bottleneck: ")
    return last.removeprefix("bottleneck: ")


def limits(**changes: Any) -> WaitTimes:
    """Ten seconds of a run, to be spread."""
    return replace(EVEN, **changes)


def ten_seconds(**changes: Any) -> Snapshot:
    return all_ok(
        **{"elapsed": 10.0, "time_waiting": 80.0, "time_receiving": 10.0, "time_max": 0.3} | changes
    )


def test_a_full_summary_has_counts_sizes_times_failures_and_outputs() -> None:
    shot = snapshot(
        elapsed=80.0, done=12_345, ok=12_300, total=12_345, total_exact=True, wait_times=limits(workers=74.4)
    )
    assert lines(shot, outputs=(Output("sizes.txt", "text"), Output("-", "jsonl"))) == [
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
        "bottleneck: workers (all 10 busy 93 % of the time); try -w 40 (about 2.9 times as fast)",
    ]


def test_workers_that_crashed_have_a_line() -> None:
    one, two = all_ok(workers_lost=1, attempts_lost=1), all_ok(workers_lost=2, attempts_lost=1200)
    assert "lost     1 worker; 1 fetch restarted" in lines(one)
    assert "lost     2 workers; 1,200 fetches restarted" in lines(two)
    assert not [each for each in lines(all_ok()) if each.startswith("lost")]


def test_an_empty_list_has_nothing_to_fetch() -> None:
    shot = all_ok(done=0, elapsed=0.01, time_max=0.0)
    assert lines(shot) == ["nothing to fetch: the input contains no URLs"]


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
def test_the_headline_agrees_with_the_number_of_urls(done: int, ok: int, headline: str) -> None:
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
def test_an_interrupted_run_reports_what_was_not_fetched(changes: dict[str, Any], headline: str) -> None:
    shot = snapshot(**{"elapsed": 10.0, "done": 60, "ok": 60, "failed": ()} | changes)
    assert lines(shot, interrupted=True)[0] == headline


def test_an_interrupted_run_reports_why_it_stopped_and_how_to_continue() -> None:
    shot = all_ok(elapsed=10.0, done=60, total=100, total_exact=True)
    said = lines(
        shot, interrupted=True, stopped_by="--max-runtime", resume="run the same command with --resume"
    )
    assert said[0] == "stopped by --max-runtime after 10 s: 60 URLs done (all ok), 40 not fetched"
    assert said[-1] == "to continue: run the same command with --resume"


@pytest.mark.parametrize(("aborted", "how"), [(False, "stopped"), (True, "aborted")])
def test_a_run_that_was_stopped_by_a_command_names_who_asked(aborted: bool, how: str) -> None:
    shot = all_ok(elapsed=10.0, done=60, total=100, total_exact=True)
    said = lines(shot, interrupted=True, aborted=aborted, steered_by="from the web page")
    assert said[0] == f"{how} from the web page after 10 s: 60 URLs done (all ok), 40 not fetched"


def test_pauses_have_a_line_and_are_in_no_rate_and_no_bottleneck() -> None:
    waited = limits(workers=9.0, paused=90.0)
    shot = all_ok(elapsed=100.0, time_paused=90.0, done=1000, wait_times=waited)
    said = lines(shot)
    assert "rate     100 URLs/s, 9.8 MB/s" in said
    assert "paused   1 min 30 s" in said
    assert said[-1].startswith("bottleneck: workers (all 10 busy 90 % of the time)")


@pytest.mark.parametrize(
    ("changes", "has_bottleneck"),
    [({}, True), ({"workers": 40}, False), ({"workers": "auto"}, False), ({"rate": 5.0}, False)],
)
def test_a_run_whose_settings_were_changed_has_no_bottleneck(changes: Any, has_bottleneck: bool) -> None:
    settings = replace(Settings(workers=10, ceiling=100, rate=None, per_host=None), **changes)
    shot = all_ok(elapsed=10.0, done=1000, wait_times=limits(workers=9.0), settings=settings)
    assert has_bottleneck == any(line.startswith("bottleneck: workers (all 10 busy") for line in lines(shot))


def test_the_bottleneck_of_an_interrupted_run_is_measured_until_it_was_stopped() -> None:
    waited = limits(backoff=7.5, stopping=2.0)
    shot = snapshot(elapsed=10.0, done=0, ok=0, failed=(), retries=16, wait_times=waited, total=30)
    shown = lines(
        shot, interrupted=True, stopped_by="--max-runtime", resume="run the same command with --resume"
    )
    assert shown[-2:] == [
        "bottleneck: server backoff: 429, 503 or Retry-After (93 % of the time)",
        "to continue: run the same command with --resume",
    ]


def test_a_run_that_was_stopped_at_once_has_no_bottleneck() -> None:
    shot = snapshot(elapsed=10.0, done=3, ok=3, failed=(), wait_times=limits(workers=0.5, stopping=9.5))
    assert not [line for line in lines(shot, interrupted=True) if line.startswith("bottleneck")]


def test_if_all_lookups_failed_the_summary_suggests_checking_the_network() -> None:
    kinds = (
        FailureCount("dns", 5, ("http://a.example/",)),
        FailureCount("timeout_dns", 2, ("http://b.example/",)),
    )
    hint = "all DNS lookups failed: check the network, or set a proxy with -x"
    assert lines(snapshot(done=7, ok=0, failed=kinds))[-1] == hint
    assert hint not in lines(snapshot(done=8, ok=1, failed=kinds))
    assert hint not in lines(snapshot(done=8, ok=0, failed=(*kinds, FailureCount("tls", 1, ("http://c/",)))))


def test_failures_end_with_the_command_that_tries_them_again() -> None:
    again = "fetchpool urls.txt --retry-failed all"
    assert lines(snapshot(), again=again)[-1] == f"to retry the failures: {again}"
    assert again not in str(lines(all_ok(), again=again))
    invalid = snapshot(failed=(FailureCount("invalid_url", 3, ("http://[",)),))
    assert again not in str(lines(invalid, again=again))


def test_saved_bodies_are_counted() -> None:
    assert "saved    3 bodies to ka\\x1bpt (deduplicated)" in lines(all_ok(), saved=3, save="ka\x1bpt")


def test_an_empty_url_has_a_name_in_the_summary() -> None:
    shot = snapshot(failed=(FailureCount("invalid_url", 1, ("",)),))
    assert "failed   1 invalid_url  (empty URL)" in lines(shot)


def test_a_long_example_loses_its_middle() -> None:
    url = f"http://example.org/{'x' * 500}/end"
    (said,) = [each for each in lines(snapshot(failed=(FailureCount("dns", 2, (url,)),))) if "e.g." in each]
    shown = said.partition("e.g. ")[2]
    assert len(shown) == 100
    assert shown.startswith("http://example.org/xx")
    assert shown.endswith("xx/end")


def test_the_size_on_the_wire_is_left_out_if_it_is_the_same() -> None:
    shot = ten_seconds(size_delivered=5_000, size_download=5_000)
    assert "size     5.0 kB; p50 1.3 kB, largest 12.3 MB" in lines(shot)


def test_a_single_url_has_no_percentiles() -> None:
    said = lines(all_ok(done=1, size_delivered=1256, size_download=1256, time_max=0.045))
    assert "size     1.3 kB" in said
    assert "time     45 ms" in said
    assert "wrote    1 row to sizes.txt" in said


def test_a_run_that_never_reached_the_network_has_no_times() -> None:
    shot = snapshot(done=1, ok=0, time_max=0.0, failed=(FailureCount("invalid_url", 1, ("http://[::1",)),))
    assert not [line for line in lines(shot) if line.startswith("time")]


def test_without_an_output_there_is_no_line_for_rows() -> None:
    assert not [line for line in lines(all_ok(), outputs=()) if line.startswith("wrote")]


def test_the_rarest_kinds_share_a_line() -> None:
    kinds = tuple(FailureCount(f"http_{500 + n}", 100 - n, (f"http://h/{n}",)) for n in range(15))
    said = lines(snapshot(failed=kinds))
    assert "         261 of 3 other kinds" in said
    assert not [line for line in said if "http_512" in line]


def test_a_url_that_looks_like_markup_is_shown_as_it_is() -> None:
    shot = snapshot(failed=(FailureCount("reset", 2, ("http://h/[/foo][red]",)),))
    assert "failed   2 reset  e.g. http://h/[/foo][red]" in lines(shot)


def test_a_file_name_moves_no_cursor() -> None:
    outputs = (Output("a\x1b[2J\nb.txt", "text"),)
    assert "wrote    3 rows to a\\x1b[2J\\x0ab.txt" in lines(all_ok(), outputs=outputs, rows=(3,))


def test_a_single_busy_worker_is_called_the_only_one() -> None:
    shot = ten_seconds(wait_times=limits(workers=9.95))
    assert (
        advice(shot, workers=1)
        == "workers (the only one busy 99 % of the time); try -w 4 (about 3.1 times as fast)"
    )


def test_workers_that_spend_their_time_on_bodies_point_to_the_network() -> None:
    shot = ten_seconds(
        wait_times=limits(workers=10.0), time_waiting=10.0, time_receiving=90.0, size_download=120_000_000
    )
    assert advice(shot) == (
        "network or servers (90 % of the fetch time was spent receiving bodies, at 12.0 MB/s in total)"
    )


def test_far_servers_get_more_workers_although_receiving_takes_longest() -> None:
    shot = ten_seconds(
        wait_times=limits(workers=10.0), time_waiting=25.0, time_receiving=70.0, size_download=10_000_000
    )
    assert advice(shot).endswith("at 1.0 MB/s in total); try -w 40 (about 2.6 times as fast)")


def test_threads_with_a_parser_do_not_blame_the_network() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), time_waiting=1.0, time_receiving=8.0)
    assert advice(shot, parse=("title",)) == (
        "--parse (workers spent 9 % of the time fetching); try -w 40 (about 2.6 times as fast)"
    )
    assert advice(shot).startswith("workers (all 10 busy 100 % of the time); try -w 40")
    found = replace(shot, workers=64, workers_reason="more were no faster")
    assert advice(found, parse=("title",), workers=1000).startswith("workers (64, chosen by -w auto")
    shot = ten_seconds(wait_times=limits(workers=10.0), time_waiting=10.0, time_receiving=80.0)
    for executor in ("thread", "async"):
        assert advice(shot, parse=("title",), executor=executor).startswith("workers (all 10 busy 100 %")
    assert advice(shot, parse=("title",), executor="process").startswith("network or servers")


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_a_busy_core_gets_the_process_executor_suggested_if_others_are_idle(executor: str) -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0, cpu=9.6, cores=8, idle=60.0))
    assert advice(shot, parse=("title",), executor=executor) == (
        "CPU (1.0 of 8 cores busy; threads share one core for Python code); try --executor process "
        "(about 4.1 times as fast)"
    )
    for idle in (0.0, None):
        busy = ten_seconds(wait_times=limits(workers=10.0, cpu=9.6, cores=8, idle=idle))
        assert advice(busy, executor=executor).endswith("Python code)")


def test_more_workers_than_the_per_host_limit_take_two_options() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0))
    assert "; try -w 40 --per-host 40 (" in advice(shot, per_host=10)
    assert "; try -w 40 --per-host 20 (" in advice(replace(shot, hosts_at_once=2), per_host=10)
    assert "; try -w 40 (" in advice(shot, per_host=40)
    assert "; try -w 40 (" in advice(replace(shot, hosts_at_once=4), per_host=10)


def test_many_threads_get_the_async_executor_suggested() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), done=10_000)
    assert "; try --executor async -w 200 (" in advice(shot, workers=50)
    assert "; try -w 64 (" in advice(shot, workers=16)
    assert "; try -w 200 (" in advice(shot, workers=50, executor="async")
    assert "; try -w 200 (" in advice(shot, workers=50, transport="requests")


def test_more_workers_than_urls_are_not_suggested() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), done=25)
    assert "; try -w 25 (" in advice(shot)
    assert "try" not in advice(ten_seconds(wait_times=limits(workers=10.0), done=10))


def test_timeouts_that_took_most_of_the_time_get_a_shorter_one_suggested() -> None:
    shot = ten_seconds(
        elapsed=65.0,
        wait_times=limits(workers=60.0, retries=5.0),
        time_waiting=600.0,
        time_in_timeouts=(("timeout_connect", 10.0), ("timeout_read", 580.0)),
        time_longest_response=0.7,
    )
    assert advice(shot) == (
        "hosts that did not respond, until each attempt timed out; try --read-timeout 2s "
        "(about 4.7 times as fast)"
    )
    slow = replace(shot, time_longest_response=29.0)
    assert advice(slow).startswith("workers")


def test_workers_limited_by_open_files_get_no_advice_to_add_workers() -> None:
    shot = ten_seconds(wait_times=limits(workers=9.95), workers=1)
    assert advice(shot, workers=1, fd_limited=True) == (
        "limit of open files (allows 1 worker, busy 99 % of the time); to raise it: ulimit -Hn"
    )
    found = replace(shot, workers=40, workers_reason="the limit set by --max-workers")
    assert advice(found, workers=40, fd_limited=True).startswith("limit of open files (allows 40 workers")
    found = replace(shot, workers=16, workers_reason="more were no faster")
    assert advice(found, workers=40, fd_limited=True).startswith("workers (16, chosen by -w auto")


def test_a_limit_rate_that_is_reached_is_the_bottleneck_and_more_workers_are_not_suggested() -> None:
    for waits in (limits(workers=10.0), limits(ending=9.0), limits(host_limit=9.0)):
        shot = ten_seconds(wait_times=waits, size_download=900_000)
        assert advice(shot, limit_rate=100_000) == (
            "--limit-rate 100000 (bodies were received at 90.0 kB/s in total)"
        )


def test_no_more_is_promised_than_the_limit_rate_allows() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), size_download=500_000)
    assert advice(shot).endswith("try -w 40 (about 2.6 times as fast)")
    assert advice(shot, limit_rate=100_000).endswith("try -w 40 (about 1.7 times as fast)")
    assert advice(shot, limit_rate=65_000) == "workers (all 10 busy 100 % of the time)"


def test_a_per_host_limit_names_its_option() -> None:
    shot = ten_seconds(wait_times=limits(host_limit=8.0, workers=1.0))
    assert advice(shot, per_host=2) == (
        "--per-host 2 (all hosts at their limit 80 % of the time); try --per-host 4 (about 1.4 times as fast)"
    )


def test_retry_delays_do_not_suggest_a_higher_per_host_limit() -> None:
    shot = ten_seconds(wait_times=limits(retries=8.0, host_limit=1.0), retries=3)
    assert advice(shot, per_host=2) == (
        "delays between attempts (80 % of the time); try --retry 0 (about 4.3 times as fast)"
    )


def test_a_proxy_that_was_down_is_the_bottleneck() -> None:
    shot = ten_seconds(wait_times=limits(proxy=8.0), retries=3)
    assert advice(shot) == "the proxy, which did not respond (80 % of the time)"


def test_without_a_retry_turning_retries_off_is_not_suggested() -> None:
    shot = ten_seconds(wait_times=limits(retries=8.0))
    assert advice(shot) == "hosts that did not respond (80 % of the time)"


def test_server_backoff_and_crawl_delay_are_distinguished() -> None:
    shot = ten_seconds(wait_times=limits(backoff=8.0), retries=3)
    assert advice(shot, per_host=2, robots=True) == (
        "server backoff: 429, 503 or Retry-After (80 % of the time)"
    )
    shot = ten_seconds(wait_times=limits(rate_limit=8.0))
    assert advice(shot, per_host=2, robots=True) == ("Crawl-delay in robots.txt (80 % of the time)")


def test_a_rate_limit_names_its_options_and_is_not_blamed_for_server_backoff() -> None:
    shot = ten_seconds(wait_times=limits(rate_limit=8.0))
    assert advice(shot, rate=1.0) == ("--rate (80 % of the time)")
    shot = ten_seconds(wait_times=limits(rate_limit=2.0, backoff=6.0))
    assert advice(shot, rate=1.0).startswith("server backoff: 429, 503 or Retry-After (60 %")


def test_all_waits_for_hosts_together_are_compared_with_the_other_waits() -> None:
    shot = ten_seconds(wait_times=limits(workers=4.0, host_limit=1.0, backoff=2.0, retries=3.0), retries=3)
    assert advice(shot, per_host=2).startswith("delays between attempts (30 % of the time)")


def test_a_slow_reader_of_the_rows_is_named() -> None:
    said = advice(ten_seconds(wait_times=limits(output=8.0, workers=1.0)))
    assert said == "the reader of standard output (rows waited for it 80 % of the time)"


def test_a_slow_pipe_is_the_input() -> None:
    shot = ten_seconds(wait_times=limits(source=9.0))
    assert advice(shot) == "input (workers were idle 90 % of the time)"


def test_the_bottleneck_of_a_short_list_is_its_slowest_responses() -> None:
    shot = ten_seconds(wait_times=limits(ending=9.0), time_max=1.2, done=10)
    assert advice(shot) == (
        "slowest responses (only the last few in flight 90 % of the time, the longest took 1.2 s)"
    )


def test_a_long_last_response_names_the_option_that_limits_it() -> None:
    shot = ten_seconds(wait_times=limits(ending=9.0), time_p95=2.0, time_max=9.0)
    assert advice(shot).endswith(
        "the longest took 9.0 s); try --max-time 4s --retry 0 (about 1.7 times as fast)"
    )
    assert "; try --max-time 1s (" in advice(replace(shot, time_p95=0.2), retry=0)


@pytest.mark.parametrize(
    ("p95", "max_time"),
    [
        (6.0, 300.0),  # twice that is longer than the longest answer: it would cut nothing short
        (2.0, 4.0),  # they are cut there already
    ],
)
def test_an_option_that_would_change_nothing_is_not_named(p95: float, max_time: float) -> None:
    shot = ten_seconds(wait_times=limits(ending=9.0), time_p95=p95, time_max=9.0)
    assert advice(shot, max_time=max_time).endswith("the longest took 9.0 s)")


def test_processes_that_hardly_fetch_are_not_multiplied() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), time_waiting=2.0, time_receiving=1.0)
    assert advice(shot, executor="process") == (
        "process start, communication and parsing (workers spent 3 % of the time fetching)"
    )


def test_an_aborted_run_does_not_blame_the_parser_for_cancelled_requests() -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0), time_waiting=2.0, time_receiving=1.0)
    for executor in ("thread", "process"):
        said = lines(shot, executor=executor, parse=("title",), interrupted=True, aborted=True)[-1]
        assert said.startswith("bottleneck: workers (all 10 busy 100 % of the time)")


@pytest.mark.parametrize("executor", ["thread", "async"])
def test_a_nearly_busy_core_gets_no_advice_to_add_workers(executor: str) -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0, cpu=7.5))
    assert advice(shot, executor=executor).startswith("CPU (0.8 of 2 cores busy")
    assert "-w" not in advice(shot, executor=executor)


@pytest.mark.parametrize(
    ("executor", "cpu", "cores", "said"),
    [
        (
            "thread",
            9.6,
            8,
            "CPU (1.0 of 8 cores busy; threads share one core for Python code)",
        ),
        ("thread", 19.0, 2, "CPU (all 2 cores busy 95 % of the time)"),
        ("thread", 9.5, 1, "CPU (the only core busy 95 % of the time)"),
        ("process", 19.0, 2, "CPU (all 2 cores busy 95 % of the time)"),
        ("process", 9.5, 2, "workers (all 10 busy 100 % of the time); try -w 40 (about 1.5 times as fast)"),
        ("thread", 5.0, 2, "workers (all 10 busy 100 % of the time)"),
    ],
)
def test_a_busy_cpu_comes_before_everything_else(executor: str, cpu: float, cores: int, said: str) -> None:
    shot = ten_seconds(wait_times=limits(workers=10.0, cpu=cpu, cores=cores))
    assert advice(shot, executor=executor) == said


@pytest.mark.parametrize(
    ("cpu", "stations_cpu", "said"),
    [
        (
            9.6,
            10.0,
            "CPU of this process (busy 96 % of the time); several of them can divide the list: --shard",
        ),
        (2.0, 38.0, "CPU of the cluster's workers (busy 95 % of the time); more of them are faster"),
        (7.5, 20.0, "workers (all 10 busy 100 % of the time)"),
    ],
)
def test_on_a_cluster_the_cpu_of_the_driver_and_that_of_the_workers_are_looked_at(
    cpu: float, stations_cpu: float, said: str
) -> None:
    """And no other executor is suggested, however idle this machine is."""
    waits = limits(workers=10.0, cpu=cpu, cores=8, idle=60.0, stations=40.0, stations_cpu=stations_cpu)
    assert advice(ten_seconds(wait_times=waits), executor="cluster").startswith(said)
    assert "--executor" not in advice(ten_seconds(wait_times=waits), executor="cluster")


def test_a_run_too_short_to_measure_has_a_summary_without_a_rate() -> None:
    said = lines(all_ok(elapsed=0.0, wait_times=limits(cpu=0.0)))
    assert said[0] == "100 URLs in 0 s: all ok"
    assert "rate     too short to measure" in said


def test_a_very_short_run_gets_no_advice() -> None:
    shot = ten_seconds(elapsed=0.2, wait_times=limits(cpu=0.2))
    assert lines(shot)[-1] == "wrote    100 rows to sizes.txt"
