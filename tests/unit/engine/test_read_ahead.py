"""The engine reads ahead between results: hosts of a sorted list take turns early, and neither the first
request nor a result waits for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import pytest

from fetchpool.config.configure import configure
from fetchpool.engine.build import assemble, build
from fetchpool.engine.dispatcher import DELAYED_AHEAD, READ_AHEAD, READ_AHEAD_EACH
from fetchpool.engine.reader import MIN_BATCH
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model import urls
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sources.iterable import IterableSource
from tests import factories


class CountingSink:
    """Remembers how many rows it was given at once, and calls back."""

    name = "counted"
    is_nonblocking = True

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.batches: list[int] = []
        self._then = then

    def write(self, records: Sequence[Record]) -> None:
        self.batches.append(len(records))
        self._then(sum(self.batches))

    def flush(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("dedupe", [True, False])
def test_urls_that_cannot_be_fetched_are_written_in_small_batches(dedupe: bool) -> None:
    sink = CountingSink()
    source = IterableSource(f"http://[{number}" for number in range(3000))
    result = build(configure(dedupe=dedupe), source=source, sinks=[sink]).run()
    assert sum(sink.batches) == result.rows[0] == 3000
    assert max(sink.batches) < 100


def test_a_list_of_nothing_but_duplicates_is_stopped_at_once() -> None:
    taken = 0

    def forever() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "http://["

    engine = build(
        configure(), source=IterableSource(forever()), sinks=[CountingSink(lambda _: engine.stop())]
    )
    result = engine.run()
    assert (result.rows, result.interrupted) == ((1,), True)
    assert taken < 100
    assert result.snapshot.duplicates <= taken - 1  # some may have been made and not looked at


class SlowWorkers:
    """A pool of a few workers, which completes the oldest request in each iteration, and stops the run after
    some."""

    queued = stuck = 0
    keeps_spacing = False

    def __init__(self, source: SortedList, stop_after: int, workers: int) -> None:
        self.max_workers = self.max_pending = workers
        self._source = source
        self._stop_after = stop_after
        self._in_flight: list[tuple[FetchRequest, LightFuture]] = []
        self.started: list[str] = []
        """The hosts of the requests, in the order of their starts."""
        self.ahead: list[int] = []
        """How many requests had been read at each start."""
        self.stop: Callable[[], None]

    def submit(self, request: FetchRequest) -> LightFuture:
        future = LightFuture()
        self._in_flight.append((request, future))
        self.started.append(request.host)
        self.ahead.append(self._source.taken - len(self.started))
        if len(self.started) == self._stop_after:
            self.stop()
        return future

    def run_once(self, timeout: float) -> None:  # noqa: ARG002
        if self._in_flight:
            request, future = self._in_flight.pop(0)
            future.complete(factories.outcome(request))

    def wake(self) -> None: ...

    def resize(self, workers: int) -> None: ...

    def space_hops(self, spaced: bool) -> None: ...

    def cancel_pending(self, host: str | None = None) -> None: ...

    def shutdown(self, *, abort: bool = False) -> None: ...

    def release(self) -> None: ...


class SortedList:
    """A source that is sorted by host; all of its requests are available at once."""

    exhausted = False
    bytes_read = 0
    bytes_total = None
    failure = None

    def __init__(self, hosts: Iterator[str], *, lazy: bool = False) -> None:
        self._hosts = hosts
        self.lazy = lazy
        self.notices: list[str] = []
        self.taken = 0

    def start(self, notify: Callable[[], None]) -> None: ...

    def take(self, limit: int) -> list[FetchRequest]:
        requests: list[FetchRequest] = []
        while len(requests) < limit and not self.exhausted:
            host = next(self._hosts, None)
            if host is None:
                self.exhausted = True
            else:
                requests.append(urls.request(self.taken, f"http://{host}/{self.taken}"))
                self.taken += 1
        return requests

    def close(self) -> None: ...


def run_until(source: SortedList, requests: int, *, workers: int = 5, host_delay: float = 0.0) -> SlowWorkers:
    """Run until so many requests have started."""
    pool = SlowWorkers(source, requests, workers)
    writer = Writer([CountingSink()], DuplicateFilter(dedupe=False))
    scheduler = Scheduler(per_host=10, host_delay=host_delay)
    engine = assemble(source, pool, writer, scheduler=scheduler, retry=RetryPolicy(retry=0))
    pool.stop = engine.stop
    engine.run()
    return pool


def test_all_hosts_of_a_sorted_list_are_among_the_first_requests() -> None:
    pool = run_until(SortedList(iter([host for host in "abcde" for _ in range(30)])), 60)
    assert all(pool.started[:60].count(host) >= 6 for host in "abcde")


def test_the_first_request_starts_after_a_single_batch_and_reading_goes_on_up_to_its_limit() -> None:
    pool = run_until(SortedList(f"h{number // 2000}" for number in count()), 400)
    assert pool.ahead[0] < MIN_BATCH
    assert max(pool.ahead) <= READ_AHEAD
    assert READ_AHEAD - 2 * MIN_BATCH < pool.ahead[-1] <= READ_AHEAD


@pytest.mark.parametrize(("host_delay", "factor"), [(0.0, 1), (0.001, DELAYED_AHEAD)])
def test_more_workers_have_more_read_ahead_and_most_with_a_delay(host_delay: float, factor: int) -> None:
    """Of a list sorted by host, workers elsewhere would have too few hosts among 10,000 requests."""
    workers = 2 * READ_AHEAD // READ_AHEAD_EACH // factor
    hosts = (f"h{number}" for number in count())
    pool = run_until(SortedList(hosts), 3 * workers + 300, workers=workers, host_delay=host_delay)
    assert 1.5 * READ_AHEAD < max(pool.ahead) <= 2 * READ_AHEAD


def test_no_more_of_a_lazy_source_is_read_than_can_start() -> None:
    pool = run_until(SortedList((f"h{number}" for number in count()), lazy=True), 100)
    assert max(pool.ahead) < pool.max_workers
