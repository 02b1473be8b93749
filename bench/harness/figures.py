"""From single runs to figures: rates, costs, ratios, goals.

Start-up (an interpreter, its imports) is not part of the cost per URL: each round runs every program with a
small list and with a large one, and the difference is attributed to the additional URLs. A ratio is
computed within each round, under the same conditions for both programs; the result of several rounds is
their median.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from msgspec import Struct

from bench.harness.measure import Usage


class Run(Struct, frozen=True):
    """A command's usage, and the number of URLs that it fetched."""

    usage: Usage
    count: int


class Round(Struct, frozen=True):
    """The two runs of a program in one round."""

    small: Run
    large: Run

    @property
    def wall(self) -> float:
        """Seconds that the large run took longer than the small one."""
        return self.large.usage.wall - self.small.usage.wall

    @property
    def pace(self) -> float:
        """URLs per second; NaN where the noise was larger than the difference."""
        return (self.large.count - self.small.count) / self.wall if self.wall > 0 else float("nan")

    @property
    def cost(self) -> float:
        """CPU seconds per URL."""
        return (self.large.usage.cpu - self.small.usage.cpu) / (self.large.count - self.small.count)


class Figures(Struct, frozen=True):
    """The figures of a program in a scenario, over all rounds."""

    name: str
    workers: int
    rounds: list[Round]

    def middle(self, of: Callable[[Round], float]) -> float:
        """The median over the rounds."""
        return median(map(of, self.rounds))

    @property
    def pace(self) -> float:
        return self.middle(lambda each: each.pace)

    @property
    def cost(self) -> float:
        return self.middle(lambda each: each.cost)

    @property
    def resident(self) -> float:
        """Bytes in the large run."""
        return self.middle(lambda each: each.large.usage.resident)

    @property
    def idle(self) -> float:
        """Bytes resident in the small run."""
        return self.middle(lambda each: each.small.usage.resident)

    @property
    def virtual(self) -> float:
        return self.middle(lambda each: each.large.usage.virtual)

    @property
    def total(self) -> float:
        """Seconds of the large run, start-up included."""
        return self.middle(lambda each: each.large.usage.wall)

    @property
    def spread(self) -> str:
        """The slowest and the fastest round, as a share of the median pace."""
        paces = sorted(each.pace for each in self.rounds)
        return f"{paces[0] / self.pace - 1:+.0%} {paces[-1] / self.pace - 1:+.0%}"


class Results(Struct, frozen=True):
    """The results of a scenario."""

    figures: list[Figures]
    ideal: tuple[float, float] | None = None
    """The shortest possible seconds for the small list and the large one."""
    left_out: Sequence[str] = ()

    def of(self, name: str) -> Figures:
        """Return a program's figures. Raises `KeyError` if it was skipped."""
        for figures in self.figures:
            if figures.name == name:
                return figures
        raise KeyError(name)

    def ratio(self, name: str, other: str, of: Callable[[Round], float] = lambda each: each.pace) -> float:
        """Return the median of the rounds' ratios."""
        pairs = zip(self.of(name).rounds, self.of(other).rounds, strict=True)
        return median(of(ours) / of(theirs) for ours, theirs in pairs)

    def share_of_ideal(self, name: str) -> float:
        """The ideal time of the large list over the time it took, start-up left out: the small run
        can't take less than its own ideal time, so what it took beyond that is the start-up."""
        assert self.ideal is not None
        small, large = self.ideal
        return self.of(name).middle(lambda each: large / (each.wall + small))


class Goal(Struct, frozen=True):
    """A target, and the figure to compare with it."""

    words: str
    reached: Callable[[Results], float]
    target: float
    at_most: bool = False
    """Whether the figure must be at most the target, not at least."""
    unit: str = "times"

    def verdict(self, results: Results) -> tuple[str, str, str] | None:
        """Return the goal, the figure and whether it is reached; None if a program was skipped."""
        try:
            figure = self.reached(results)
        except KeyError:
            return None
        met = figure <= self.target if self.at_most else figure >= self.target
        bound = "at most" if self.at_most else "at least"
        return (
            f"{self.words}: {bound} {self.target:g} {self.unit}",
            f"{figure:.3g} {self.unit}",
            "met" if met else "**missed**",
        )
