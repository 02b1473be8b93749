"""The engine with a pool that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.configure import configure
from fetchpool.engine.build import assemble, build
from fetchpool.engine.engine import Engine
from fetchpool.engine.events import BusyHost, FailingHost, Hosts, Snapshot, WaitTimes
from fetchpool.engine.lifecycle import Limits
from fetchpool.engine.observers import Observer, Observers
from fetchpool.engine.workers import Workers
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.errors import WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.steering import Pause, Resume, Stop
from fetchpool.pools.future import LightFuture
from fetchpool.scheduler.autoscale import ENOUGH, START, AutoScaler
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sources.iterable import IterableSource
from tests import factories


class Rows:
    name = "a list"
    is_nonblocking = True

    def __init__(self) -> None:
        self.errors: dict[str, str | None] = {}

    def write(self, records: list[Record]) -> None:
        for record in records:
            assert record.url not in self.errors
            self.errors[record.url] = record.error

    def flush(self) -> None: ...

    def close(self) -> None: ...


class OneAtATime:
    """A pool that answers one request in each turn, the one it was given first."""

    max_workers = 1
    max_pending = 5
    keeps_spacing = False
    stuck = 0

    def __init__(self, answer: Callable[[FetchRequest, int], Outcome | None]) -> None:
        """`answer` gets the request and the number of the attempt at this URL, from 1. If it returns None,
        the worker crashes and loses all requests that it holds."""
        self._answer = answer
        self._queue: list[tuple[FetchRequest, LightFuture]] = []
        self.begun: list[str] = []
        self.alone: list[str] = []
        """What it was to run alone."""
        self.recalled: list[str | None] = []

    @property
    def queued(self) -> int:
        return len(self._queue)

    def submit(self, request: FetchRequest, *, alone: bool = False) -> LightFuture:
        future = LightFuture()
        if alone:
            self.alone.append(request.href)
        self._queue.append((request, future))
        return future

    def run_once(self, timeout: float) -> None:  # noqa: ARG002
        if not self._queue:
            return
        request, future = self._queue.pop(0)
        self.begun.append(request.href)
        outcome = self._answer(request, self.begun.count(request.href))
        if outcome is not None:
            future.complete(outcome)
            return
        queue: list[tuple[FetchRequest, LightFuture]] = []
        if request.href not in self.alone:
            queue, self._queue = self._queue, []
        for _, lost in [(request, future), *queue]:
            lost.set_exception(WorkerLostError("it died"))

    def wake(self) -> None: ...

    def resize(self, workers: int) -> None:
        self.max_workers = workers

    def space_hops(self, spaced: bool) -> None: ...

    def cancel_pending(self, host: str | None = None) -> None:
        self.recalled.append(host)
        queue, self._queue = self._queue, []
        for request, future in queue:
            if host in (None, request.host):
                future.cancel()
            else:
                self._queue.append((request, future))

    def shutdown(self, *, abort: bool = False) -> None: ...

    def release(self) -> None: ...


def fine(request: FetchRequest) -> Outcome:
    return factories.outcome(request, time_total=None)


def engine_of(
    pool: OneAtATime,
    urls: list[str],
    rows: Rows,
    *,
    scheduler: Scheduler | None = None,
    retry: int = 0,
    concurrency: AutoScaler | None = None,
    observers: Sequence[Observer] = (),
    max_runtime: float | None = None,
) -> Engine:
    """With a clock that goes on by a millisecond each time it is looked at."""
    ticks = count()
    return assemble(
        IterableSource(urls),
        pool,
        Writer([rows], DuplicateFilter(dedupe=False)),
        scheduler=scheduler or Scheduler(),
        retry=RetryPolicy(retry=retry),
        workers=Workers(pool, concurrency),
        limits=Limits(run=max_runtime),
        observers=Observers(observers),
        clock=lambda: next(ticks) / 1000,
    )


def run(pool: OneAtATime, urls: list[str], concurrency: AutoScaler | None = None) -> Rows:
    rows = Rows()
    engine_of(pool, urls, rows, concurrency=concurrency).run()
    return rows


def limits_of(pool: OneAtATime, urls: list[str], **changes: Any) -> WaitTimes:
    """Where the seconds of a run went."""
    return engine_of(pool, urls, Rows(), **changes).run().snapshot.wait_times


def test_requests_queued_in_a_pool_for_a_throttled_host_are_cancelled_and_fetched_later() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        if request.href != "http://busy/0":
            return fine(request)
        return factories.outcome(request, response_code=429, error="http_429", retry_after="1")

    urls = [f"http://busy/{number}" for number in range(4)] + ["http://other/"]
    pool = OneAtATime(answer)
    rows = run(pool, urls)
    assert pool.recalled[0] == "busy"
    # Of the five that it had been given, only the other host's is begun before the second is over.
    assert pool.begun[:2] == ["http://busy/0", "http://other/"]
    assert sorted(pool.begun) == sorted(urls)
    assert rows.errors == {url: "http_429" if url.endswith("y/0") else None for url in urls}


def test_a_request_on_which_workers_crashed_twice_runs_alone_and_the_rest_goes_on() -> None:
    deadly, others = "http://deadly/", [f"http://other/{number}" for number in range(20)]
    pool = OneAtATime(lambda request, _: None if request.host == "deadly" else fine(request))
    rows = run(pool, [deadly, *others])
    assert pool.begun.count(deadly) == 3
    assert pool.alone.count(deadly) == 1
    assert rows.errors == {deadly: "internal", **dict.fromkeys(others)}


def test_a_run_that_is_stopped_while_a_request_waits_to_run_alone_is_incomplete() -> None:
    def answer(request: FetchRequest, attempt: int) -> Outcome | None:
        if request.host == "other" and attempt == 3:
            engine.stop()
            return fine(request)
        return None

    rows = Rows()
    pool = OneAtATime(answer)
    engine = engine_of(pool, ["http://other/", "http://deadly/"], rows)
    result = engine.run()
    assert "http://deadly/" in pool.alone
    assert rows.errors == {"http://other/": None}
    assert result.interrupted


def test_workers_count_as_busy_although_some_have_just_completed() -> None:
    concurrency = AutoScaler(100, 0.0)
    urls = [f"http://host/{number}" for number in range(1000)]
    run(OneAtATime(lambda request, _: fine(request)), urls, concurrency)
    # More were no faster, with a pool that does one at a time: that was found out.
    assert (concurrency.target, concurrency.reason) == (ENOUGH, "more were no faster")


def test_workers_count_as_busy_at_the_host_limit_if_the_pool_would_queue_more() -> None:
    urls = [f"http://host/{number}" for number in range(100)]
    limits = limits_of(OneAtATime(lambda request, _: fine(request)), urls, scheduler=Scheduler(per_host=2))
    assert limits.workers > 0.1
    assert not limits.host_limit


def test_waiting_for_retries_counts_as_retries_and_as_no_limit() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        return refusal(request, FailureKind.REFUSED)

    urls = [f"http://dead{number % 40}/{number}" for number in range(120)]
    limits = limits_of(OneAtATime(answer), urls, scheduler=Scheduler(per_host=10), retry=1)
    assert limits.retries > 0.1
    assert limits.host_limit == limits.backoff == limits.rate_limit == 0.0


def test_time_after_a_stop_counts_as_stopping() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        engine.stop()
        return fine(request)

    engine = engine_of(OneAtATime(answer), [f"http://host/{number}" for number in range(100)], Rows())
    limits = engine.run().snapshot.wait_times
    assert limits.stopping
    assert not limits.ending


def test_a_number_replaces_the_adapted_one_until_it_is_given_back() -> None:
    pool = OneAtATime(lambda request, _: fine(request))
    pool.max_workers = 100
    workers = Workers(pool, AutoScaler(100, 0.0))
    scaler = workers.autoscaler
    adapted = workers.number
    assert (workers.setting, workers.ceiling) == ("auto", 100)
    assert workers.fix(3) == 3
    assert (workers.setting, workers.number, workers.reason, pool.max_workers) == (3, 3, "", 3)
    assert workers.fix(500) == 100
    workers.adapt(1.0)
    assert (workers.setting, workers.number, pool.max_workers) == ("auto", adapted, 100)
    assert workers.autoscaler is scaler


def test_any_run_can_be_adapted() -> None:
    pool = OneAtATime(lambda request, _: fine(request))
    pool.max_workers = 100
    workers = Workers(pool, number=4)
    assert (workers.setting, workers.ceiling) == (4, 100)
    workers.adapt(1.0)
    assert (workers.setting, workers.number, pool.max_workers) == ("auto", START, 100)


def test_a_limit_of_time_ends_a_paused_run() -> None:
    engine = engine_of(
        OneAtATime(lambda request, _: fine(request)), ["http://host/"], Rows(), max_runtime=2.0
    )
    engine.steer(Pause(), "by a key")
    result = engine.run()
    assert (result.interrupted, result.stopped_by, result.steered_by) == (True, "--max-runtime", "")
    assert result.snapshot.done == 0
    assert result.snapshot.wait_times.paused == pytest.approx(2.0, abs=0.3)
    assert result.snapshot.wait_times.workers == 0.0


def test_a_paused_run_ends_when_nothing_is_left() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        engine.steer(Pause(), "by a key")
        return fine(request)

    rows = Rows()
    engine = engine_of(OneAtATime(answer), ["http://host/"], rows)
    result = engine.run()
    assert rows.errors == {"http://host/": None}
    assert not result.interrupted


def test_a_stop_by_a_signal_is_not_taken_back() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        engine.steer(Stop(), "by a key")
        engine.stop()
        engine.steer(Resume(), "by a key")
        return fine(request)

    engine = engine_of(OneAtATime(answer), [f"http://host/{number}" for number in range(9)], Rows())
    result = engine.run()
    assert (result.interrupted, result.steered_by, result.snapshot.done) == (True, "", 1)


def test_an_aborted_request_has_no_row_and_leaves_the_run_incomplete() -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        engine.abort()
        return refusal(request, FailureKind.ABORTED)

    rows = Rows()
    engine = engine_of(OneAtATime(answer), ["http://host/"], rows)
    result = engine.run()
    assert (rows.errors, result.aborted) == ({}, True)
    assert engine._in_flight.has_dropped


class Impatient(Rows):
    """A sink that stops the run in its first write, twice: Ctrl-C, Ctrl-C."""

    engine: Engine

    def write(self, records: list[Record]) -> None:
        super().write(records)
        self.engine.stop()
        self.engine.abort()


def test_an_abort_while_rows_are_written_ends_the_run(demo_server: DemoServer) -> None:
    sink = Impatient()
    urls = [demo_server.url("/bytes/1"), *(demo_server.url(f"/delay/60000?{number}") for number in range(3))]
    config = configure(executor="async", workers=4, per_host=0)
    sink.engine = build(config, source=IterableSource(urls), sinks=[sink])
    result = sink.engine.run()
    assert result.interrupted
    assert sink.errors == {urls[0]: None}


class Details(Observer):
    """Notes each snapshot's hosts; wants details as the test says."""

    def __init__(self, *, wants_details: bool) -> None:
        self.wants_details = wants_details
        self.snapshots: list[Snapshot] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    on_finish = on_snapshot


