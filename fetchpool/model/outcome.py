"""Outcome: the result of one attempt, with its row and additional data for the engine. Also makes the
outcomes of requests that were not sent or not finished, whose rows have no sizes and times.
"""

from __future__ import annotations

from msgspec import Struct

from fetchpool.model.failures import EXITCODE_HTTP, FailureKind
from fetchpool.model.fingerprint import display_url
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.timestamp import utc_now


class Outcome(Struct, frozen=True):
    """The outcome of one attempt, made in the worker: data, never an exception."""

    record: Record
    """The row, if no other attempt follows. It lacks the input's columns, which stay in the engine."""
    content: bytes = b""
    """The start of the body, if the request asked for it (`capture_bytes`)."""
    retry_after: str | None = None
    """`Retry-After` as the server sent it, at most 100 characters; `retry.py` parses it."""
    transient: bool = False
    """Whether a retry may help although the kind of failure is not transient."""
    proxy_down: bool = False
    """Whether the proxy can't be reached: other requests would fail as well."""
    storage_error: str = ""
    """Why the body could not be stored: the run ends, and the URL has no row (`error` is `aborted`)."""
    pending_redirect: FetchRequest | None = None
    """The next hop, if it is to another host: the engine must schedule it."""
    warc_records: bytes = b""
    """Compressed records for the archive: the requests and responses of this attempt, hop by hop."""
    warc_records_path: str = ""
    """The file of these records, if they are large. The engine removes the file."""
    set_cookies: str = ""
    """A line for each `Set-Cookie`: the URL that sent it, a space, and its value. Only with a cookie jar."""

    links: bytes = b""
    """The links of the page, as encoded by `crawl/links.py`; empty if it was not searched for links."""

    @property
    def has_response(self) -> bool:
        """Whether there was a complete response, whatever its status."""
        record = self.record
        return record.error is None or record.exitcode == EXITCODE_HTTP

    @property
    def asks_for_pause(self) -> bool:
        """Whether the host responds that it gets too many requests, or, for a time, none at all."""
        code = self.record.response_code
        return code == 429 or (code == 503 and self.retry_after is not None)


def redirects_of(request: FetchRequest) -> list[dict[str, str | int]]:
    """Return the redirects that led to a request, in the form of the row (`--keep redirects`)."""
    return [{"url": url, "response_code": status} for url, status in request.redirects]


def refusal(
    request: FetchRequest, kind: FailureKind, message: str | None = None, timestamp: str | None = None
) -> Outcome:
    """Return a failed outcome, with the kind's usual message if there is no other."""
    return Outcome(
        Record(
            urlnum=request.urlnum,
            url=display_url(request.url),
            url_effective=request.href,
            method=request.method or None,
            response_code=None,
            http_version=None,
            content_type=None,
            num_redirects=request.num_redirects,
            num_retries=request.num_retries,
            remote_ip=None,
            size_download=None,
            size_delivered=None,
            time_namelookup=None,
            time_connect=None,
            time_appconnect=None,
            time_starttransfer=None,
            time_total=None,
            timestamp=timestamp or utc_now(),
            error=kind,
            errormsg=message or kind.message,
            exitcode=kind.exitcode,
            extra={"redirects": redirects_of(request)} if request.redirects else {},
        )
    )


def internal(request: FetchRequest, bug: Exception) -> Outcome:
    """Return the outcome of a request during which fetchpool raised an unexpected exception."""
    message = f"{type(bug).__name__} in {request.host}; please report this"
    return refusal(request, FailureKind.INTERNAL, message)
