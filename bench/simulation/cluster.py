"""A cluster in virtual time: stations without real fetches, and messages that take time.

In: the calls of the cluster pool, as bytes. Out: events for it, reports as bytes, and fetches at the servers.
A station behaves like `pools/station.py` and `pools/cluster/host.py`, with the same spacing, lease and rule
for sending outcomes, but without threads and sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from bench.simulation.servers import Servers
from bench.simulation.virtual import VirtualTime
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.version import VERSION
from fetchpool.pools import wire
from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.cluster import (
    Delivered,
    Event,
    Joined,
    Left,
    Opened,
    Reported,
    Unreachable,
    Worker,
)
from fetchpool.pools.cluster.lease import PING, Lease
from fetchpool.pools.cluster.messages import Kind, Opening, Report
from fetchpool.pools.spacing import StartSpacer
from fetchpool.pools.station import FLUSH_AFTER, MOST

SEEN_DEAD = 0.015
"""Seconds until the driver learns of a worker that was killed,"""
REPLACED = 2.0
"""and until another process has taken its place."""
UNREPORTED = 0.1
"""Seconds in which a report may be on its way, beyond the interval of reports. The driver never learns of a
pause for which a host has asked a worker so shortly before that was killed: servers don't expect it."""
PAGE = Record(
    urlnum=0,
    url="",
    url_effective="",
    method="GET",
    response_code=200,
    http_version="1.1",
    content_type="text/html",
    num_redirects=0,
    num_retries=0,
    remote_ip="192.0.2.1",
    size_download=4096,
    size_delivered=4096,
    time_namelookup=None,
    time_connect=0.05,
    time_appconnect=None,
    time_starttransfer=0.5,
    time_total=1.0,
    timestamp="2026-01-01T00:00:00.000Z",
    error=None,
    errormsg=None,
    exitcode=0,
)


class Transit(Struct, frozen=True):
    """The time that messages take, in seconds."""

    shortest: float = 0.002
    longest: float = 0.05


class SimulatedStation:
    """One station, which ends with its process."""

    def __init__(self, name: str, cluster: SimulatedCluster) -> None:
        self._name = name
        self._cluster = cluster
        self._time = cluster.time
        self._servers = cluster.servers
        self._lease = Lease(self._time)
        self._spacer = StartSpacer()
        self._backlog: deque[FetchRequest] = deque()
        self._running: dict[int, FetchRequest] = {}
        self._places = 0
        self._wanted = self._settled = 0
        self._ended: list[Outcome] = []
        self._returned: list[int] = []
        self._throttled: deque[tuple[str, float]] = deque(maxlen=100)
        """The hosts that have asked for a pause here lately, and when."""
        self._reports = 0
        self._flush_at = self._reported_at = self._time.now
        self._is_flushing = False
        self._report_interval = 0.0
        self._due = float("inf")
        self.is_gone = False
        self._ping()

    def put(self, data: bytes) -> bool:
        """Carry out the commands of a call; return False if the station has ended."""
        message = messages.decode_commands(data)
        if self.is_gone or not self._lease.renew(message.received):
            return False
        self._report_interval = message.interval
        for number, payload in message.commands:
            kind = Kind(number)
            if kind is Kind.REQUESTS:
                self._backlog.extend(wire.decode_requests(payload))
            elif kind is Kind.CANCEL:
                self._return(payload.decode() or None)
            elif kind is Kind.PLACES:
                self._wanted, self._places = map(int, payload.split())
            elif kind is Kind.HOLD:
                for host in payload.decode().split("\n"):
                    self._spacer.hold_host(host, self._time.now)
        self._go_on()
        return True

    def die(self) -> None:
        """End, with all running fetches."""
        if not self.is_gone:
            self.is_gone = True
            for host, at in self._throttled:
                if self._time.now - at < self._report_interval + UNREPORTED:
                    self._servers.end_silence(host)
            for request in self._running.values():
                self._servers.end(request.host, self._time.now)

    def _return(self, host: str | None) -> None:
        kept = deque(each for each in self._backlog if host is not None and each.host != host)
        self._returned += [each.urlnum for each in self._backlog if host is None or each.host == host]
        self._returned += [each.urlnum for each in self._spacer.remove(host)]
        self._backlog = kept

    def _go_on(self) -> None:
        """Start requests as far as places are free, and send pending outcomes."""
        now, running, spacer = self._time.now, self._running, self._spacer
        while len(running) < self._places and spacer and (held := spacer.take(now)) is not None:
            self._start(held)
        backlog = self._backlog
        while backlog and len(running) < self._places:
            request = backlog.popleft()
            if not request.spacing or spacer.start(request, now):
                self._start(request)
        if spacer and (due := spacer.next_due) is not None and due > now and due != self._due:
            self._due = due
            self._time.at(due, self._on_due)
        if self._settled != self._wanted and len(running) <= self._places:
            self._settled = self._wanted
            self._report()
        elif self._ended or self._returned:
            self._flush()

    def _on_due(self) -> None:
        if not self.is_gone:
            self._due = float("inf")
            self._go_on()

    def _start(self, request: FetchRequest) -> None:
        if not self._lease.holds:
            self.die()
            return
        self._running[request.urlnum] = request
        seconds, status = self._servers.start(request.host, self._time.now)
        self._time.at(self._time.now + seconds, self._end, request, seconds, status)

    def _end(self, request: FetchRequest, seconds: float, status: int) -> None:
        if self.is_gone:
            return
        del self._running[request.urlnum]
        self._servers.end(request.host, self._time.now, status)
        record = replace(PAGE, urlnum=request.urlnum, url=request.url, url_effective=request.href)
        if status == 200:
            outcome = Outcome(replace(record, time_total=seconds, num_retries=request.num_retries))
        else:
            record = replace(record, response_code=status, error=f"http_{status}", exitcode=22)
            outcome = Outcome(record, retry_after=str(self._cluster.retry_after))
            self._throttled.append((request.host, self._time.now))
            self._return(request.host)
        self._ended.append(outcome)
        self._go_on()

    # Its messages

    def _flush(self) -> None:
        """Send outcomes by the rule of `Station`."""
        now = self._time.now
        if len(self._ended) < MOST:
            is_full = len(self._running) + len(self._backlog) >= self._places
            earliest = self._reported_at + self._report_interval
            if is_full and not self._returned:
                earliest = max(earliest, now + FLUSH_AFTER)
            if now < earliest:
                if not self._is_flushing:
                    self._is_flushing = True
                    self._time.at(earliest, self._on_flush)
                return
        self._report()

    def _on_flush(self) -> None:
        self._is_flushing = False
        if not self.is_gone and (self._ended or self._returned):
            self._report()

    def _report(self) -> None:
        self._reports += 1
        self._reported_at = self._time.now
        self._lease.sending(self._reports)
        outcomes = b""
        if self._ended or self._returned:
            outcomes = wire.encode_outcomes(self._ended, self._returned)
            self._ended, self._returned = [], []
        report = Report(messages.VERSION, self._reports, self._settled, 0.0, outcomes)
        self._cluster.report(self._name, messages.encode(report))

    def _ping(self) -> None:
        if self.is_gone:
            return
        if not self._lease.holds:
            self.die()
            return
        if self._time.now - self._reported_at >= PING:
            self._report()
        self._time.at(self._time.now + PING / 4, self._ping)


