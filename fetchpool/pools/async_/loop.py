"""What one thread does with many requests at once: drive the exchange of each over libcurl's multi interface.

In: requests with their futures, taken as places become free. Out: the futures, finished together at the end
of each turn. Connections are kept and shared by all fetches; HTTP/2 streams share one. The thread sleeps
until a socket, a timer of libcurl's or the bell wakes it (`drivers.py`), or a look for silent servers is due.

    take() ──▶ Flight (a handle, an exchange's steps) ──▶ multi ──▶ Future.set_result()

Everything here runs in that thread; only the bell may be rung from any.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, internal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.async_.lookups import Naming
from fetchpool.pools.async_.parsing import ParsingBeside
from fetchpool.pools.async_.pollers import MANY, PerformPoller, SocketPoller, first_driver
from fetchpool.pools.async_.wakeup import Wakeup
from fetchpool.runtime import forks
from fetchpool.transports.base import Failure, HopRequest, HopResult, ParseRequest, Steps, add_lookup_time
from fetchpool.transports.curl.connections import NO_SOCKET, Connections
from fetchpool.transports.curl.errors import FORCED
from fetchpool.transports.curl.handle import CurlHandle
from fetchpool.transports.curl.resolve_cache import ResolveCache
from fetchpool.transports.curl.trace import Streams
from fetchpool.transports.watchdog import silence

TICK = 0.1
"""Seconds between two looks for silent servers."""
DECODING = 0.01
"""Seconds of a turn that are given to bodies which take long to decode."""
STARTS = 32
"""Fetches begun in one turn: the first of a thousand need not wait until the last has its handle."""


class Transfer:
    """One fetch on its way: a handle, reused by fetch after fetch, and what it serves now."""

    __slots__ = (
        "_told_opened",
        "arrived",
        "ending",
        "future",
        "handle",
        "looked_up_for",
        "progress",
        "read_timeout",
        "request",
        "seen",
        "seen_at",
        "steps",
    )
    __deletable__ = ("future", "request", "steps")  # mypyc's: what `del` may be said of

    future: Future[Outcome]
    request: FetchRequest
    steps: Steps

    def __init__(
        self,
        options: FetchOptions,
        book: ResolveCache,
        connections: Connections,
        streams: Streams,
        paused: deque[CurlHandle],
        opened: Callable[[int], None],
    ) -> None:
        """`opened` is told of each new connection."""
        self.progress = self.seen = 0
        self.seen_at = self.read_timeout = 0.0
        self.looked_up_for = 0.0
        """Seconds that the hop waited for names."""
        self.arrived = False
        """libcurl has brought all there is, and some of it is not decoded yet."""
        self.ending = False
        self._told_opened = opened
        self.handle = CurlHandle(options, self, book, connections, streams, paused)
        self.handle.curl.setopt(pycurl.PREREQFUNCTION, self.handle.sending)
        self.handle.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)

    def _opened(self, descriptor: int, _purpose: int) -> int:
        """libcurl's callback."""
        self.handle.opened(descriptor)
        self._told_opened(descriptor)
        return pycurl.SOCKOPT_OK

    def clear(self) -> None:
        """It is over: what it fetched is not kept until the handle's next one."""
        del self.future, self.request, self.steps


