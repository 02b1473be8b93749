"""Whether the proxy that everything goes through serves us, and when it may be asked again.

In: when requests start and what they come to. Out: whether another one may start. Pure: it is handed `now`.

A few failures in a row to get through to it, whatever the hosts, pause the run: it is asked again with one
request at a time, the pauses growing. A restart of the proxy costs a list nothing but time then. When it has
been away for long what is queued ends as `proxy`, and it is tried again a minute later.
"""

from __future__ import annotations

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

FAILURE_THRESHOLD = 3
"""In a row, without any request that got through."""
INITIAL_PAUSE = 1.0
MAX_PAUSE = 30.0
DOWN_AFTER = 300.0
"""Seconds from the first failure until what is queued is given up."""
PROBE_INTERVAL = 60.0
"""Seconds between tries at a proxy that was given up."""
FOREVER = float("inf")


class ProxyBreaker:
    """The one proxy of a run. Times are monotonic seconds."""

    __slots__ = ("_down_since", "_failures", "_is_down", "_pause", "_probing", "_ready_at", "notice")

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0.0
        """0 while it is believed to serve."""
        self._ready_at = self._down_since = 0.0
        self._probing = False
        """A request is on its way that will show whether it does."""
        self._is_down = False
        self.notice = ""
        """What a person is to be told; whoever does so takes it away."""

    @property
    def paused(self) -> bool:
        return self._pause > 0.0

    def may_start(self, now: float) -> bool:
        """Whether a request may start now."""
        return not self._pause or (self._ready_at <= now and not self._probing)

    def is_rejecting(self, now: float) -> bool:
        """Whether what is queued now ends without having been tried."""
        return self._is_down and now < self._ready_at

    def next_wakeup(self) -> float:
        """When `may_start()` may change by itself."""
        if not self._pause:
            return 0.0
        return FOREVER if self._probing else self._ready_at

    def started(self) -> None:
        self._probing = self._pause > 0.0

    def record_result(self, outcome: Outcome | None, now: float, started: float) -> None:
        """What a request that began at `started` came to; None: to nothing."""
        was_probe = self._pause > 0.0 and started >= self._ready_at
        if was_probe:
            self._probing = False
        if outcome is None or outcome.redirect is not None:
            return
        if outcome.proxy_down or outcome.record.error == FailureKind.TIMEOUT_CONNECT:
            self._record_failure(now, was_probe)
        elif outcome.record.response_code is not None or outcome.record.error == FailureKind.PROXY:
            self._failures = 0
            if self._pause:
                self.notice = "the proxy serves again"
                self._pause = 0.0
                self._is_down = self._probing = False

    def _record_failure(self, now: float, was_probe: bool) -> None:
        if not self._failures:
            self._down_since = now
        self._failures += 1
        if not self._pause:
            if self._failures >= FAILURE_THRESHOLD:
                self.notice = "the proxy does not serve; the run waits until it does"
                self._pause = INITIAL_PAUSE
                self._ready_at = now + self._pause
        elif was_probe:  # not one of those that were on their way before it
            if now - self._down_since < DOWN_AFTER:
                self._pause = min(MAX_PAUSE, 2.0 * self._pause)
            else:
                if not self._is_down:
                    self.notice = f"the proxy has not served for {DOWN_AFTER:g} s; what waits ends as proxy"
                self._is_down = True
                self._pause = PROBE_INTERVAL
            self._ready_at = now + self._pause