@pytest.mark.parametrize("wants_details", [False, True])
def test_snapshots_have_details_only_for_an_observer_that_wants_them(wants_details: bool) -> None:
    def answer(request: FetchRequest, _attempt: int) -> Outcome:
        if request.host == "bad":
            return factories.outcome(request, response_code=404, error="http_404", time_total=0.02)
        return factories.outcome(request, time_total=0.02, size_delivered=3)

    seen = Details(wants_details=wants_details)
    urls = [f"http://{host}/{number}" for number in range(400) for host in ("bad", "good")]
    engine_of(OneAtATime(answer), urls, Rows(), observers=[seen]).run()
    *during, last = seen.snapshots
    assert [shot.seq for shot in seen.snapshots] == list(range(2, len(during) + 3))
    if not wants_details:
        assert {(shot.hosts, shot.times, shot.sizes) for shot in seen.snapshots} == {(Hosts(), (), ())}
        return
    assert (sum(last.times), sum(last.sizes)) == (800, 400)
    assert last.hosts == Hosts(failing=(FailingHost("bad", 400, "http_404"),))
    busy = during[-1].hosts.busiest
    assert {each.host for each in busy} == {"bad", "good"}
    assert 1 < sum(each.in_flight for each in busy) <= OneAtATime.max_pending
    assert all(isinstance(each, BusyHost) and each.waiting for each in busy)