class SimulatedCluster:
    """Workers that die, are cut off, and join."""

    def __init__(
        self, time: VirtualTime, servers: Servers, workers: int, *, transit: Transit, seed: int
    ) -> None:
        self.time, self.servers = time, servers
        self.retry_after = servers.retry_after
        self._transit = transit
        self._random = Random(seed)
        self._count = workers
        self._workers = [Worker(f"sim://{number}") for number in range(workers)]
        self._stations: dict[str, tuple[SimulatedStation, str]] = {}
        self._latest: dict[str, float] = {}
        """The arrival time of the last message, by station and direction; no message overtakes another."""
        self._cut_off: dict[str, float] = {}
        """Workers that are cut off from messages, and until when."""
        self._listener: Callable[[Event], None]
        self.events = 0
        """Events that the pool was notified of."""
        self.messages = 0
        """Number of calls and reports."""

    # The calls of the pool

    def listen(self, on_event: Callable[[Event], None]) -> None:
        self._listener = on_event

    def _on_event(self, event: Event) -> None:
        self.events += 1
        self._listener(event)

    def workers(self) -> list[Worker]:
        return list(self._workers)

    def open(self, station: str, worker: str, arguments: bytes) -> None:  # noqa: ARG002
        self._stations[station] = SimulatedStation(station, self), worker
        opening = Opening(VERSION, limit=1_000_000)
        self._send(station, "up", partial(self._on_event, Opened(station, messages.encode(opening))))

    def put(self, station: str, number: int, commands: bytes) -> None:  # noqa: ARG002
        self.messages += 1
        self._send(station, "down", partial(self._put, station, commands))

    def _put(self, name: str, commands: bytes) -> None:
        entry = self._stations.get(name)
        event: Event = Unreachable(name)
        if entry is not None and entry[0].put(commands):
            event = Delivered(name)
        self._send(name, "up", partial(self._on_event, event))

    def drop(self, station: str) -> None:
        if (entry := self._stations.pop(station, None)) is not None:
            # A station that is cut off doesn't notice that; its lease ends it.
            if self._cut_off.get(entry[1], 0.0) <= self.time.now:
                entry[0].die()
            self._latest.pop(f"{station} up", None)
            self._latest.pop(f"{station} down", None)

    def request_worker(self) -> None: ...

    def close(self) -> None:
        for name in list(self._stations):
            self.drop(name)

    # What happens to it

    def report(self, station: str, data: bytes) -> None:
        """Deliver a report to the driver."""
        self.messages += 1
        self._send(station, "up", partial(self._on_event, Reported(station, data)))

    def kill(self) -> None:
        """Kill a worker. Another one joins shortly afterwards."""
        if not self._workers:
            return
        worker = self._random.choice(self._workers)
        self._workers.remove(worker)
        for station, address in list(self._stations.values()):
            if address == worker.address:
                station.die()
        self.time.at(self.time.now + SEEN_DEAD, self._on_event, Left(worker.address, planned=False))
        self.time.at(self.time.now + REPLACED, self.join)

    def cut_off(self, seconds: float) -> None:
        """Delay all messages from and to a worker."""
        if self._workers:
            self._cut_off[self._random.choice(self._workers).address] = self.time.now + seconds

    def join(self) -> None:
        """Add a worker."""
        self._count += 1
        worker = Worker(f"sim://{self._count}")
        self._workers.append(worker)
        self._on_event(Joined(worker))

    def _send(self, station: str, way: str, action: Callable[[], object]) -> None:
        """Call a function when a message of a station has arrived."""
        entry, key = self._stations.get(station), f"{station} {way}"
        when = self.time.now + self._random.uniform(self._transit.shortest, self._transit.longest)
        if entry is not None:
            when = max(when, self._cut_off.get(entry[1], 0.0), self._latest.get(key, 0.0))
            self._latest[key] = when
        self.time.at(when, action)
