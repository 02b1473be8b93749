"""How many fetches at once (`-w auto`): as many as help, and no more. Pure: it is handed `now`.

In: what every attempt came to, and how full the window was. Out: `target`, and why it is that.

It starts low and doubles while that brings more URLs per second. The first answers give a first guess of
where it will end, by the old rule workers = (wait + cpu) / cpu, and until there it need not look twice.
When doubling stops helping it goes back to the smallest number that was as good, and tries a little more
and a little less from time to time, less and less often. When servers say that it is too much (429, 503,
connections that fail, answers that take many times as long) it backs off at once and comes back slowly.
"""

from __future__ import annotations

from enum import Enum
from math import ceil, inf

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

START = 8
INTERVAL = 0.25
"""Seconds that a throughput is measured over, at least; and twice what a fetch takes."""
ENOUGH = 2000
"""Fetches that are measure enough in less time."""
FEWEST = 20
"""Fetches without which nothing is measured."""
CLIMB = 2.0
WORTH_CLIMBING = 1.08
"""Doubling goes on while it brings this much more."""
PROBE = 1.25
WORTH_KEEPING = 1.05
"""A probe upwards is kept when it brings this much more; one downwards when it costs less than half of
that."""
FIRST_REST = 4
"""Intervals between two probes; each that changes nothing doubles it, up to `LONGEST_REST`."""
LONGEST_REST = 64
BACK_OFF = 0.7
TOLERATED = 0.02
"""Share of answers that may say "too much" by chance."""
SLOWER = 4.0
"""An answer that takes so many times what it took with few at once says "too much" as well, unless
more of them come."""
TOO_MUCH = frozenset((429, 503))


CEILING = "the limit set by --max-workers"


class ScalePhase(Enum):
    """What the next measurement is compared with."""

    CLIMBING = "still increasing"
    RESTING = "more were no faster"
    UP = "testing a few more"
    DOWN = "testing a few less"


class Best(Struct):
    """The number that is kept, and what it brought, in URLs per second."""

    target: int
    rate: float


class AutoScaler:
    """`target` is how many fetches there should be at once just now."""

    def __init__(self, ceiling: int, now: float) -> None:
        self.target = min(START, ceiling)
        self.reason = ScalePhase.CLIMBING.value
        self._ceiling = ceiling
        self._room = ceiling
        """What servers have borne; at most the ceiling."""
        self._phase = ScalePhase.CLIMBING
        self._best = Best(self.target, 0.0)
        self._rest = self._left = FIRST_REST
        self._up_next = True
        self._guess = 0
        self._quickest = inf
        self._is_stale = False
        """What ends now began before the last change: it says nothing of the number there is."""
        self._begin(now)

    def _begin(self, now: float) -> None:
        """A new measurement."""
        self._since = now
        self._done = self._complaints = 0
        self._seconds = 0.0
        self._short = False

    def record(self, outcome: Outcome) -> None:
        """An attempt ended."""
        self._done += 1
        self._seconds += outcome.record.time_total or 0.0
        error = outcome.record.error
        if outcome.record.response_code in TOO_MUCH or (isinstance(error, FailureKind) and error.is_overload):
            self._complaints += 1

    def update(self, now: float, in_flight: int, cpu: float) -> None:
        """To be called every now and then. `in_flight`: how many there are now; `cpu`: CPU seconds a
        URL has cost so far."""
        if in_flight < self.target:
            self._short = True  # something else holds the run back: the number says nothing
        if not self._done:
            if self._quickest == inf:  # nothing has ever landed: names are being looked up
                self._begin(now)
            return
        mean = self._seconds / self._done
        least = INTERVAL if self._done < ENOUGH else 0.0
        if self._done < FEWEST or now - self._since < max(least, 2.0 * mean):
            return
        rate = self._done / (now - self._since)
        complaints = self._complaints / self._done
        short, stale = self._short, self._is_stale
        self._quickest = min(self._quickest, mean)
        if not self._guess and cpu > 0:
            self._guess = ceil((mean + cpu) / cpu)
        self._begin(now)
        self._is_stale = False
        if stale:
            return
        if complaints > TOLERATED:
            self._back_off("servers reported overload with more")
        elif mean > SLOWER * self._quickest and rate < self._best.rate * WORTH_KEEPING:
            self._back_off("responses were many times slower with more")
        elif not short:
            self._compare(rate)

    def _back_off(self, reason: str) -> None:
        best = self._best.target
        if self.target > best:  # between the two lies what they bear
            self._room = (best + self.target) // 2
        else:
            best = self._room = max(1, int(best * BACK_OFF))
        self._settle(best, 0.0)
        self._is_stale = True
        self.reason = reason

    def _compare(self, rate: float) -> None:
        best = self._best
        if self._phase is ScalePhase.CLIMBING:
            self._climb(rate)
        elif self._phase is ScalePhase.RESTING:
            best.rate += (rate - best.rate) / 4 if best.rate else rate
            self._left -= 1
            if self._left <= 0:
                self._probe()
        else:
            least = WORTH_KEEPING if self._phase is ScalePhase.UP else 1.0 - (WORTH_KEEPING - 1.0) / 2
            if rate > best.rate * least:
                self._rest = FIRST_REST
                self._settle(self.target, rate)
            else:
                self._rest = min(LONGEST_REST, 2 * self._rest)
                self._up_next = not self._up_next
                self._settle(best.target, best.rate)

    def _climb(self, rate: float) -> None:
        best = self._best
        guessed = self.target <= self._guess // 2
        if rate < best.rate * WORTH_CLIMBING and not guessed:
            kept = Best(self.target, rate) if rate > best.rate * WORTH_KEEPING else best
            self._settle(kept.target, kept.rate)
            return
        self._best = Best(self.target, max(rate, best.rate))
        if self.target < self._room:
            self._change(min(self._room, int(self.target * CLIMB)))
        else:
            self._settle(self.target, rate)

    def _probe(self) -> None:
        if self._best.target >= self._room and self._room < self._ceiling:
            self._room = min(
                self._ceiling, self._room + max(1, self._room // 20)
            )  # they may bear more by now
        if self._up_next and self._best.target < self._room:
            self._phase = ScalePhase.UP
            self._change(min(self._room, ceil(self._best.target * PROBE)))
        else:
            self._phase = ScalePhase.DOWN
            self._change(max(1, int(self._best.target / PROBE)))

    def _settle(self, target: int, rate: float) -> None:
        self._best = Best(target, rate)
        self._phase = ScalePhase.RESTING
        self._left = self._rest
        self.reason = CEILING if target >= self._ceiling else ScalePhase.RESTING.value
        self._change(target)

    def _change(self, target: int) -> None:
        self._is_stale = self._is_stale or target < self.target
        self.target = target
