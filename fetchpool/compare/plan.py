"""The plan of a comparison: which combinations are run, how often and in which order, and whether their hosts
allow it.

In: the names of executors and transports, and the hosts of the list. Out: rounds of trials in random order,
or a `UsageError` if public hosts would be requested without the user's consent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from random import Random

from msgspec import Struct

from fetchpool.model.addresses import address_is_public
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import counted

MAX_LOOKUPS = 100
"""Maximum number of names that are resolved to find out whether they are public; all others count as
public."""

NEVER_PUBLIC = frozenset(("localhost", "invalid", "test"))
"""Top-level domains without public hosts (RFC 6761)."""

Resolve = Callable[[str], list[str]]


class Combination(Struct, frozen=True):
    """An executor with a transport."""

    executor: str
    transport: str

    def __str__(self) -> str:
        return f"{self.executor} {self.transport}"


class Plan(Struct, frozen=True):
    """The plan of all trials."""

    combinations: tuple[Combination, ...]
    missing: tuple[tuple[Combination, str], ...]
    """Combinations that can't be run, each with the reason."""
    repeat: int
    """Number of trials of each combination that count, in addition to the warm-up."""
    seed: int

    @property
    def trials(self) -> int:
        """The number of trials, including the warm-up."""
        return len(self.combinations) * (1 + self.repeat)

    def rounds(self) -> Iterator[tuple[int, list[Combination]]]:
        """Yield the number of each round, and all combinations once, in random order. Round 0 is the
        warm-up."""
        random = Random(self.seed)
        for number in range(1 + self.repeat):
            yield number, random.sample(self.combinations, len(self.combinations))


def make_plan(
    executors: Sequence[str],
    transports: Sequence[str],
    repeat: int,
    seed: int,
    check: Callable[[Combination], None],
) -> Plan:
    """Return the plan. `check` raises `UsageError` for a combination that can't be run. Raises `UsageError`
    if none can be run."""
    usable, missing = [], []
    for names in product(executors, transports):
        combination = Combination(*names)
        try:
            check(combination)
        except UsageError as error:
            missing.append((combination, str(error)))
            failure = error
        else:
            usable.append(combination)
    if not usable:
        raise failure
    return Plan(tuple(usable), tuple(missing), repeat, seed)


def refuse_public(hosts: Iterable[str], urls: int, trials: int, *, is_public: Callable[[str], bool]) -> None:
    """Raise `UsageError` for the first public host."""
    for host in hosts:
        if is_public(host):
            requests = f"{counted(urls, 'URL')} × {trials} trials are {urls * trials:,} requests"  # noqa: RUF001
            raise UsageError(
                f"{escape_invisible(host)} is a public host, and {requests}; add --yes to send them, or send "
                "fewer with --limit N or --repeat N"
            )


class PublicHosts:
    """Decides whether a host may be a public one. A name counts as public if any of its addresses is, or if
    it can't be resolved: it may resolve later, or for a proxy."""

    def __init__(self, known: Iterable[str] = (), *, resolve: Resolve | None = None):
        """`known`: names whose addresses the user has given."""
        self._known = frozenset(known)
        self._resolve = resolve or _addresses
        self._lookups = 0

    def __call__(self, host: str) -> bool:
        if host in self._known or host.rpartition(".")[2] in NEVER_PUBLIC:
            return False
        if _is_address(address := host.strip("[]")):
            return address_is_public(address)
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            return True
        try:
            addresses = self._resolve(host)
        except (OSError, UnicodeError):
            return True
        return any(map(address_is_public, addresses))


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False


def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
