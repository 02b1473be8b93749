"""How many threads pay: past a few, threads that all want the interpreter only take it from each other.

In: what the process has used and done, some times a second. Out: how many threads may run. Pure: it is
handed the time.

A fetch from far away waits for the network, and the more of them wait together the better. A fetch from
near by is over at once, and what it then costs is Python: one thread may run that at a time. Ten threads
that fight for it make each fetch twice as dear as two do (docs/benchmarks.md), so when all of a core is
used, and by small fetches, fewer run; as soon as some of it is left there are more again.
"""

from __future__ import annotations

FULL = 0.95
"""Of one core: with so much in use nothing is left that another thread could have."""
ROOM = 0.8
"""Of one core: with less in use another thread may help."""
SMALL = 0.000_5
"""CPU seconds: a fetch that takes more spends them in TLS, decoders or copies, which run beside Python."""
LONGEST = 1.0
"""Seconds after which it is judged in any case."""
FEWEST = 2
"""One waits for the network while the other computes."""


class ThreadLimit:
    """Times are seconds, `cpu` those of all threads together."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._last: tuple[float, float, int] | None = None
        self.limit = workers
        """Threads that may run at once."""

    def look(self, now: float, cpu: float, done: int) -> None:
        """Changes `limit` by what happened since it was last judged; `done` counts the fetches. That there
        are too many is judged when each has done one: what the last change did shows no sooner."""
        last = self._last
        if last is None or now <= last[0]:
            self._last = (now, cpu, done)
            return
        seconds, used, fetched = now - last[0], cpu - last[1], done - last[2]
        idle = used < ROOM * seconds
        if not idle and fetched < self.limit and seconds < LONGEST:
            return
        self._last = (now, cpu, done)
        if idle or used >= SMALL * fetched:
            self.limit = min(self._workers, self.limit + max(1, self.limit // 2))
        elif used >= FULL * seconds:
            self.limit = min(self._workers, max(FEWEST, self.limit * 3 // 4))
