"""Finds the number of connections that a host accepts at once. Pure: the time is a parameter. In: the
outcomes of the host's requests. Out: the maximum number in flight.

Some servers accept a number of connections from one address, and reset, close or ignore all others. If some
connections break while others succeed, fewer are opened; one more is tried after a number of responses, which
doubles each time that it breaks. An occasional reset changes nothing.
"""

from __future__ import annotations

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

NO_LIMIT = 1 << 60
MIN_BREAKS = 3
"""Number of connections that must break before fewer are opened."""
MAX_RESPONSES_PER_BREAK = 4
"""Number of responses per broken connection above which breaks count as occasional."""
MAX_RESPONSES_PER_BREAK_LIMITED = 20
"""The same for a host that is known to have a limit."""
WINDOW = 10.0
"""Seconds within which the breaks must happen."""
RAISE_AFTER = 50
"""Number of responses after which one more connection is tried; doubles each time that it breaks."""
MAX_RAISE_AFTER = 5000


def is_broken_connection(outcome: Outcome) -> bool:
    """Whether a connection ended, or timed out, without a response."""
    if outcome.record.response_code is not None:
        return False
    error = outcome.record.error
    return isinstance(error, FailureKind) and (
        error.breaks_connection or (error is FailureKind.TLS and outcome.transient)
    )


class ConnectionLimit:
    """The connection limit of one host, from the first broken connection on. Times are monotonic seconds."""

    __slots__ = (
        "_breaks",
        "_changed_at",
        "_limit_before",
        "_peak",
        "_probing",
        "_raise_after",
        "_responses",
        "_since",
        "_successes",
        "limit",
    )

    def __init__(self) -> None:
        self.limit = NO_LIMIT
        self._since = float("-inf")
        """When the first of the counted connections broke."""
        self._changed_at = float("-inf")
        """The time of the last change of the limit; requests that began earlier do not count."""
        self._breaks = self._responses = self._peak = 0
        self._successes = 0
        self._raise_after = RAISE_AFTER
        self._limit_before = 0
        """Number of connections before the limit was first lowered."""
        self._probing = False
        """Whether the limit was just raised by one."""

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self.limit < NO_LIMIT

    def record_break(self, now: float, started: float, in_flight: int, responded_at: float) -> None:
        """Count a connection that broke while `in_flight` others were in flight; `responded_at` is the time
        of the host's last response."""
        if started < self._changed_at:
            return
        if self._probing:
            self._change(now, self.limit - 1)
            self._raise_after = min(MAX_RAISE_AFTER, 2 * self._raise_after)
            return
        if now - self._since > WINDOW:
            self._since, self._breaks, self._responses, self._peak = now, 0, 0, 0
        self._breaks += 1
        self._peak = max(self._peak, in_flight + 1)
        if responded_at >= started:  # another request succeeded while this one waited
            self._responses = max(1, self._responses)
        self._maybe_lower(now)

    def record_response(self, now: float, started: float) -> None:
        """Count a response, of any status."""
        if self._breaks:
            self._responses += 1
            self._maybe_lower(now)
        if self.is_limited and started >= self._changed_at:
            self._successes += 1
            if self._successes >= self._raise_after:
                if self._probing:
                    self._raise_after = RAISE_AFTER
                if self.limit >= self._limit_before:  # as many as before, and the host accepts them
                    self._change(now, NO_LIMIT)
                else:
                    self._change(now, self.limit + 1)
                    self._probing = True

    def _maybe_lower(self, now: float) -> None:
        """Lower the limit if too many connections broke while others succeeded."""
        most = MAX_RESPONSES_PER_BREAK_LIMITED if self.is_limited else MAX_RESPONSES_PER_BREAK
        if self._breaks < MIN_BREAKS or not self._responses or self._breaks * most < self._responses:
            return
        current = min(self.limit, self._peak)
        if current > 1:
            if not self.is_limited:
                self._limit_before = current
            fewer = current // 2 if 2 * self._breaks >= current else current - 1
            self._change(now, max(1, fewer))

    def _change(self, now: float, limit: int) -> None:
        self.limit = max(1, limit)
        self._changed_at = now
        self._since = float("-inf")
        self._breaks = self._responses = self._peak = self._successes = 0
        self._probing = False
