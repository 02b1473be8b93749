"""What is written where there is no terminal, and how it is kept from holding up the run."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fetchpool.engine.events import ActiveRequest, Notice, RetryScheduled, Snapshot
from fetchpool.model.record import Record
from fetchpool.model.steering import State
from fetchpool.progress.background_writer import BackgroundWriter, unbuffered
from fetchpool.progress.log import MAX_PENDING, Log
from fetchpool.progress.messages import progress_line, share_done, wait_text
from fetchpool.scheduler.waits import Wait, WaitReason
from tests.factories import all_ok, record, snapshot

WAIT = 10
"""Seconds that a test waits for another thread."""


def logged(
    *samples: Snapshot,
    events: Sequence[RetryScheduled | Notice] = (),
    records: Sequence[Record] = (),
    verbose: bool = False,
) -> list[str]:
    """The lines of a complete run."""
    stream = io.StringIO()
    with Log(stream, verbose=verbose, time=lambda: "12:03:45") as log:
        log.on_start(snapshot(elapsed=0.0))
        for event in events:
            log.on_event(event)
        log.on_records(list(records))
        for sample in samples:
            log.on_snapshot(sample)
        log.on_finish(snapshot())
    return stream.getvalue().splitlines()


def test_a_line_has_progress_rate_and_remaining_time() -> None:
    assert logged(snapshot()) == [
        "fetchpool: 12:03:45 33,402 of ~98,200 done (34 %), 33,357 ok, 45 failed, 17 retries, "
        "1,234 URLs/s, 5.6 MB/s, 10 in flight, 212 waiting, 52 s left"
    ]


def test_a_pipe_has_counts_and_neither_share_nor_time_left() -> None:
    line = str(progress_line(all_ok(done=7, total=None, total_exact=False, eta=None, delayed=0)))
    assert line == "7 done, 7 ok, 0 failed, 1,234 URLs/s, 5.6 MB/s, 10 in flight"


def test_the_line_of_a_stopping_run_is_marked() -> None:
    assert str(progress_line(snapshot(state=State.STOPPING))).endswith("10 in flight, 212 waiting, stopping")


def test_an_estimate_never_reaches_a_hundred_percent() -> None:
    assert share_done(snapshot(done=100, total=98)) == 0.99
    assert share_done(snapshot(done=98, total=98, total_exact=True)) == 1.0
    assert share_done(snapshot(done=0, total=0, total_exact=True)) == 1.0


def test_lines_come_after_5_seconds_15_seconds_a_minute_and_then_every_5_minutes() -> None:
    lines = logged(*(all_ok(elapsed=n / 4, done=n, total=9999) for n in range(4 * 1000)))
    seconds = [int(line.split()[2].replace(",", "")) / 4 for line in lines]
    assert seconds == [5, 20, 80, 380, 680, 980]


PAUSE = Wait(WaitReason.PAUSE, 60, 118.0, host="example.org", hosts=1, status=429)


def test_a_long_wait_is_explained_with_its_host_reason_and_time() -> None:
    assert "60 waiting: example.org asked for a pause (429), again in 1:58, 52 s left" in str(
        progress_line(snapshot(wait=PAUSE))
    )


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        (replace(PAUSE, hosts=3), "example.org and 2 other hosts asked for a pause (429), again in 1:58"),
        (
            replace(PAUSE, reason=WaitReason.BACKOFF, status=503),
            "example.org is overloaded (503), again in 1:58",
        ),
        (
            replace(PAUSE, reason=WaitReason.NO_RESPONSE, status=0, seconds=4.1),
            "example.org does not respond, again in 0:05",
        ),
        (replace(PAUSE, reason=WaitReason.RETRY, host="", hosts=0, status=0), "next retry in 1:58"),
        (
            replace(PAUSE, reason=WaitReason.DELAY, status=0, seconds=3600.0),
            "delay between requests to example.org, next in 1:00:00",
        ),
        (
            replace(PAUSE, reason=WaitReason.PROXY, host="", hosts=0, status=0),
            "the proxy does not respond, again in 1:58",
        ),
        (replace(PAUSE, reason=WaitReason.DNS, status=0, seconds=4.1), "DNS lookup of example.org, for 0:05"),
        (
            replace(PAUSE, reason=WaitReason.ROBOTS, status=0, hosts=2, seconds=61.0),
            "robots.txt of example.org and 1 other host, for 1:01",
        ),
    ],
)
def test_every_reason_to_wait_is_explained(wait: Wait, text: str) -> None:
    assert wait_text(snapshot(wait=wait)) == f"60 waiting: {text}"


def test_a_short_wait_is_only_counted() -> None:
    assert "212 waiting, 52 s left" in str(progress_line(snapshot(wait=replace(PAUSE, seconds=1.9))))


def test_the_last_requests_have_a_limit_and_no_estimate() -> None:
    shot = snapshot(in_flight=3, last_within=270.0, delayed=0)
    assert str(progress_line(shot)).endswith("3 in flight, waiting for the last 3 (up to 4:30)")


def test_a_wait_that_begins_is_explained_before_the_next_line_is_due() -> None:
    calm = [all_ok(elapsed=n / 4, total=9999) for n in range(100)]
    paused = [all_ok(elapsed=n / 4, total=9999, wait=PAUSE) for n in range(100, 200)]
    lines = logged(*calm, *paused)
    assert ["asked for a pause" in line for line in lines] == [False, False, True]


def test_slow_requests_are_listed_when_nothing_completes() -> None:
    slowest = (ActiveRequest("http://stuck.example/[/a]", 42.0), ActiveRequest("http://young.example/", 1.0))
    assert logged(snapshot(urls_per_second=0.0, slowest=slowest))[1:] == [
        "fetchpool: in flight for 42 s: http://stuck.example/[/a]"
    ]
    assert len(logged(snapshot(slowest=slowest))) == 1


def test_verbose_has_a_line_for_each_failure_and_each_retry() -> None:
    failed = record(error="http_404", errormsg="404 Not Found", num_retries=0)
    late = record(error="timeout_read", errormsg="no byte for 30 s", num_retries=2)
    bare = record(error="dns", errormsg=None, num_retries=1)
    lines = logged(events=[RetryScheduled(late, 1.25)], records=[record(), failed, late, bare], verbose=True)
    assert lines == [
        "fetchpool: retry timeout_read http://example.org/0: no byte for 30 s (retrying in 1.2 s)",
        "fetchpool: failed http_404 http://example.org/0: 404 Not Found",
        "fetchpool: failed timeout_read http://example.org/0: no byte for 30 s (after 2 retries)",
        "fetchpool: failed dns http://example.org/0 (after 1 retry)",
    ]


def test_without_verbose_only_notices_are_shown() -> None:
    failed = record(error="dns")
    events = [RetryScheduled(failed, 1.0), Notice("a worker was lost")]
    assert logged(events=events, records=[failed]) == ["fetchpool: a worker was lost"]


def test_a_hostile_row_stays_one_visible_line() -> None:
    hostile = record(error="reset", url="http://h/\x1b[2J\u202egnp\n[/foo]", errormsg="a\r\nb\x9b31m")
    assert logged(records=[hostile], verbose=True) == [
        "fetchpool: failed reset http://h/\\x1b[2J\\u202egnp\\x0a[/foo]: a\\x0d\\x0ab\\x9b31m"
    ]


def test_a_reader_that_stops_reading_does_not_stop_the_run() -> None:
    read_end, write_end = os.pipe()
    shown: list[str] = []

    def read_all() -> None:
        with os.fdopen(read_end, encoding="utf-8") as reader:
            shown.extend(reader)

    reading = threading.Thread(target=read_all)
    failures = [record(error="dns", url=f"http://h/{n}") for n in range(MAX_PENDING + 5000)]
    with os.fdopen(write_end, "w", encoding="utf-8") as stream, Log(stream, verbose=True) as log:
        log.on_start(snapshot())
        log.on_records(failures)  # far more than a pipe holds: this comes back all the same
        reading.start()
        log.on_finish(snapshot())
    reading.join(WAIT)
    written = [line for line in shown if "failed dns" in line]
    dropped = sum(
        int(line.split("(")[1].split()[0].replace(",", "")) for line in shown if "not shown" in line
    )
    assert len(written) >= MAX_PENDING
    assert len(written) + dropped == len(failures)


def test_a_closed_reader_is_not_an_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w", encoding="utf-8") as stream, Log(stream) as log:
        log.on_start(snapshot())
        log.on_snapshot(snapshot())
        log.on_finish(snapshot())


def test_a_run_that_breaks_off_still_gets_its_last_words_out() -> None:
    stream = io.StringIO()

    def break_off() -> None:
        with Log(stream) as log:
            log.on_start(snapshot())
            log.on_event(Notice("a worker was lost"))
            raise RuntimeError("broken off")

    try:
        break_off()
    except RuntimeError:
        assert stream.getvalue() == "fetchpool: a worker was lost\n"
    else:
        raise AssertionError("the exception was swallowed")


def test_a_log_that_never_started_ends_without_waiting() -> None:
    with Log(io.StringIO()):
        pass


def test_messages_are_written_in_order_and_the_last_call_is_marked() -> None:
    calls: list[tuple[list[int], int, bool]] = []
    writer: BackgroundWriter[int] = BackgroundWriter(
        lambda *call: calls.append(call), interval=0.0, pending=100
    )
    writer.start()
    for number in range(50):
        writer.write(number)
    writer.close()
    writer.close()
    assert [number for said, _, _ in calls for number in said] == list(range(50))
    assert [last for _, _, last in calls] == [False] * (len(calls) - 1) + [True]


def test_dropped_lines_are_counted() -> None:
    entered, go_on = threading.Event(), threading.Event()
    calls: list[tuple[list[int], int]] = []

    def write(said: list[int], dropped: int, _last: bool) -> None:
        calls.append((said, dropped))
        entered.set()
        assert go_on.wait(WAIT)

    writer = BackgroundWriter(write, interval=0.0, pending=2)
    writer.start()
    writer.write(0)
    assert entered.wait(WAIT)
    for number in range(1, 6):
        writer.write(number)
    go_on.set()
    writer.close()
    assert calls == [([0], 0), ([1, 2], 3)]


def test_an_unbuffered_stream_escapes_characters_that_its_encoding_lacks() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w", encoding="ascii") as stream:
        free = unbuffered(stream)
        free.write("a … \ud800\n")
        free.close()
        stream.write("still open\n")
    with os.fdopen(read_end, encoding="ascii") as reader:
        assert reader.read() == "a \\u2026 \\ud800\nstill open\n"
