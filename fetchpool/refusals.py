"""Outcomes in which no answer had a part: of requests that no transport was asked for, or did not finish.

In: a request, and why. Out: an `Outcome` without sizes and times, begun and ended now.
"""

from __future__ import annotations

from fetchpool.model.record import EXITCODES, FailureKind, FetchOptions, FetchRequest, Outcome
from fetchpool.model.timestamp import utc_now

REFUSALS = {
    FailureKind.INVALID_URL: "not a valid http or https URL",
    FailureKind.UNSUPPORTED_SCHEME: "only http and https are fetched",
    FailureKind.PROXY: "not tried: the proxy has not served anybody for long",
    FailureKind.HOST_DOWN: "not tried: too many requests to this host went without an answer",
}


def refusal(
    request: FetchRequest, kind: FailureKind, message: str | None = None, timestamp: str | None = None
) -> Outcome:
    """In words of its own, or in those that are usual for the kind."""
    return Outcome(
        url_effective=request.href,
        method=request.method or None,
        timestamp=timestamp or utc_now(),
        num_redirects=request.num_redirects,
        error=kind,
        errormsg=message or REFUSALS.get(kind, kind.replace("_", " ")),
        exitcode=EXITCODES[kind],
    )


def overdue(options: FetchOptions) -> str:
    """That a person's own parsers did not return in time."""
    names = ", ".join(name for name in options.parse if ":" in name)
    return f"{names} did not return within {options.parse_timeout:g} s"


def internal(request: FetchRequest, defect: Exception) -> Outcome:
    """A defect of ours, as a row."""
    message = f"{type(defect).__name__} in {request.host}; please report this"
    return refusal(request, FailureKind.INTERNAL, message)
