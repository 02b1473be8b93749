"""AutoScaler: finds out how many fetches at once are fastest (`-w auto`). Pure: the time is a parameter.

In: the outcome of every attempt, and how many requests are in flight. Out: `target`, and the reason for it.

The number starts low and doubles as long as that brings more URLs per second. The first responses give an
estimate of the best number, workers = (wait + cpu) / cpu; up to half of it, the rate is not compared. When
doubling stops helping, the number returns to the smallest one that was as fast, and a slightly higher or
lower one is tried from time to time, less and less often. When servers are overloaded (429, 503, failing
connections, responses that take several times as long) the number is lowered at once, and rises slowly.
"""

from __future__ import annotations

from enum import Enum
from math import ceil, inf

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

START = 8
INTERVAL = 0.25
"""Minimum time of a measurement in seconds; also at least twice the mean time of a fetch."""
ENOUGH = 2000
"""Fetches after which a measurement may be shorter."""
FEWEST = 20
"""Minimum number of fetches in a measurement."""
CLIMB = 2.0
WORTH_CLIMBING = 1.08
"""Doubling continues while the rate grows by this factor."""
PROBE = 1.25
WORTH_KEEPING = 1.05
"""A higher number is kept if the rate grows by this factor, a lower one if it costs less than half of
that."""
FIRST_REST = 4
"""Measurements between two trials; each trial without a change doubles it, up to `LONGEST_REST`."""
LONGEST_REST = 64
BACK_OFF = 0.7
TOLERATED = 0.02
"""Share of attempts that may report overload by chance."""
SLOWER = 4.0
"""Responses that take this many times the lowest mean time count as overload, unless the rate grows."""
TOO_MUCH = frozenset((429, 503))


CEILING = "the limit set by --max-workers"


class ScalePhase(Enum):
    """What the next measurement is compared with."""

    CLIMBING = "still increasing"
    RESTING = "more were no faster"
    UP = "testing a few more"
    DOWN = "testing a few less"


class Best(Struct):
    """The number to return to, and its rate in URLs per second."""

    target: int
    rate: float


class AutoScaler:
    """Adapts `target`, the number of fetches there should be at once."""

    def __init__(self, ceiling: int, now: float) -> None:
        self.target = min(START, ceiling)
        self.reason = ScalePhase.CLIMBING.value
        self._ceiling = ceiling
        self._tolerated = ceiling
        """The highest number that servers tolerate, as far as known; at most the ceiling."""
        self._phase = ScalePhase.CLIMBING
        self._best = Best(self.target, 0.0)
        self._rest = self._left = FIRST_REST
        self._up_next = True
        self._guess = 0
        self._quickest = inf
        self._is_stale = False
        """Attempts that end now began before the last change, so the measurement is ignored."""
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Begin a measurement."""
        self._since = now
        self._done = self._overloads = 0
        self._seconds = 0.0
        self._short = False

    def record(self, outcome: Outcome) -> None:
        """Count an attempt."""
        self._done += 1
        self._seconds += outcome.record.time_total or 0.0
        error = outcome.record.error
        if outcome.record.response_code in TOO_MUCH or (isinstance(error, FailureKind) and error.is_overload):
            self._overloads += 1

    def update(self, now: float, in_flight: int, cpu: float) -> None:
        """Update `target`; to be called several times a second. `in_flight`: requests in flight now; `cpu`:
        CPU seconds per URL so far."""
        if in_flight < self.target:
            self._short = True  # something else limits the run
        if not self._done:
            if self._quickest == inf:  # no attempt has ended yet: DNS lookups are running
                self._begin(now)
            return
        mean = self._seconds / self._done
        least = INTERVAL if self._done < ENOUGH else 0.0
        if self._done < FEWEST or now - self._since < max(least, 2.0 * mean):
            return
        rate = self._done / (now - self._since)
        overloads = self._overloads / self._done
        short, stale = self._short, self._is_stale
        self._quickest = min(self._quickest, mean)
        if not self._guess and cpu > 0:
            self._guess = ceil((mean + cpu) / cpu)
        self._begin(now)
        self._is_stale = False
        if stale:
            return
        if overloads > TOLERATED:
            self._back_off("servers reported overload with more")
        elif mean > SLOWER * self._quickest and rate < self._best.rate * WORTH_KEEPING:
            self._back_off("responses were many times slower with more")
        elif not short:
            self._compare(rate)

    def _back_off(self, reason: str) -> None:
        best = self._best.target
        if self.target > best:  # servers tolerate a number between the two
            self._tolerated = (best + self.target) // 2
        else:
            best = self._tolerated = max(1, int(best * BACK_OFF))
        self._rest_at(best, 0.0)
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
                self._rest_at(self.target, rate)
            else:
                self._rest = min(LONGEST_REST, 2 * self._rest)
                self._up_next = not self._up_next
                self._rest_at(best.target, best.rate)

    def _climb(self, rate: float) -> None:
        best = self._best
        guessed = self.target <= self._guess // 2
        if rate < best.rate * WORTH_CLIMBING and not guessed:
            kept = Best(self.target, rate) if rate > best.rate * WORTH_KEEPING else best
            self._rest_at(kept.target, kept.rate)
            return
        self._best = Best(self.target, max(rate, best.rate))
        if self.target < self._tolerated:
            self._change(min(self._tolerated, int(self.target * CLIMB)))
        else:
            self._rest_at(self.target, rate)

    def _probe(self) -> None:
        if self._best.target >= self._tolerated and self._tolerated < self._ceiling:
            # Servers may tolerate more by now.
            self._tolerated = min(self._ceiling, self._tolerated + max(1, self._tolerated // 20))
        if self._up_next and self._best.target < self._tolerated:
            self._phase = ScalePhase.UP
            self._change(min(self._tolerated, ceil(self._best.target * PROBE)))
        else:
            self._phase = ScalePhase.DOWN
            self._change(max(1, int(self._best.target / PROBE)))

    def _rest_at(self, target: int, rate: float) -> None:
        self._best = Best(target, rate)
        self._phase = ScalePhase.RESTING
        self._left = self._rest
        self.reason = CEILING if target >= self._ceiling else ScalePhase.RESTING.value
        self._change(target)

    def _change(self, target: int) -> None:
        self._is_stale = self._is_stale or target < self.target
        self.target = target
