"""Outcomes in which no answer had a part: of requests that no transport was asked for, or did not finish.

In: a request, and why. Out: an `Outcome` without sizes and times, begun and ended now.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fetchpool.model.failures import EXITCODE_HTTP, FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.timestamp import utc_now


class Outcome(Struct, frozen=True):
    """What one attempt came to, failure or not: data, never an exception. Made in the worker."""

    url_effective: str
    method: str | None
    timestamp: str
    response_code: int | None = None
    http_version: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    """Only when it is one that can't be decoded; both sizes are the wire's then."""
    num_redirects: int = 0
    remote_ip: str | None = None
    size_download: int | None = None
    size_delivered: int | None = None
    time_namelookup: float | None = None
    time_connect: float | None = None
    time_appconnect: float | None = None
    time_starttransfer: float | None = None
    time_total: float | None = None
    error: str | None = None
    errormsg: str | None = None
    exitcode: int = 0
    extra: dict[str, Any] = {}
    content: bytes = b""
    """The body's beginning, when the request said `keep`."""
    retry_after: str | None = None
    """`Retry-After` as the server sent it, at most 100 characters; `retry.py` reads it."""
    records: bytes = b""
    """For the archive, compressed: what was sent and received in this attempt, hop by hop."""
    warc_records_path: str = ""
    """Where they are, when they are large. Whoever takes them removes the file."""
    storage_error: str = ""
    """Our own disk failed under it, and why: the run ends, and it has no row (`error` is `aborted`)."""
    passing: bool = False
    """Trying again may help, which the kind alone does not say."""
    proxy_down: bool = False
    """Any other request would have come to the same: the proxy serves nobody now."""
    redirect: FetchRequest | None = None
    """The attempt is not over: it goes on with this request, at another host."""

    @property
    def answered(self) -> bool:
        """A whole answer came, whatever its status."""
        return self.error is None or self.exitcode == EXITCODE_HTTP


def refusal(
    request: FetchRequest, kind: FailureKind, message: str | None = None, timestamp: str | None = None
) -> Outcome:
    """Return a failed outcome, with the kind's usual message if there is no other."""
    return Outcome(
        url_effective=request.href,
        method=request.method or None,
        timestamp=timestamp or utc_now(),
        num_redirects=request.num_redirects,
        error=kind,
        errormsg=message or kind.message,
        exitcode=kind.exitcode,
    )


def internal(request: FetchRequest, defect: Exception) -> Outcome:
    """A defect of ours, as a row."""
    message = f"{type(defect).__name__} in {request.host}; please report this"
    return refusal(request, FailureKind.INTERNAL, message)
