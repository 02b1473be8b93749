"""A scenario: programs, lists and goals.

Only data, and the texts for it. `peer_comparison.py` has the scenarios with other programs,
`self_comparison.py` those with fetchpool alone; `harness/trial.py` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from bench.harness.figures import Goal
from bench.scenarios import peers
from bench.scenarios.lists import Servers

MEGABYTE = 1_000_000


class Lane(Struct, frozen=True):
    """A program in a scenario."""

    peer: peers.Peer
    workers: int
    share: float = 1.0
    """Share of the lists: slow programs get shorter ones."""


class Lists(Struct, frozen=True):
    """The numbers of URLs and rounds."""

    small: int
    large: int
    rounds: int


class Scenario(Struct, frozen=True):
    """One table of the results."""

    key: str
    title: str
    about: str
    lanes: Sequence[Lane]
    urls: Callable[[Servers, int], Iterator[str]]
    size: int
    """Bytes of each body."""
    short: Lists
    full: Lists
    goals: Sequence[Goal] = ()
    ideal: Callable[[int], float] | None = None
    """The shortest possible seconds for a number of URLs."""
    tls: bool = False
    may_fail: bool = False
    """The server rejects some requests: only successful fetches count."""
    reference: str = peers.CURL.name
    """The program whose pace is 1."""


def against(name: str, other: str, target: float) -> Goal:
    return Goal(f"pace, {name} to {other}", lambda results: results.ratio(name, other), target)
