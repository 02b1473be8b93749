"""Limits the number of running threads when they contend for the interpreter's lock (GIL).

In: the CPU time used and the fetches done, several times a second. Out: the number of threads that may run.
Pure: the time is a parameter. Fetches from a distant server wait for the network, so the more run at once the
better. A fetch from a near server completes at once, and costs mostly Python code, which one thread at a time
may run. Ten threads that contend make each fetch twice as expensive as two do (docs/benchmarks.md). So when
small fetches use all of a core, fewer threads run; as soon as some of the core is idle, the number grows
again. A server that pauses now and then must not make the number go up and down, so each growth that had to
be undone at once doubles the time for which the core must be idle.
"""

from __future__ import annotations

FULL = 0.95
"""Used share of one core from which another thread would find no CPU time."""
SPARE = 0.8
"""Used share of one core below which another thread may help."""
MAX_CPU_PER_FETCH = 0.000_5
"""CPU seconds per fetch above which most are spent in TLS, decoders or copies, which release the GIL."""
LONGEST = 1.0
"""Seconds after which the limit is updated in any case."""
MOST_PATIENCE = 8
"""Maximum number of updates in a row that must find the core idle before the number grows."""
HELD = 10
"""Number of updates after which a growth counts as useful, even if it is undone."""
FEWEST = 2
"""Minimum number of threads: one waits for the network while the other computes."""


class ThreadLimit:
    """Adapts the number of threads to CPU use. Times are seconds; `cpu` is the process's CPU time."""

    def __init__(self, workers: int, *, is_used: bool = True) -> None:
        """Unless `is_used`, `limit` stays at the number of workers."""
        self.is_used = is_used
        self._workers = workers
        self._last: tuple[float, float, int] | None = None
        self._idle = 0
        """Number of updates in a row that found the core idle."""
        self._patience = 1
        """Number of such updates before the limit grows."""
        self._since_growth: int | None = None
        """Number of updates since the last growth; None if it was undone."""
        self.limit = workers
        """Number of threads that may run at once."""

    def resize(self, workers: int) -> None:
        """Change the maximum limit, and start from it."""
        self._workers = self.limit = workers
        self._last = None

    def update(self, now: float, cpu: float, done: int) -> None:
        """Update `limit`; `done` is the number of fetches so far. The limit is lowered only after each thread
        has done a fetch, since the effect of the last change is not visible sooner."""
        last = self._last
        if not self.is_used:
            return
        if last is None or now <= last[0]:
            self._last = (now, cpu, done)
            return
        seconds, used, fetched = now - last[0], cpu - last[1], done - last[2]
        idle = used < SPARE * seconds
        if not idle and fetched < self.limit and seconds < LONGEST:
            return
        self._last = (now, cpu, done)
        if self._since_growth is not None:
            self._since_growth += 1
        if idle or used >= MAX_CPU_PER_FETCH * fetched:
            self._idle += 1
            if self._idle >= self._patience:
                self._grow()
            return
        self._idle = 0
        if used >= FULL * seconds:
            self._shrink()

    def _grow(self) -> None:
        if self.limit < self._workers:
            self.limit = min(self._workers, self.limit + max(1, self.limit // 2))
            self._since_growth = 0

    def _shrink(self) -> None:
        lower = min(self._workers, max(FEWEST, self.limit // 2))
        if lower < self.limit:
            self.limit = lower
            if self._since_growth is not None:
                was_useless = self._since_growth < HELD
                self._patience = min(2 * self._patience, MOST_PATIENCE) if was_useless else 1
                self._since_growth = None