class CurlMultiLoop:
    """At most `places` fetches at once."""

    def __init__(
        self,
        places: int,
        options: FetchOptions,
        take: Callable[[], tuple[FetchRequest, Future[Outcome]] | None],
    ) -> None:
        """`take` gives the next request, whose future is running; None when there is none yet: the bell is
        to be rung when there is.

        Raises `UsageError` when a parser can't be loaded."""
        self._places = places
        self._options = options
        self._take = take
        self._exchange = Exchange(options)
        self._free: list[Transfer] = []
        self._flights: dict[pycurl.Curl, Transfer] = {}
        self._paused: deque[CurlHandle] = deque()
        """Those with decoding to go on with, the one that has waited longest first."""
        self._landed: list[tuple[Future[Outcome], Outcome]] = []
        self._next_tick = monotonic() + TICK
        self._connections = Connections()
        self._streams = Streams()
        self.bell = Wakeup()
        self._multi = pycurl.CurlMulti()
        self._book = ResolveCache()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 2 * places)
        self._driver = first_driver(self._multi, self.bell, options)
        self._naming = Naming(options, self.bell)
        self._parsing: ParsingBeside[Transfer] = ParsingBeside(self.bell.notify)

    @property
    def _taken(self) -> int:
        """Places that are."""
        return len(self._flights) + self._naming.waiting + len(self._parsing)

    @property
    def busy(self) -> bool:
        """Something is in flight."""
        return self._taken > 0

    @property
    def stuck(self) -> int:
        """Parsers that were given up."""
        return self._parsing.given_up

    def in_flight(self) -> list[tuple[FetchRequest, Future[Outcome]]]:
        """What was taken and has not ended."""
        flights = [*self._flights.values(), *self._naming.flights(), *self._parsing.waiting]
        return [(flight.request, flight.future) for flight in flights]

    def turn(self, seconds: float) -> None:
        """Begins what there are places for, waits until something happens, so many seconds at most, and
        lands what has ended."""
        bell = self.bell
        more = self._begin() == STARTS and self._taken < self._places
        bell.asleep = True  # from here on whoever brings something rings; what came before is seen now
        if more or bell.pending or self._begin() or self._landed or self._paused:
            seconds = 0.0
        self._act(seconds)
        bell.asleep = bell.pending = False
        self._read_ended()
        if self._paused:
            self._decode()
        now = monotonic()
        if self._naming.waiting:
            self._hear_names(now)
        if self._parsing:
            for flight in self._parsing.ended(now):
                self._advance(flight, None)
        if now >= self._next_tick:
            self._next_tick = now + TICK
            self._check_read_timeouts(now)
        self.deliver()

    def deliver(self) -> None:
        """Finishes the futures of what has ended, all at once: whoever waits for them wakes up once, and does
        not fight for the interpreter's lock while libcurl's callbacks need it."""
        landed, self._landed = self._landed, []
        for future, outcome in landed:
            future.set_result(outcome)

    def close(self) -> None:
        """Ends what is in flight; its futures are somebody else's to finish."""
        for curl, flight in self._flights.items():
            self._multi.remove_handle(curl)
            flight.steps.close()
            curl.close()
        for flight in [*self._naming.flights(), *self._parsing.waiting]:
            flight.steps.close()
            flight.handle.curl.close()
        self._parsing.close()
        for flight in self._free:
            flight.handle.curl.close()
        self._multi.close()
        self._driver.close()
        self.bell.close()

    def _begin(self) -> int:
        """What there are requests and places for, `STARTS` at most; how many that were."""
        begun = 0
        most = min(STARTS, self._places - self._taken)
        while begun < most and (taken := self._take()) is not None:
            self._start(*taken)
            begun += 1
        return begun

    def _start(self, request: FetchRequest, future: Future[Outcome]) -> None:
        try:
            flight = self._free.pop() if self._free else self._flight()
            flight.steps = self._exchange.steps(request)
        except Exception as defect:  # noqa: BLE001 - as in `_advance`
            self._landed.append((future, internal(request, defect)))
            return
        flight.future, flight.request = future, request
        self._advance(flight, None)

    def _flight(self) -> Transfer:
        return Transfer(
            self._options, self._book, self._connections, self._streams, self._paused, self._opened
        )

    def _act(self, seconds: float) -> None:
        """Lets libcurl act, until something has ended, a ring, the tick, or so many seconds at most."""
        if len(self._flights) > MANY and isinstance(self._driver, PerformPoller):
            with contextlib.suppress(OSError):  # no descriptor for it: as before, until there is one
                before, self._driver = self._driver, SocketPoller(self._multi, self.bell)
                before.close()
        if self._taken:
            seconds = min(seconds, self._next_tick - monotonic())
        self._driver.act(seconds, len(self._flights))

    def _read_ended(self) -> None:
        """What libcurl has brought to its end goes on."""
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read(100)
            for curl in succeeded:
                self._flights[curl].handle.look_back(0)
                if self._flights[curl].handle.decoding:
                    self._flights[curl].arrived = True
                else:
                    self._land(curl, 0, "", None)
            for curl, code, message in failed:
                self._flights[curl].handle.look_back(code)
                self._land(curl, code, message, None)

    def _decode(self) -> None:
        """Goes on with the bodies that take long, each in turn."""
        until = monotonic() + DECODING
        paused = self._paused
        while paused and monotonic() < until:
            handle = paused.popleft()
            flight = self._flights.get(handle.curl)
            if flight is None or not handle.decoding:  # its hop was ended meanwhile
                continue
            flight.progress += 1
            if handle.go_on(flight.arrived):
                paused.append(handle)
            elif handle.stopped or (flight.arrived and not handle.decoding):
                self._land(handle.curl, 0, "", None)

    def _land(self, curl: pycurl.Curl, code: int, message: str, ended: Failure | None) -> None:
        flight = self._flights.pop(curl)
        self._multi.remove_handle(curl)
        self._advance(flight, (code, message, ended))

    def _advance(self, flight: Transfer, landed: tuple[int, str, Failure | None] | HopResult | None) -> None:
        """The next hop of a flight, or its end; `landed` is what the last hop came to, or what `conclude()`
        is told of it."""
        try:
            if landed is None:
                hop = next(flight.steps)
            else:
                response = flight.handle.conclude(*landed) if isinstance(landed, tuple) else landed
                if flight.looked_up_for:
                    add_lookup_time(response, flight.looked_up_for)
                    flight.looked_up_for = 0.0
                hop = flight.steps.send(response)
            if isinstance(hop, ParseRequest):
                self._parsing.begin(flight, hop)
                return
            now = monotonic()
            if not self._naming.holds(flight, hop, now):
                self._send_off(flight, hop, now)
        except StopIteration as stop:
            self._landed.append((flight.future, stop.value))
            flight.clear()
            self._free.append(flight)
        except Exception as defect:  # noqa: BLE001 - a defect of ours costs one row, not the run
            self._spoil(flight, defect)

    def _send_off(self, flight: Transfer, hop: HopRequest, now: float) -> None:
        """Hands a hop to libcurl."""
        flight.read_timeout = hop.read_timeout
        flight.progress, flight.seen, flight.seen_at = 0, 0, now
        flight.arrived = False
        hop.close = False  # all fetches share what is kept
        flight.handle.prepare(hop, self._naming.proxy_addresses)
        self._multi.add_handle(flight.handle.curl)
        self._flights[flight.handle.curl] = flight

    def _spoil(self, flight: Transfer, defect: Exception) -> None:
        self._landed.append((flight.future, internal(flight.request, defect)))
        flight.steps.close()
        flight.handle.curl.close()  # who knows what state it is in

    def _hear_names(self, now: float) -> None:
        """The hops whose names are known by now go on."""
        for flight, hop, failure, since in self._naming.ready(now):
            seconds = now - since
            if failure is not None:
                self._advance(flight, HopResult(failure, time_total=round(seconds, 6)))
                continue
            try:
                if not self._naming.holds(flight, hop, since):
                    flight.looked_up_for = seconds
                    hop.connect_timeout -= seconds
                    hop.max_time -= seconds
                    self._send_off(flight, hop, now)
            except Exception as defect:  # noqa: BLE001 - as in `_advance`
                self._spoil(flight, defect)

    def _check_read_timeouts(self, now: float) -> None:
        """Ends the hops from which no byte has come for their read timeout. The kernel knows of bytes that we
        are not told of (a handshake's, a cut-up header's), but not whose they are: on a connection that
        carries several hops at once they may be the others'."""
        for curl, flight in list(self._flights.items()):
            heard = flight.progress + flight.handle.header_lines
            if heard != flight.seen:
                flight.seen, flight.seen_at = heard, now
            elif now - flight.seen_at >= flight.read_timeout:
                descriptor = curl.getinfo(pycurl.ACTIVESOCKET)
                if descriptor == NO_SOCKET:
                    quiet = 0.0  # not connected yet
                else:
                    quiet = (
                        now - flight.seen_at
                        if descriptor in self._connections.shared
                        else silence(descriptor)
                    )
                if quiet >= flight.read_timeout:
                    self._land(curl, pycurl.E_OPERATION_TIMEDOUT, "", FORCED[FailureKind.TIMEOUT_READ])
                else:
                    flight.seen_at = now - quiet

    def _opened(self, descriptor: int) -> None:
        """libcurl has a new connection."""
        forks.not_for_children(descriptor)
        self._driver.opened(descriptor)
