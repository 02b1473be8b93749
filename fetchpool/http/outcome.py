"""Builds the outcome of a fetch from its last hop: the row, and additional data for the engine.

In: the last hop, its response and its failure, if it has one. Out: an `Outcome`. The optional parts add to
the row here: parsers, links, added fields, stored bodies.
"""

from __future__ import annotations

from typing import Any

from fetchpool.config.fetch_options import FetchOptions, parse_timeout_message
from fetchpool.http import conditional
from fetchpool.http.body import REDIRECTS, ResponseBody
from fetchpool.http.optional_parts import OptionalParts
from fetchpool.http.redirects import redirect_target
from fetchpool.model.failures import EXITCODE_HTTP, FailureKind
from fetchpool.model.fingerprint import display_url
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.transports.base import Failure, HopRequest, HopResult, ParseRequest, add_lookup_time

RETRY_AFTER_STATUSES = frozenset((429, 503))
"""Statuses whose `Retry-After` applies to the host (RFC 6585 section 4, RFC 9110 15.6.4)."""
NOT_MODIFIED = 304
SHOWN = 1_000
"""Maximum number of characters of a `Content-Type` in the row."""
ABORTED = Failure(FailureKind.ABORTED, FailureKind.ABORTED.message)


class OutcomeBuilder:
    """Builds the outcomes of all fetches of a run."""

    def __init__(self, options: FetchOptions, parts: OptionalParts) -> None:
        self._options = options
        self._accept = options.accept
        self._no_follow = options.no_follow
        self._validators = options.validators
        self._parse = parts.parse
        self._kept = parts.kept
        self._links = parts.links
        self._storage = parts.storage

    def build(
        self,
        request: FetchRequest,
        hop: HopRequest,
        body: ResponseBody,
        response: HopResult,
        failure: Failure | None,
        timestamp: str,
        parsing: ParseRequest | None = None,
        *,
        refused: str = "",
    ) -> Outcome:
        """Return the outcome. `parsing`: the result of parsing, if it is complete; `refused`: why a redirect
        is the final response and a failure."""
        if request.dns_time:
            add_lookup_time(response, request.dns_time)
        head = body.head
        extra: dict[str, Any] = {}
        status = http_version = content_type = size_download = size_delivered = retry_after = None
        links = b""
        found: dict[str, Any] = {}
        """Fields that the links add to the row."""
        accepted = True
        is_page = False
        """Whether the response contains the page. A 304 to the user's own condition refers to a version whose
        size is unknown here."""
        if head is not None:
            status, http_version = head.status, head.http_version
            is_page = accepted = self._options.accepts(status) if self._accept else status < 400
            content_type = body.content_type
            if content_type is not None and (len(content_type) > SHOWN or not content_type.isprintable()):
                content_type = escape_invisible(content_type[:SHOWN])
            size_download, size_delivered = body.size_download, body.size_delivered
            if status in RETRY_AFTER_STATUSES:
                retry_after = (head.headers.get("retry-after") or "")[:100] or None
            elif status == NOT_MODIFIED:
                is_page = False
                if failure is None:
                    failure = conditional.check_304(hop.headers, head.headers)
                previous = request.previous
                if (
                    failure is None
                    and previous is not None
                    and previous.url == hop.url
                    and conditional.refers_to(previous, hop.headers)
                ):
                    accepted = True  # it was requested by the condition
                    extra = conditional.not_modified_fields(
                        previous, conditional.validators_from(head.headers)
                    )
                    size_delivered = previous.size_delivered
                    content_type = content_type or previous.content_type
            if self._links is not None and failure is None and not request.capture_bytes:
                links, found, failure = self._links.find(request, hop.url, body)
            if parsing is not None:
                extra, failure = parsing.parsed or ({}, self._unparsed(parsing))
            elif self._parse is not None and failure is None and self.is_parsed(request, body):
                extra, failure = self._parse(request, hop, body, response)
            if found:
                extra = {**found, **extra}
            if self._no_follow and status in REDIRECTS and not request.capture_bytes:
                extra = {**extra, "redirect_url": redirect_target(head, hop.url)}
        storage_error = ""
        if is_page and self._validators and failure is None:
            assert head is not None
            conditional.add_validators(extra, head.headers)
        if self._storage is not None:
            storage_error = self._storage.finish(body, extra, failure, request)
            if storage_error:
                failure = Failure(FailureKind.ABORTED, storage_error)
        if self._kept is not None and not request.capture_bytes:
            from fetchpool.http.kept import merged

            extra = merged(self._kept.of(request, hop.method, body, failure), extra)
        error: str | None = None
        errormsg: str | None = None
        exitcode = 0
        if failure is not None:
            error, errormsg, exitcode = failure.kind, failure.message, failure.kind.exitcode
        elif refused or not accepted:
            error, exitcode = f"http_{status}", EXITCODE_HTTP
            errormsg = refused or f"the server answered {status}"
        if body.content_encoding is not None:  # why both sizes are those on the wire
            extra = {**extra, "content_encoding": body.content_encoding}
        record = Record(  # positional: keywords take twice as long
            request.urlnum,
            display_url(request.url),
            hop.url,
            hop.method,
            status,
            http_version,
            content_type,
            request.num_redirects,
            request.num_retries,
            response.remote_ip,
            size_download,
            size_delivered,
            response.time_namelookup,
            response.time_connect,
            response.time_appconnect,
            response.time_starttransfer,
            response.time_total,
            timestamp,
            error,
            errormsg,
            exitcode,
            extra,
        )
        if failure is None and not request.capture_bytes and retry_after is None and not links:
            return Outcome(record)
        return Outcome(
            record,
            body.content[: request.capture_bytes] if request.capture_bytes else b"",
            retry_after,
            transient=failure is not None and failure.transient,
            proxy_down=failure is not None and failure.proxy_down,
            storage_error=storage_error,
            links=links,
        )

    def is_parsed(self, request: FetchRequest, body: ResponseBody) -> bool:
        """Whether the parsers are given the response: only if it is complete and successful."""
        if self._parse is None or request.capture_bytes or not body.is_kept:
            return False
        return body.head is not None and body.head.status != NOT_MODIFIED

    def _unparsed(self, parsing: ParseRequest) -> Failure:
        return (
            ABORTED if parsing.stopped else Failure(FailureKind.PARSE, parse_timeout_message(self._options))
        )
