"""How many connections a host bears at once, found out from those that break while others answer.

In: what the host's requests come to. Out: how many may be in flight. Pure: it is handed `now`.

Some servers serve so many connections of one address, and reset, close or leave waiting all others. When some
of them break, fewer are made; after good answers one more is tried, more rarely each time that it breaks. A
reset now and then among answers changes nothing.
"""

from __future__ import annotations

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

NO_LIMIT = 1 << 60
MIN_BREAKS = 3
"""Connections that must break until fewer are made."""
MAX_RESPONSES_PER_BREAK = 4
"""And at least one for so many answers that come meanwhile."""
MAX_RESPONSES_PER_BREAK_LIMITED = 20
"""The same where fewer are made already: it does have a limit."""
WINDOW = 10.0
"""Seconds in which that must happen."""
RAISE_AFTER = 50
"""Answers until one connection more is tried; doubled each time that it breaks."""
MAX_RAISE_AFTER = 5000


def is_broken_connection(outcome: Outcome) -> bool:
    """Whether a connection ended, or was left waiting, without an answer."""
    if outcome.record.response_code is not None:
        return False
    error = outcome.record.error
    return isinstance(error, FailureKind) and (
        error.breaks_connection or (error is FailureKind.TLS and outcome.passing)
    )


class ConnectionLimit:
    """Of one host, from its first connection that broke. Times are monotonic seconds."""

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
        """When the first of the connections broke that are counted."""
        self._changed_at = float("-inf")
        """Requests that began before were on their way already."""
        self._breaks = self._responses = self._peak = 0
        self._successes = 0
        self._raise_after = RAISE_AFTER
        self._limit_before = 0
        """How many there were before fewer were made."""
        self._probing = False
        """One more than had been good."""

    @property
    def is_limited(self) -> bool:
        return self.limit < NO_LIMIT

    def record_break(self, now: float, started: float, in_flight: int, responded_at: float) -> None:
        """A connection broke while so many others were in flight; the last answer had come then."""
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
        if responded_at >= started:  # another one was served while this one waited
            self._responses = max(1, self._responses)
        self._maybe_lower(now)

    def record_response(self, now: float, started: float) -> None:
        """An answer came, whatever it was."""
        if self._breaks:
            self._responses += 1
            self._maybe_lower(now)
        if self.is_limited and started >= self._changed_at:
            self._successes += 1
            if self._successes >= self._raise_after:
                if self._probing:
                    self._raise_after = RAISE_AFTER
                if self.limit >= self._limit_before:  # as many as ever: it bears them
                    self._change(now, NO_LIMIT)
                else:
                    self._change(now, self.limit + 1)
                    self._probing = True

    def _maybe_lower(self, now: float) -> None:
        """Fewer, when too many break while others answer."""
        share = MAX_RESPONSES_PER_BREAK_LIMITED if self.is_limited else MAX_RESPONSES_PER_BREAK
        if self._breaks < MIN_BREAKS or not self._responses or self._breaks * share < self._responses:
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
