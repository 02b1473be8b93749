"""RemoteStation: the driver's view of a station: the requests that it holds, the number of fetches that it
may run, and the time of its last report.

In: requests and commands for it, and its reports. Out: calls to the cluster, one at a time; commands added
meanwhile go with the next call.
"""

from __future__ import annotations

from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.cluster import Cluster, Worker
from fetchpool.pools.cluster.lease import PING
from fetchpool.pools.cluster.messages import Command, Commands, Kind, Report
from fetchpool.pools.process.shares import Rate
from fetchpool.pools.process.work import WorkItem

SILENT_AFTER = 2.5 * PING
"""Seconds without a report after which a station gets no more requests until it sends one."""


class RemoteStation:
    """One station, from when it is opened until it ends."""

    def __init__(self, name: str, worker: Worker, cluster: Cluster, now: float) -> None:
        self.name = name
        """Unique in the run, so that reports of an earlier station in the same worker are not taken for this
        one's."""
        self.worker = worker
        self._cluster = cluster
        self.is_open = False
        self.limit = 0
        """Maximum number of fetches that the station can run at once."""
        self.held: dict[int, WorkItem] = {}
        """Requests that were sent and have no outcome yet, by number, in the order of sending."""
        self.is_isolating = False
        """Whether the station runs a single request, or is about to."""
        self.places = 0
        """Number of fetches that the station may run at once."""
        self._grants: dict[int, int] = {0: 0}
        """Places by serial number, from the last grant that has taken effect."""
        self.reported_at = self.last_outcome = self.recalled_at = now
        """The times of the last report, of the last outcome, and of the last command to return requests that
        have not started."""
        self.opened_at = now
        self.cpu_seconds = 0.0
        """CPU time of its worker since the station was opened."""
        self.stuck = 0
        """Number of parsers in the station that did not return in time."""
        self.lookups: set[str] = set()
        """The names that the station was asked to look up."""
        self.rate = Rate()
        self._received = 0
        """The number of the last report."""
        self._calls = 0
        self._commands: list[Command] = []
        self._is_calling = False
        self._next_call = now
        self._ping_at = now + PING

    # Its places

    @property
    def bound(self) -> int:
        """Maximum number of fetches that the station may be running now: the largest grant that may still be
        in effect."""
        return max(self._grants.values())

    def grant(self, places: int) -> None:
        """Set the number of fetches that the station runs at once."""
        if places != self.places:
            self.places = places
            serial = max(self._grants) + 1
            self._grants[serial] = places
            self.add(Kind.PLACES, b"%d %d" % (serial, places))

    @property
    def ahead(self) -> int:
        """Number of requests that may wait in the station for a place, so that the next fetch starts without
        waiting for a message."""
        return max(self.places // 2, self.rate.ahead)

    def capacity(self, *, ahead: bool) -> int:
        """Return the number of requests that the station can be sent: those that it would start, and those
        `ahead` of them."""
        if not self.is_open or not self.places or self.is_isolating:
            return 0
        return max(0, self.places + (self.ahead if ahead else 0) - len(self.held))

    @property
    def surplus(self) -> int:
        """Number of requests that the station holds but has not started."""
        return max(0, len(self.held) - self.places)

    # Its reports

    def is_silent(self, now: float) -> bool:
        """Whether the station has sent no report for some time."""
        return now - self.reported_at >= SILENT_AFTER

    def take(self, report: Report, now: float) -> bool:
        """Record a report; return False if an earlier one is missing."""
        if report.number != self._received + 1:
            return False
        self._received = report.number
        self.reported_at = now
        self.cpu_seconds = report.cpu_seconds
        if report.settled in self._grants:
            for serial in [serial for serial in self._grants if serial < report.settled]:
                del self._grants[serial]
        return True

    # Its calls

    def add(self, kind: Kind, payload: bytes = b"") -> None:
        """Add a command to the next call."""
        self._commands.append((kind, payload))

    @property
    def coming_call(self) -> int:
        """The number of the call that will carry commands added now."""
        return self._calls + 1

    @property
    def delivered_call(self) -> int:
        """The number of the last call that is known to have reached the station."""
        return self._calls - self._is_calling

    def delivered(self) -> None:
        """Record that the last call has reached the station."""
        self._is_calling = False

    @property
    def may_call(self) -> bool:
        """Whether the station can be called now."""
        return self.is_open and not self._is_calling

    def next_call(self) -> float:
        """Return the earliest time at which there is a reason to call the station."""
        return self._next_call if self._commands else self._ping_at

    def call(self, now: float, interval: float) -> None:
        """Send all commands to the station. The next call follows after at least `interval` seconds. A silent
        station is not called, so that its lease ends."""
        if not self.may_call or now < self.next_call() or self.is_silent(now):
            return
        commands, self._commands = self._commands, []
        self._is_calling = True
        self._calls += 1
        self._next_call, self._ping_at = now + interval, now + PING
        data = messages.encode(Commands(messages.VERSION, self._received, interval, commands))
        self._cluster.put(self.name, self._calls, data)
