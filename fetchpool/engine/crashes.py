"""Tracks worker crashes: whether a request is retried, isolated or failed, and what is reported. Pure.

A crashed worker loses all of its requests, so one crash says little about any of them. A request that was
lost twice runs alone in its worker, while the other workers go on; if a worker crashes on it then as well,
the request is the cause."""

from __future__ import annotations

MAX_CRASHES = 3
"""Crashes during a request after which it fails."""
REPORTS = 10
"""Number of crashed workers that are reported at once, each in its own message."""
REPORT_INTERVAL = 1.0
"""Seconds between two messages after that: a page may crash every worker that parses it."""


class CrashTracker:
    """Counts crashes by urlnum, and crashed workers by name."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.attempts = 0
        """Number of attempts ended by crashes."""
        self._workers: set[str] = set()
        self._reported = 0
        """Number of crashed workers that were reported."""
        self._next_report = float("-inf")

    @property
    def workers(self) -> int:
        """Number of workers that have crashed."""
        return len(self._workers)

    def count(self, urlnum: int, worker: str) -> int:
        """Count a crash during a request; return the number of crashes during this request."""
        self.attempts += 1
        self._workers.add(worker)
        crashes = self.counts[urlnum] = self.counts.get(urlnum, 0) + 1
        return crashes

    def report(self, worker: str, now: float) -> str:
        """Return a notice about a crashed worker; empty if it would add nothing."""
        new = len(self._workers) - self._reported
        if not new or (self._reported >= REPORTS and now < self._next_report):
            return ""
        self._reported += new
        self._next_report = now + REPORT_INTERVAL
        who = f"{new} workers" if new > 1 else worker or "worker"
        return f"{who} crashed; retrying what {'they were' if new > 1 else 'it was'} fetching"

    def must_run_alone(self, urlnum: int) -> bool:
        """Whether a worker must run this request alone."""
        return self.counts.get(urlnum, 0) >= MAX_CRASHES - 1

    def forget(self, urlnum: int) -> None:
        """Drop the count of a request that has its final row."""
        self.counts.pop(urlnum, None)
