"""Judges the row of a link's target: broken, unsure, or neither.

In: the `error` of a row. Out: a `Verdict`. Pure.
"""

from __future__ import annotations

from enum import IntEnum

from fetchpool.model.failures import FailureKind

FRAGMENT = "fragment"
"""The error of a link whose page exists but has no element with the ID that the fragment names."""


class Verdict(IntEnum):
    """The verdict on links to a URL."""

    FINE = 0
    UNSURE = 1
    """The link may work in a browser: the server, or a rule for programs, refused this program."""
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
"""Errors of pages that exist."""


def verdict(error: str | None) -> Verdict:
    """Return the verdict on a row with this error."""
    if error is None or error in FINE:
        return Verdict.FINE
    return Verdict.UNSURE if error in UNSURE else Verdict.BROKEN
