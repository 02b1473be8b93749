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
ENOUGH = 3
"""Connections that must break until fewer are made."""
SHARE = 4
"""And at least one for so many answers that come meanwhile."""
SHARE_OF_FEW = 20
"""The same where fewer are made already: it does have a limit."""
WINDOW = 10.0
"""Seconds in which that must happen."""
GOOD = 50
"""Answers until one connection more is tried; doubled each time that it breaks."""
MOST_GOOD = 5000


def is_break(outcome: Outcome) -> bool:
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
        "_answers",
        "_breaks",
        "_changed_at",
        "_good",
        "_needed",
        "_peak",
        "_since",
        "_top",
        "_trying",
        "most",
    )

    def __init__(self) -> None:
        self.most = NO_LIMIT
        self._since = float("-inf")
        """When the first of the connections broke that are counted."""
        self._changed_at = float("-inf")
        """Requests that began before were on their way already."""
        self._breaks = self._answers = self._peak = 0
        self._good = 0
        self._needed = GOOD
        self._top = 0
        """How many there were before fewer were made."""
        self._trying = False
        """One more than had been good."""

    @property
    def limited(self) -> bool:
        return self.most < NO_LIMIT

    def broke(self, now: float, started: float, others: int, answered_at: float) -> None:
        """A connection broke while so many others were in flight; the last answer had come then."""
        if started < self._changed_at:
            return
        if self._trying:
            self._change(now, self.most - 1)
            self._needed = min(MOST_GOOD, 2 * self._needed)
            return
        if now - self._since > WINDOW:
            self._since, self._breaks, self._answers, self._peak = now, 0, 0, 0
        self._breaks += 1
        self._peak = max(self._peak, others + 1)
        if answered_at >= started:  # another one was served while this one waited
            self._answers = max(1, self._answers)
        self._judge(now)

    def answered(self, now: float, started: float) -> None:
        """An answer came, whatever it was."""
        if self._breaks:
            self._answers += 1
            self._judge(now)
        if self.limited and started >= self._changed_at:
            self._good += 1
            if self._good >= self._needed:
                if self._trying:
                    self._needed = GOOD
                if self.most >= self._top:  # as many as ever: it bears them
                    self._change(now, NO_LIMIT)
                else:
                    self._change(now, self.most + 1)
                    self._trying = True

    def _judge(self, now: float) -> None:
        """Fewer, when too many break while others answer."""
        share = SHARE_OF_FEW if self.limited else SHARE
        if self._breaks < ENOUGH or not self._answers or self._breaks * share < self._answers:
            return
        now_at_once = min(self.most, self._peak)
        if now_at_once > 1:
            if not self.limited:
                self._top = now_at_once
            fewer = now_at_once // 2 if 2 * self._breaks >= now_at_once else now_at_once - 1
            self._change(now, max(1, fewer))

    def _change(self, now: float, most: int) -> None:
        self.most = max(1, most)
        self._changed_at = now
        self._since = float("-inf")
        self._breaks = self._answers = self._peak = self._good = 0
        self._trying = False
