"""A station as the driver sees it: what it holds, how many fetches it may run, when it sent its last report.

In: requests and commands for it, and its reports. Out: calls to the cluster, one at a time; what is added
meanwhile goes with the next one.
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
    """One station, from its opening to its end."""

    def __init__(self, name: str, worker: Worker, cluster: Cluster, now: float) -> None:
        self.name = name
        """Unique in the run: reports of another station of the same worker are not taken for its own."""
        self.worker = worker
        self._cluster = cluster
        self.is_open = False
        self.limit = 0
        """The most fetches that it can run at once."""
        self.held: dict[int, WorkItem] = {}
        """What it was sent and has not answered, by number, in that order."""
        self.is_isolating = False
        """It runs a single request, or is about to."""
        self.places = 0
        """How many fetches it may run at once."""
        self._grants: dict[int, int] = {0: 0}
        """Places by serial number, from the last that has taken effect on."""
        self.reported_at = self.last_outcome = self.recalled_at = now
        """The times of its last report, of its last outcome, and of the last command to return requests that
        have not started."""
        self.cpu_seconds = 0.0
        self.stuck = 0
        """Number of parsers there that did not return in time."""
        self.lookups: set[str] = set()
        """The names that it was asked to look up."""
        self.rate = Rate()
        self._received = 0
        """The number of its last report."""
        self._calls = 0
        self._commands: list[Command] = []
        self._is_calling = False
        self._next_call = now
        self._ping_at = now + PING

    # Its places

    @property
    def bound(self) -> int:
        """The most fetches that it may be running now: what it was granted last, and before as long as it may
        not have taken that in."""
        return max(self._grants.values())

    def grant(self, places: int) -> None:
        """Have it run so many fetches at once from now on."""
        if places != self.places:
            self.places = places
            serial = max(self._grants) + 1
            self._grants[serial] = places
            self.add(Kind.PLACES, b"%d %d" % (serial, places))

    @property
    def ahead(self) -> int:
        """How many requests may wait there for a place: so the next fetch starts without a message's way."""
        return max(self.places // 2, self.rate.ahead)

    def capacity(self, *, ahead: bool) -> int:
        """How many requests it can be sent: those that it would start, and those `ahead` of them."""
        if not self.is_open or not self.places or self.is_isolating:
            return 0
        return max(0, self.places + (self.ahead if ahead else 0) - len(self.held))

    @property
    def surplus(self) -> int:
        """Number of requests that it holds and has not started."""
        return max(0, len(self.held) - self.places)

    # Its reports

    def is_silent(self, now: float) -> bool:
        """Whether it has sent no report for some time."""
        return now - self.reported_at >= SILENT_AFTER

    def take(self, report: Report, now: float) -> bool:
        """Note a report; return False if one before it is missing."""
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

    def delivered(self) -> None:
        """Note that the last call has reached the station."""
        self._is_calling = False

    @property
    def may_call(self) -> bool:
        """Whether a call can be made, as far as the station is concerned."""
        return self.is_open and not self._is_calling

    def next_call(self) -> float:
        """When there is a reason to call it."""
        return self._next_call if self._commands else self._ping_at

    def call(self, now: float, interval: float) -> None:
        """Take all commands to the station, and make the next call after `interval` seconds at the
        earliest. A silent station is not called: its lease is to end."""
        if not self.may_call or now < self.next_call() or self.is_silent(now):
            return
        commands, self._commands = self._commands, []
        self._is_calling = True
        self._calls += 1
        self._next_call, self._ping_at = now + interval, now + PING
        data = messages.encode(Commands(messages.VERSION, self._received, interval, commands))
        self._cluster.put(self.name, self._calls, data)
