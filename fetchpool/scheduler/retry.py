"""Retry policy: whether a failed attempt is retried, and when. Pure: no clock, no sleep, no I/O.

In: the outcome of an attempt. Out: a delay in seconds, or None if no attempt follows. `engine/in_flight.py`
schedules that attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import random

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import TRANSIENT_STATUSES
from fetchpool.model.request import FetchRequest

MAX_BACKOFF = 60.0
"""Maximum of the exponential part, in seconds."""
MAX_UNCOUNTED = 5
"""Retries of one URL that are not counted."""
MOST_DOUBLINGS = 60
"""Maximum number of doublings: by then even a microsecond exceeds the maximum, and a float would overflow
after 1,023."""


class RetryPolicy(Struct, frozen=True):
    """Exponential backoff with full jitter, `random(0, min(MAX_BACKOFF, retry_delay * 2 ** num_retries))`,
    and never sooner than the server's `Retry-After`."""

    retry: int = 2
    retry_delay: float = 1.0
    retry_max_time: float | None = None
    """Seconds from the start of the first attempt, after which no attempt starts. None means no limit."""
    retry_after_max: float = 300.0
    """Maximum of a server's `Retry-After`, in seconds."""
    jitter: Callable[[], float] = random

    def delay(self, request: FetchRequest, outcome: Outcome, elapsed: float) -> float | None:
        """Return the seconds until the next attempt, or None if there is none. `elapsed`: seconds since the
        first attempt started."""
        if request.num_retries >= self.retry or not is_transient(outcome):
            return None
        doubled = self.retry_delay * 2.0 ** min(request.num_retries, MOST_DOUBLINGS)
        backoff = min(MAX_BACKOFF, doubled) * self.jitter()
        delay = max(backoff, self.retry_after(outcome) or 0.0)
        if self.retry_max_time is not None and elapsed + delay > self.retry_max_time:
            return None
        return delay

    def uncounted_delay(self, request: FetchRequest, outcome: Outcome) -> float | None:
        """Return the seconds until an attempt that failed because of other connections is repeated, or
        None."""
        if not self.retry or request.num_uncounted >= MAX_UNCOUNTED or not is_transient(outcome):
            return None
        return min(MAX_BACKOFF, self.retry_delay * 2.0**request.num_uncounted) * self.jitter()

    def retry_after(self, outcome: Outcome) -> float | None:
        """Return the seconds that the server asked to wait, within the maximum; None if it did not."""
        if outcome.retry_after is None:
            return None
        seconds = parse_retry_after(outcome.retry_after)
        return None if seconds is None else min(seconds, self.retry_after_max)


def is_transient(outcome: Outcome) -> bool:
    """Whether a retry may help."""
    record = outcome.record
    error = record.error
    if error is None:
        return False
    if outcome.transient or (isinstance(error, FailureKind) and error.is_transient):
        return True
    return error.startswith("http_") and record.response_code in TRANSIENT_STATUSES


def parse_retry_after(value: str, now: datetime | None = None) -> float | None:
    """Parse `Retry-After` (RFC 9110 section 10.2.3), seconds or a date, into seconds from now. Negative
    values and past dates are 0; invalid values are None."""
    value = value.strip()
    if value.isascii() and value.lstrip("-").isdigit():
        return 0.0 if value.startswith("-") else float(value)
    from email.utils import parsedate_to_datetime  # imported here, since few servers send a date

    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000" means UTC
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
