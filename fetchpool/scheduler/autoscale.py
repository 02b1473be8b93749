"""AutoScaler: finds the concurrency at which a run is fastest (`-w auto`). Pure: the time is a parameter.

In: every attempt's outcome and its time in flight. Out: `target`, and the reason for it.

A round measures one number. Its rate is the number divided by the mean time in flight (Little's law), so it
does not matter whether responses come evenly or in bursts. At first the number doubles while the rate grows
with it, as fast as responses come. Then it stays at the higher one, since too many cost little and too few
cost much. Later a higher and a lower number are tested in turn, less and less often. A test has several
rounds, so that one bad measurement decides nothing. On overload (429, 503, broken connections, timeouts) the
number is lowered at once, then found by bisection. If lowering it costs URLs and failures remain as frequent,
the number is not their cause, and they are tolerated.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from math import inf
from statistics import median

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome

START = 16
ENOUGH = 64
"""The number grows up to this value in any case: so few fetches cost nothing, and the first measurements are
the least reliable."""
ROUND = 0.1
"""Minimum seconds of a round, so that short pauses of the machine change little."""
TRIES = 3
"""Number of rounds in a test, and before the first test; also the number of overloads that are not a
coincidence. Disturbances last one or two rounds."""
MIN_GAIN, FIRST_MIN_GAIN = 0.25, 0.6
"""A higher number is kept if the rate grows by this share of the increase (25 % when it doubles); in the
first round, before the new requests wait for each other, by 60 %."""
FASTER = 1.08
"""Minimum factor by which a change must raise the rate: less is noise."""
MAX_REST = 512
"""Maximum number of rounds between two tests. Each test without a change doubles the number."""
BACK_OFF = 0.7
"""Factor that is applied to a number that is too high, as in TCP's CUBIC."""
TOLERATED = 0.02
"""Maximum share of attempts that may report overload."""
TOO_MUCH = frozenset((429, 503))
CEILING = "the limit set by --max-workers"


class ScalePhase(Enum):
    """What a round is for; the values explain it to the user."""

    CLIMBING = "still increasing"
    RESTING = "more were no faster"
    UP = "testing more"
    DOWN = "testing fewer"
    LOWERED = "servers reported overload with more"


class Level(Struct, frozen=True):
    """A number, its rate (attempts per second without overload), and the share that reported overload."""

    target: int
    rate: float
    overload: float


