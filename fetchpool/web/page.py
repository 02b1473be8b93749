"""PageState: the state of the web page's process: what the run has sent, and which browser tabs wait for the
final state.

In: messages of the run. Out: the values of the API. It does no I/O; its clock is a parameter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec

from fetchpool.web.messages import End, Notice, RunInfo
from fetchpool.web.series import Sample, Series

MAX_EVENTS = 50
TAB_TIMEOUT = 3.0
"""Seconds without a request after which a tab counts as closed."""
MAX_TABS = 64
NOT_CAUSES = frozenset(("cpu", "cores", "idle", "stations", "stations_cpu"))
"""Fields of `wait_times` that are not bottlenecks."""


class PageState:
    """The content of the page."""

    def __init__(self, run: RunInfo, clock: Callable[[], float] = monotonic) -> None:
        self.run = run
        self.series = Series()
        self.version = 0
        """Changes with each message."""
        self.snapshot: dict[str, Any] = {}
        self.has_begun = asyncio.Event()
        """Set with the first snapshot."""
        self._events: deque[Notice] = deque(maxlen=MAX_EVENTS)
        self._end: End | None = None
        self._clock = clock
        self._tabs: dict[str, float] = {}

    @property
    def has_ended(self) -> bool:
        return self._end is not None

    @property
    def seq(self) -> int:
        """The number of the newest snapshot."""
        return int(self.snapshot["seq"]) if self.snapshot else 0

    def update(self, snapshot: bytes | msgspec.Raw) -> None:
        """Store a new snapshot."""
        self.snapshot = msgspec.json.decode(snapshot)
        self.version += 1
        self.has_begun.set()
        self.series.add(_sample(self.snapshot))

    def notice(self, notice: Notice) -> None:
        """Store a notice."""
        self._events.append(notice)
        self.version += 1

    def end(self, end: End) -> None:
        """Store the end of the run."""
        self._end = end
        self.version += 1

    def answer(self, tab: str = "") -> dict[str, Any]:
        """Return the snapshot with the values that only the page shows. `tab`: the name of the browser tab,
        if it has one."""
        end = self._end
        if tab and (tab in self._tabs or len(self._tabs) < MAX_TABS):
            self._tabs[tab] = self._clock()
            if end is not None:
                del self._tabs[tab]
        return {
            **self.snapshot,
            **({} if end is None else {"state": "ended"}),
            "exit_code": None if end is None else end.exit_code,
            "summary": [] if end is None else end.summary,
            "events": [msgspec.structs.asdict(event) for event in self._events],
        }

    def has_tabs(self) -> bool:
        """Whether a tab that was open a moment ago has not fetched the final state yet."""
        since = self._clock() - TAB_TIMEOUT
        self._tabs = {tab: seen for tab, seen in self._tabs.items() if seen >= since}
        return bool(self._tabs)


def _sample(snapshot: dict[str, Any]) -> Sample:
    waits: dict[str, Any] = snapshot["wait_times"]
    return Sample(
        elapsed=snapshot["elapsed"],
        ok=snapshot["ok"],
        failed=snapshot["done"] - snapshot["ok"],
        size=snapshot["size_delivered"],
        p50=snapshot["recent_p50"],
        p95=snapshot["recent_p95"],
        in_flight=snapshot["in_flight"],
        allowed=snapshot["workers"],
        waiting=snapshot["queued"],
        held={name: value for name, value in waits.items() if name not in NOT_CAUSES},
    )
