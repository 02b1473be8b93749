"""Station: an event loop in its own thread that receives requests and returns outcomes as bytes.

In: messages of `wire.py`, from any thread. Out: the same, to `send`, in the station's thread. Outcomes are
sent in batches: at once while places are free, since the other side may have requests for them, otherwise 10
ms after the first or when there are 200. A station does not know what is on the other side; each process of
the process pool has one.

    put(bytes) ──▶ _backlog ──▶ the async pool's loop, or threads ──▶ _ended ──▶ send(bytes)

Requests beyond the `places` wait in the station, so that the next fetch starts without a message's way there
and back. `cancel()` returns them, and so does a response that asks for a pause: the other side learns of that
only later. Requests with a `spacing` start no sooner than that after the last start here at their host
(`spacing.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.pools import wire
from fetchpool.pools.async_.pool import AsyncPool
from fetchpool.pools.base import Pool
from fetchpool.pools.blocking_loop import BlockingLoop
from fetchpool.pools.future import Collector, LightFuture
from fetchpool.pools.parser_threads import ParseObserver
from fetchpool.pools.spacing import StartSpacer

FLUSH_AFTER = 0.01
"""Maximum seconds that an outcome waits for others."""
MOST = 200
"""Maximum number of outcomes in one message."""
TICK = 0.1
"""Maximum seconds between two calls of `beat`."""


class Station:
    """Runs at most `places` fetches at once."""

    def __init__(
        self,
        places: int,
        options: FetchOptions,
        send: Callable[[bytes], object],
        *,
        parses: ParseObserver | None = None,
        beat: Callable[[], object] | None = None,
        may_start: Callable[[], bool] | None = None,
    ) -> None:
        """`parses` is notified of user-defined parsers as they start and end; `beat` is called in each
        iteration. `may_start` is called before a fetch starts and before a request is sent; once it returns
        False, the station abandons everything. Raises `UsageError` when a parser or the transport can't be
        loaded."""
        self._places = places
        self._may_start = may_start
        self._send = send
        self._beat = beat
        self._pool, self._loop = open_loop(places, options, parses, may_start)
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._backlog: deque[FetchRequest] = deque()
        self._spacer = StartSpacer()
        self._started = 0
        """Number of requests that were started and whose outcome has not been sent."""
        self._collector = Collector()
        self._ended = self._collector.outcomes
        """The outcomes that have not been sent."""
        self._checked = 0
        """Number of these outcomes that were checked for requests for a pause."""
        self._returned: list[int] = []
        self._flush_at = 0.0
        """When the outcomes must be sent; 0 if there are none."""
        self._flushed_at = 0.0
        self.report_interval = 0.0
        """Minimum seconds between two messages with outcomes; may be set from any thread. Meanwhile, waiting
        requests keep the places busy."""
        self._closed = False
        self._abandons = False

    @property
    def places(self) -> int:
        """The number of fetches that it runs at once."""
        return self._places

    @property
    def running(self) -> int:
        """The number of fetches that have started and not ended."""
        return self._started - len(self._ended)

    @property
    def stuck(self) -> int:
        """The number of parsers that did not return in time."""
        return self._pool.stuck

    @property
    def has_commands(self) -> bool:
        """Whether a command from another thread has not been carried out yet."""
        return not self._inbox.empty()

    # Any thread

    def wake(self) -> None:
        """Make the loop run its next iteration at once."""
        self._loop.wake()

    def put(self, message: bytes) -> None:
        """Queue the requests of a message."""
        self._post(lambda: self._enqueue(message))

    def cancel(self, host: str | None) -> None:
        """Give back the requests for a host that have not started; without a host, all that have not
        started."""
        self._post(lambda: self._return(host))

    def resize(self, places: int) -> None:
        """Set the maximum number of concurrent fetches; those that have started complete."""
        self._post(lambda: self._resize(places))

    def space_hops(self, spaced: bool) -> None:
        """With `spaced`, give back every redirect; otherwise follow redirects as the options say."""
        self._post(lambda: self._pool.space_hops(spaced))

    def hang_up(self, ips: frozenset[str]) -> None:
        """Close the idle connections to these addresses, whose server accepts few."""
        if isinstance(self._pool, AsyncPool):
            pool = self._pool
            self._post(lambda: pool.hang_up(ips))

    def hold_host(self, host: str) -> None:
        """Record that another station may have sent a request to a spaced host just now."""
        self._post(lambda: self._spacer.hold_host(host, monotonic()))

    def close(self, *, abort: bool = False) -> None:
        """Give back the requests that have not started, and let `run()` return when the others have ended;
        with `abort`, these end as `aborted`. Idempotent."""
        self._post(lambda: self._close(abort=abort))

    def abandon(self) -> None:
        """Abort, and give back all requests without an outcome, including started ones, so that another
        station fetches them. Idempotent."""
        self._post(self._abandon)

    def _post(self, command: Callable[[], None]) -> None:
        self._inbox.put(command)
        self._loop.wake()

    # The station's thread

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Make `run()`, which must not have been called yet, call a function while a descriptor is
        readable."""
        self._loop.watch(descriptor, on_readable)

    def run(self) -> None:
        """Run until the station is closed and all fetches have ended: the target of the station's thread."""
        loop, inbox = self._loop, self._inbox
        while not (self._closed and not self._started):
            loop.run_once(self._timeout() if self._flush_at or self._spacer else TICK)
            while not inbox.empty():
                inbox.get()()
            if self._ended and (self._backlog or self._spacer):
                self._return_throttled()
            if self._spacer:
                self._start_spaced()
            if self._backlog:
                self._start_fetches()
            if self._ended or self._returned:
                self._flush()
            if self._beat is not None:
                self._beat()
        self._pool.shutdown()
        if isinstance(self._loop, BlockingLoop):
            self._loop.close()

    def _timeout(self) -> float:
        """Return the seconds for which the loop may wait."""
        until = self._flush_at or monotonic() + TICK
        if self.running < self._places and (due := self._spacer.next_due) is not None:
            until = min(until, due)
        return min(TICK, max(0.0, until - monotonic()))

    def _enqueue(self, message: bytes) -> None:
        self._backlog.extend(wire.decode_requests(message))
        if self._closed:
            self._return(None)

    def _resize(self, places: int) -> None:
        self._places = places
        self._pool.resize(max(1, places))

    def _start_fetches(self) -> None:
        """Start waiting requests, as far as places are free."""
        while self._backlog and self._started - len(self._ended) < self._places:
            request = self._backlog.popleft()
            if not request.spacing or self._spacer.start(request, monotonic()):
                self._start(request)

    def _start_spaced(self) -> None:
        """Start held requests that may start now, as far as places are free."""
        now = monotonic()
        while self.running < self._places and (request := self._spacer.take(now)) is not None:
            self._start(request)

    def _start(self, request: FetchRequest) -> None:
        if self._may_start is not None and not self._may_start():
            self._returned.append(request.urlnum)
            self._abandon()
            return
        self._started += 1
        pool = self._pool
        if isinstance(pool, AsyncPool):
            pool.collect(request, self._collector)
        else:
            pool.submit(request).add_done_callback(self._add)

    def _add(self, future: Future[Record]) -> None:
        """Add a completed future from a thread other than the station's."""
        assert isinstance(future, LightFuture)
        self._collector.complete(future.outcome())
        self._loop.wake()

    def _return(self, host: str | None) -> None:
        kept: deque[FetchRequest] = deque()
        for request in self._backlog:
            if host is None or request.host == host:
                self._returned.append(request.urlnum)
            else:
                kept.append(request)
        self._backlog = kept
        self._returned += [request.urlnum for request in self._spacer.remove(host)]

    def _return_throttled(self) -> None:
        """Give back what waits for hosts that have asked for a pause."""
        first, self._checked = self._checked, len(self._ended)
        for position in range(first, self._checked):
            outcome = self._ended[position]
            if outcome.asks_for_pause and outcome.record.url_effective:
                self._return(urls.authority(outcome.record.url_effective).rpartition(":")[0])

    def _close(self, *, abort: bool) -> None:
        self._closed = True
        self._return(None)
        if abort:
            self._pool.shutdown(abort=True)

    def _abandon(self) -> None:
        self._abandons = True
        self._close(abort=True)

    def _flush(self) -> None:
        """Send the outcomes, unless more may follow soon."""
        ended = self._ended
        count = len(ended)
        is_full = self._started - count + len(self._backlog) >= self._places
        now = monotonic()
        if count < MOST:
            earliest = self._flushed_at + self.report_interval
            if is_full and not self._returned:
                earliest = max(earliest, self._flush_at or now + FLUSH_AFTER)
            if now < earliest:
                self._flush_at = earliest
                return
        self._flush_at, self._flushed_at = 0.0, now
        self._started -= count
        self._checked = 0
        returned, self._returned = self._returned, []
        outcomes = [ended.popleft() for _ in range(count)]
        if self._abandons:
            unfinished = [each for each in outcomes if is_unfinished(each)]
            returned += [each.record.urlnum for each in unfinished]
            outcomes = [each for each in outcomes if not is_unfinished(each)]
        self._send(wire.encode_outcomes(outcomes, returned, self._pool.stuck))


def is_unfinished(outcome: Outcome) -> bool:
    """Whether a fetch was aborted for a reason other than a failure to store its body."""
    return outcome.record.error == FailureKind.ABORTED and not outcome.storage_error


def open_loop(
    places: int,
    options: FetchOptions,
    parses: ParseObserver | None,
    may_start: Callable[[], bool] | None,
) -> tuple[Pool, AsyncPool | BlockingLoop]:
    """Return a pool, and the loop that runs it in the station's thread."""
    if options.transport == "curl":
        pool = AsyncPool(places, options, parses=parses, shares_hosts=True, may_send=may_start)
        pool.run_once(0.0)
        return pool, pool
    from fetchpool.pools.thread import ThreadPool

    return ThreadPool(places, options, parses=parses), BlockingLoop()