class AutoScaler:
    """Adapts `target`, the desired number of concurrent fetches."""

    def __init__(self, ceiling: int, now: float) -> None:
        self.target = min(START, ceiling)
        self.reason = ScalePhase.CLIMBING.value
        self._ceiling = ceiling
        self._phase = ScalePhase.CLIMBING
        self._held = Level(0, 0.0, 0.0)
        """The number to return to after a test."""
        self._held_rates: deque[float] = deque(maxlen=3 * TRIES)
        self._too_many: int | None = None
        """The lowest number known to be harmful."""
        self._shortest = inf
        """The lowest mean time in flight of a round."""
        self._rest = self._left = TRIES
        self._tests_more = True
        self._tolerated = TOLERATED
        self._rates: list[float] = []
        """The rates since the last change, including the first one, which is not reliable."""
        self._changed_at = now
        self._begin(now)

    def start_round(self, now: float) -> None:
        """Restart the measurement, after a time in which the number was set otherwise."""
        self._changed_at = now
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Begin a round."""
        self._since, self._seconds, self._done, self._overloads = now, 0.0, 0, 0
        self._is_short = False

    def record(self, outcome: Outcome, started: float, now: float) -> None:
        """Count an attempt that was in flight from `started` until `now`; lower the number on overload."""
        if started <= self._changed_at:
            return
        self._done += 1
        self._seconds += now - started
        status, error = outcome.record.response_code, outcome.record.error
        if status in TOO_MUCH or (isinstance(error, FailureKind) and error.is_overload):
            self._overloads += 1
            if self._overloads >= TRIES and self._overloads > self._tolerated * self._done:
                # Every additional request would be rejected at once, and replaced by another one.
                self._on_overload(self._level(now), now, may_compare=bool(self._rates) and not self._is_short)

    def update(self, now: float, in_flight: int) -> None:
        """Update `target`. Must be called many times a second. `in_flight`: the number of requests in
        flight."""
        if in_flight < self.target:
            self._is_short = True  # something else limits the run, so the rate is meaningless
        if not self._rates:
            is_complete = self._done >= max(1, self.target // 2)
        else:
            is_complete = self._done >= self.target and now - self._since >= ROUND
        if not is_complete:
            return
        level, is_short = self._level(now), self._is_short
        if not is_short:
            self._shortest = min(self._shortest, self._seconds / self._done)
        self._begin(now)
        if not is_short:
            self._rates.append(level.rate)
            self._compare(level, now)

    def _level(self, now: float) -> Level:
        """Return the measurement of the round."""
        rate = self.target * self._done / max(self._seconds, 1e-9)
        if self.target < self._held.target:  # fewer would seem faster while the slow responses are missing
            rate = min(rate, self._done / max(now - self._since, 1e-9))
        overload = self._overloads / self._done
        return Level(self.target, rate * (1.0 - overload), overload)

    def _compare(self, level: Level, now: float) -> None:
        held, phase, rates = self._held, self._phase, self._rates[1:]
        growth = level.rate / held.rate if held.rate else inf
        increase = level.target / held.target - 1.0 if held.target else 0.0
        if phase is ScalePhase.RESTING:
            self._held_rates.extend(rates[-1:])
            self._held = Level(level.target, median(self._held_rates or [level.rate]), level.overload)
            self._tolerated = max(TOLERATED, min(self._tolerated, 2.0 * level.overload))
            self._left -= 1
            if self._left <= 0:
                self._test(now)
        elif not rates:  # in this phase `held.rate` is of a first round, too
            if phase is ScalePhase.CLIMBING and (
                level.target < ENOUGH or growth >= 1.0 + FIRST_MIN_GAIN * increase
            ):
                self._keep(level, now)
        elif phase is ScalePhase.LOWERED:
            self._hold(level, now)
        elif len(rates) == TRIES:
            tested = Level(level.target, median(rates), level.overload)
            # A disturbance lowers a rate, so the high rates are the true ones.
            high = sorted(self._held_rates or [held.rate])[len(self._held_rates) * 3 // 4]
            least = high * FASTER if increase < 0.0 else held.rate * max(FASTER, 1.0 + MIN_GAIN * increase)
            if tested.rate >= least:
                self._keep(tested, now)
            elif phase is ScalePhase.CLIMBING and tested.rate >= held.rate * FIRST_MIN_GAIN:
                self._tests_more = tested.rate >= held.rate
                self._hold(tested, now)
            else:
                self._fail(now, is_harmful=increase > 0.0 and tested.rate < held.rate)

    def _test(self, now: float) -> None:
        """Test more and fewer fetches alternately. Fewer cannot be faster if no request waits for another."""
        held, self._tests_more = self._held, not self._tests_more
        if self._tests_more and held.target > held.rate * self._shortest * (1.0 + MIN_GAIN):
            self._change(held.target * 3 // 4, ScalePhase.DOWN, now)
            return
        if self._too_many is not None and not self._differs(self._higher()):
            self._too_many = held.target * 5 // 4 + 2  # servers may accept more now
        self._change(self._higher(), ScalePhase.UP, now)

    def _keep(self, level: Level, now: float) -> None:
        """Hold this number from now on, and try the next one in the same direction."""
        phase, self._rest = self._phase, TRIES
        self._hold(level, now)
        self._change(level.target * 3 // 4 if phase is ScalePhase.DOWN else self._higher(), phase, now)

    def _fail(self, now: float, *, is_harmful: bool) -> None:
        """Return to the number before the test."""
        if is_harmful or (self._too_many is not None and self.target > self._held.target):
            self._too_many = self.target
        if self._too_many is not None and self._differs(self._higher()):
            self._tests_more = True  # the bisection continues
        else:
            self._rest = min(MAX_REST, 2 * self._rest)
        self._hold(self._held, now)

    def _on_overload(self, level: Level, now: float, *, may_compare: bool) -> None:
        held, self.reason = self._held, ScalePhase.LOWERED.value
        self._begin(now)
        costs = may_compare and level.rate < held.rate * (1.0 + BACK_OFF) / 2.0
        if self._phase is ScalePhase.LOWERED and costs and level.overload > held.overload / 2.0:
            self._tolerated, self._too_many = 2.0 * max(level.overload, held.overload), None
            self.reason = ScalePhase.RESTING.value
            self._hold(held, now)
        elif 0 < held.target < level.target:
            self._fail(now, is_harmful=True)
        else:
            self._held, self._too_many = level, level.target
            self._change(int(level.target * BACK_OFF), ScalePhase.LOWERED, now)

    def _higher(self) -> int:
        """Return the next higher number to test."""
        held, limit = self._held.target, self._too_many
        return min(self._ceiling, 2 * held if limit is None else (held + limit) // 2)

    def _differs(self, target: int) -> bool:
        """Whether a number differs by more than a ninth from the one that is held."""
        return abs(target - self._held.target) > self._held.target / 9

    def _hold(self, level: Level, now: float) -> None:
        """Return to this number, and rest."""
        if level is not self._held:
            self._held = level
            self._held_rates.clear()
            self._held_rates.extend(self._rates[1:])
        self._left = self._rest
        self._set(level.target, ScalePhase.RESTING, now)
        # A ceiling that is almost the same is never tested, so nothing says that it would be no faster.
        is_limited = level.target >= self._ceiling or (
            self._too_many is None and not self._differs(self._ceiling)
        )
        if self.reason != ScalePhase.LOWERED.value or is_limited:
            self.reason = CEILING if is_limited else ScalePhase.RESTING.value

    def _change(self, target: int, phase: ScalePhase, now: float) -> None:
        """Change to another number, unless it is almost the same."""
        if target >= 1 and self._differs(target):
            self._set(target, phase, now)
        else:
            self._hold(self._held, now)

    def _set(self, target: int, phase: ScalePhase, now: float) -> None:
        self._phase, self._rates = phase, []
        if phase is ScalePhase.CLIMBING:
            self.reason = CEILING if target >= self._ceiling else phase.value
        if target != self.target:
            self.target, self._changed_at = target, now
            self._begin(now)
