"""Judges the row of a link's target: broken, unsure, or neither.

In: the `error` of a row. Out: a `Verdict`. Pure.
"""

from __future__ import annotations

from enum import IntEnum

from fetchpool.model.failures import FailureKind

FRAGMENT = "fragment"
"""The error of a link whose page is there, and has no element with the id that its fragment names."""


class Verdict(IntEnum):
    """What a row says about links to its URL."""

    FINE = 0
    UNSURE = 1
    """A browser may well get the page: the server, or a rule for programs, refused this program."""
    BROKEN = 2


UNSURE = frozenset(
    (
        *(f"http_{status}" for status in (401, 403, 429, 451, 503, 999)),
        FailureKind.ROBOTS,
        FailureKind.HOST_DOWN,
        FailureKind.PROXY,
        FailureKind.FORBIDDEN_ADDRESS,
        FailureKind.ABORTED,
        FailureKind.INTERNAL,
    )
)
FINE = frozenset((FailureKind.TOO_LARGE, FailureKind.PARSE, FailureKind.UNSUPPORTED_SCHEME))
"""Errors of pages that are there."""


def verdict(error: str | None) -> Verdict:
    """Return the verdict on a row with this error."""
    if error is None or error in FINE:
        return Verdict.FINE
    return Verdict.UNSURE if error in UNSURE else Verdict.BROKEN
