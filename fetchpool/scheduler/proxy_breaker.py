"""Circuit breaker of the proxy that all requests go through. Pure: the time is a parameter.

In: when requests start, and their outcomes. Out: whether another one may start.

After a few consecutive failures to connect to the proxy, for whatever hosts, the run pauses: one request at a
time probes the proxy, at growing intervals. So a restart of the proxy only costs time. After a long outage
queued requests end as `proxy`, and the proxy is probed once a minute.
"""

from __future__ import annotations

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

FAILURE_THRESHOLD = 3
"""Consecutive failures after which the run pauses."""
INITIAL_PAUSE = 1.0
MAX_PAUSE = 30.0
DOWN_AFTER = 300.0
"""Seconds from the first failure until queued requests are abandoned."""
PROBE_INTERVAL = 60.0
"""Seconds between probes after that."""
FOREVER = float("inf")


class ProxyBreaker:
    """The state of the run's proxy. Times are monotonic seconds."""

    __slots__ = ("_down_since", "_failures", "_is_down", "_pause", "_probing", "_ready_at", "notice")

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0.0
        """Seconds until the next probe; 0 while the proxy works."""
        self._ready_at = self._down_since = 0.0
        self._probing = False
        """Whether a probe is in flight."""
        self._is_down = False
        self.notice = ""
        """A notice for the user; the caller removes it."""

    @property
    def paused(self) -> bool:
        """Whether requests wait for the proxy."""
        return self._pause > 0.0

    def may_start(self, now: float) -> bool:
        """Whether a request may start now."""
        return not self._pause or (self._ready_at <= now and not self._probing)

    def is_rejecting(self, now: float) -> bool:
        """Whether queued requests are abandoned without an attempt."""
        return self._is_down and now < self._ready_at

    def next_wakeup(self) -> float:
        """Return when `may_start()` may change without a result."""
        if not self._pause:
            return 0.0
        return FOREVER if self._probing else self._ready_at

    def seconds_left(self, now: float) -> float:
        """Return the seconds until the next probe; 0 while a probe is in flight."""
        return max(self._ready_at - now, 0.0)

    def started(self) -> None:
        """Record that a request has started."""
        self._probing = self._pause > 0.0

    def record_result(self, outcome: Outcome | None, now: float, started: float) -> None:
        """Update the state with the outcome of a request that began at `started`; None if there is none."""
        was_probe = self._pause > 0.0 and started >= self._ready_at
        if was_probe:
            self._probing = False
        if outcome is None or outcome.pending_redirect is not None:
            return
        if outcome.proxy_down or outcome.record.error == FailureKind.TIMEOUT_CONNECT:
            self._record_failure(now, was_probe)
        elif outcome.record.response_code is not None or outcome.record.error == FailureKind.PROXY:
            self._failures = 0
            if self._pause:
                self.notice = "the proxy is available again"
                self._pause = 0.0
                self._is_down = self._probing = False

    def _record_failure(self, now: float, was_probe: bool) -> None:
        if not self._failures:
            self._down_since = now
        self._failures += 1
        if not self._pause:
            if self._failures >= FAILURE_THRESHOLD:
                self.notice = "the proxy is not available; waiting for it"
                self._pause = INITIAL_PAUSE
                self._ready_at = now + self._pause
        elif was_probe:  # not a request that began earlier
            if now - self._down_since < DOWN_AFTER:
                self._pause = min(MAX_PAUSE, 2.0 * self._pause)
            else:
                if not self._is_down:
                    self.notice = f"the proxy was not available for {DOWN_AFTER:g} s; failing queued URLs"
                self._is_down = True
                self._pause = PROBE_INTERVAL
            self._ready_at = now + self._pause
