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


VERDICTS = {
    **{f"http_{status}": Verdict.UNSURE for status in (401, 403, 429, 451, 503, 999)},
    **{str(kind): Verdict[kind.link_verdict.upper()] for kind in FailureKind},
}
"""The verdicts on links to a URL whose row has such an error. Any other is broken."""


def verdict(error: str | None) -> Verdict:
    """Return the verdict on a row with this error."""
    return Verdict.FINE if error is None else VERDICTS.get(error, Verdict.BROKEN)
