"""Sans-I/O fetch logic: a generator that yields requests and is sent their results, following redirects.

In: a `FetchRequest` and the run's `FetchOptions`. A generator yields each hop's `HopRequest`, is sent that
hop's `HopResult`, and returns the `Outcome`. Blocking pools and the async pool drive the same generator; it
opens no socket, waits for nothing and raises nothing that a server can cause.

This module decides for each hop: redirects and their limits, what is not sent to another origin, which
addresses may be connected to, and whether the response is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions, parse_timeout_message
from fetchpool.config.parsers import Parser
from fetchpool.http import conditional, cookies
from fetchpool.http.body import REDIRECTS, ResponseBody
from fetchpool.http.no_keepalive import Unkept
from fetchpool.http.proxy_choice import ProxyChoice
from fetchpool.http.request_headers import RequestHeaders
from fetchpool.model import derive, urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.failures import EXITCODE_HTTP, FailureKind
from fetchpool.model.fingerprint import display_url
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.model.timestamp import utc_now
from fetchpool.transports.base import (
    Failure,
    HopRequest,
    HopResult,
    Parsed,
    ParseRequest,
    ResponseHead,
    Steps,
    add_lookup_time,
)

if TYPE_CHECKING:  # loaded when they are needed
    from fetchpool.http.kept import KeptFields
    from fetchpool.http.page_links import PageLinkFinder
    from fetchpool.http.stored_body import BodyStorage

RETRY_AFTER_STATUSES = frozenset((429, 503))
"""Statuses whose `Retry-After` applies to the host (RFC 6585 section 4, RFC 9110 15.6.4)."""
MIN_TIMEOUT = 0.001
"""Seconds for a connection when the DNS lookup took all the time: libcurl takes 0 for its default."""
NOT_MODIFIED = 304
MOST_AGAIN = 3
"""Hops of an attempt that may be repeated at once, after earlier requests left their connection unusable."""
SHOWN = 1_000
"""Characters of a `Content-Type` that go into the row."""
BODY_STAYS = "the body is not sent to another origin, where the redirect leads; use a URL at {}"
STOPPED = Failure(FailureKind.ABORTED, FailureKind.ABORTED.message)


class Exchange:
    """Holds what all fetches of a run share: the options, read once, and the parsers, loaded once."""

    def __init__(self, options: FetchOptions, clock: Callable[[], float] = monotonic) -> None:
        """Raises `UsageError` when a parser can't be loaded."""
        self._options = options
        self._clock = clock
        self._follows_across = options.follow_across_hosts
        self.follows_within = options.follow_within_hosts
        """Whether a redirect within a host is followed; may be changed at any time."""
        self._resolve = dict(options.resolve)
        self._parse, self._wants = _parser(options.parse)
        self._accept = options.accept
        self._no_follow = options.no_follow
        self._kept = _kept(options.keep)
        if self._kept is not None:
            self._wants = max(self._wants, self._kept.wants)
        self._links = _link_finder(options)
        self._has_slow_parsers = options.has_slow_parsers
        self._validators = options.validators
        self._keeping = _keeping(options, self._wants)
        self._proxies = ProxyChoice(options)
        self._unkept = Unkept(self._proxies)
        self.steps: Callable[[FetchRequest], Steps] = self._steps
        """Return the steps of one request's fetch."""
        if options.warc_spool:
            from fetchpool.http.warc_recorder import WarcRecorder

            self._capture = WarcRecorder(options.warc_spool, utc_now)
            self.steps = self._captured
        if options.report_cookies:
            from fetchpool.http.cookie_recorder import recorded

            inner = self.steps
            self.steps = lambda request: recorded(inner(request))
        self._rate = None
        if options.limit_rate is not None:
            from fetchpool.http.throttle import ByteRate, ThrottledBody

            self._rate = ByteRate(options.limit_rate, options.rate_file)
            self._throttled = ThrottledBody
        self._headers = RequestHeaders(options)

    def _captured(self, request: FetchRequest) -> Steps:
        """Return the steps, recorded for the archive unless the request is internal."""
        steps = self._steps(request)
        return steps if request.capture_bytes else self._capture.steps(steps)

    def _steps(self, request: FetchRequest) -> Steps:
        """Yield the hops: a redirect replaces the request by the next one."""
        timestamp = utc_now()
        if request.error is not None:
            return refusal(request, request.error, request.error_message, timestamp)
        clock, options = self._clock, self._options
        elapsed = request.elapsed
        started = clock() - elapsed
        again = 0
        addresses: tuple[str, ...] = ()
        """The addresses that are left of the host, if a proxy could not reach others."""
        connecting = 0.0
        """Seconds that these took."""
        while True:
            if options.ip_version and (other := other_family(request.host, options.ip_version)):
                return refusal(request, FailureKind.DNS, other, timestamp)
            public_only = options.public_only or (request.from_public and not options.allow_private)
            if public_only and self._proxies.of(request.href):
                if forbidden := check_host_literal(request.host):
                    return refusal(request, FailureKind.FORBIDDEN_ADDRESS, forbidden, timestamp)
                public_only = False  # the connection is to the proxy
            method = request.method or options.method
            if self._keeping is None or request.capture_bytes:
                body = ResponseBody(options, method, request.capture_bytes, self._wants)
            else:
                body = self._keeping.body(method)
            if self._links is not None and not request.capture_bytes:
                self._links.prepare(request, body)
            hop = self._build_hop(request, body, elapsed, public_only)
            if addresses:
                hop.addresses = addresses
                hop.connect_timeout = max(MIN_TIMEOUT, hop.connect_timeout - connecting)
            if self._rate is not None:
                hop.receiver = self._throttled(body, self._rate)
            if self._unkept.until:
                hop.fresh = self._unkept.has(hop.url, clock())
            parsing: ParseRequest | None = None
            try:
                response = yield hop
                assert response is not None
                failure = body.failure or response.failure or body.finish()
                if self._has_slow_parsers and failure is None and self._is_parsed(request, body):
                    assert self._parse is not None
                    parse = partial(self._parse, request, hop, body, response)
                    parsing = ParseRequest(parse, self._options.parse_timeout, request.urlnum)
                    yield parsing
            except GeneratorExit:  # the run was stopped
                if self._keeping is not None:
                    self._keeping.finish(body, {}, STOPPED, request)
                raise
            if response.surplus:
                self._unkept.add(hop.url, clock())
            if response.again and again < MOST_AGAIN:
                again += 1
                elapsed = clock() - started
                if elapsed < options.max_time:
                    continue
            if response.untried:
                now = clock() - started
                connecting += now - elapsed
                elapsed = now
                if elapsed < options.max_time and connecting < options.connect_timeout:
                    addresses = response.untried
                    continue
            if failure is not None:
                failure = self._with_configured_limit(failure)
            if failure is not None or body.location is None:
                return self._build_outcome(request, hop, body, response, failure, timestamp, parsing)
            next_hop = self._build_redirect(request, response, body)
            if isinstance(next_hop, Failure):
                return self._build_outcome(request, hop, body, response, next_hop, timestamp)
            if hop.body and next_hop.crossed_origin and next_hop.method == hop.method:
                stays = BODY_STAYS.format(urls.origin(next_hop.href))
                return self._build_outcome(request, hop, body, response, None, timestamp, refused=stays)
            same_host = next_hop.host == request.host
            if not (self.follows_within if same_host else self._follows_across):
                outcome = self._build_outcome(request, hop, body, response, None, timestamp)
                return replace(outcome, pending_redirect=derive.handed_back(next_hop, clock() - started))
            request, elapsed = next_hop, clock() - started
            addresses, connecting = (), 0.0

    def _with_configured_limit(self, failure: Failure) -> Failure:
        """Report a timeout with the limit that the user set: the hop only had the time that earlier hops, or
        a lookup, had left."""
        options = self._options
        if failure.kind is FailureKind.TIMEOUT_TOTAL:
            limit = options.max_time
        elif failure.kind is FailureKind.TIMEOUT_CONNECT:
            limit = options.connect_timeout
        elif failure.kind is FailureKind.TIMEOUT_READ:
            limit = options.read_timeout
        else:
            return failure
        return Failure(failure.kind, failure.kind.after(limit))

    def _build_hop(
        self, request: FetchRequest, body: ResponseBody, elapsed: float, public_only: bool
    ) -> HopRequest:
        options = self._options
        href = request.href
        authority = urls.authority(href)
        addresses = request.addresses
        if self._resolve:
            addresses = self._resolve.get(authority, addresses)
        connect_timeout = options.connect_timeout
        if request.dns_time:
            connect_timeout = max(MIN_TIMEOUT, connect_timeout - request.dns_time)
        return HopRequest(
            href,
            authority,
            request.method or options.method,
            self._headers.of(request),
            connect_timeout,
            options.read_timeout,
            options.max_time - elapsed,
            body,
            addresses,
            public_only,
            close=request.close,
            body=self._headers.body_of(request) if options.body else b"",
            proxy=self._proxies.of(href) if self._proxies.depends_on_url else None,
        )

    def _build_redirect(
        self, request: FetchRequest, response: HopResult, body: ResponseBody
    ) -> FetchRequest | Failure:
        """Build the request for a redirect; return a Failure if it must not be followed."""
        if request.num_redirects >= self._options.max_redirs:
            limit = self._options.max_redirs
            return Failure(FailureKind.TOO_MANY_REDIRECTS, f"more than {limit} redirects")
        assert body.location is not None
        assert body.head is not None
        target = urls.parse(urls.from_header(body.location), request.href)
        if isinstance(target, urls.InvalidUrl):
            return Failure(target.kind, f"invalid redirect target: {target.message}")
        method = request.method or self._options.method
        if (body.head.status == 303 and method != "HEAD") or (
            body.head.status in (301, 302) and method == "POST"
        ):
            method = "GET"  # RFC 9110 sections 15.4.2 to 15.4.4
        return derive.redirected(
            request,
            target,
            method,
            cookies=cookies.learned(request.cookies, body.head.headers.get_all("set-cookie"), request.href),
            from_public=self._is_public(request, response),
            redirects=(
                (*request.redirects, (request.href, body.head.status))
                if self._kept is not None and self._kept.redirects
                else ()
            ),
        )

    def _is_public(self, request: FetchRequest, response: HopResult) -> bool:
        """Whether a response came from the internet; behind a proxy, whether it may have."""
        if self._proxies.of(request.href):
            return not urls.is_address(request.host) or address_is_public(request.host.strip("[]"))
        return response.remote_ip is not None and address_is_public(response.remote_ip)

    def _is_parsed(self, request: FetchRequest, body: ResponseBody) -> bool:
        """Whether the parsers are given the response: only if it is complete and successful."""
        if self._parse is None or request.capture_bytes or not body.is_kept:
            return False
        return body.head is not None and body.head.status != NOT_MODIFIED

    def _unparsed(self, parsing: ParseRequest) -> Failure:
        return (
            STOPPED if parsing.stopped else Failure(FailureKind.PARSE, parse_timeout_message(self._options))
        )

    def _build_outcome(
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
        """`refused`: why a redirect is the final response, and a failure."""
        if request.dns_time:
            add_lookup_time(response, request.dns_time)
        head = body.head
        extra: dict[str, Any] = {}
        status = http_version = content_type = size_download = size_delivered = retry_after = None
        links = b""
        found: dict[str, Any] = {}
        """What the links add to the row."""
        accepted = True
        is_page = False
        """The response has the page. A 304 to the user's own condition is about a version whose
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
                    failure = conditional.doubt(hop.headers, head.headers)
                previous = request.previous
                if (
                    failure is None
                    and previous is not None
                    and previous.url == hop.url
                    and conditional.is_about(previous, hop.headers)
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
            elif self._parse is not None and failure is None and self._is_parsed(request, body):
                extra, failure = self._parse(request, hop, body, response)
            if found:
                extra = {**found, **extra}
            if self._no_follow and status in REDIRECTS and not request.capture_bytes:
                extra = {**extra, "redirect_url": redirect_target(head, hop.url)}
        output_failure = ""
        if is_page and self._validators and failure is None:
            assert head is not None
            conditional.add_validators(extra, head.headers)
        if self._keeping is not None:
            output_failure = self._keeping.finish(body, extra, failure, request)
            if output_failure:
                failure = Failure(FailureKind.ABORTED, output_failure)
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
            storage_error=output_failure,
            links=links,
        )


def other_family(host: str, ip_version: str) -> str:
    """Return why a host is not allowed that is an address of the other family; empty if it is none."""
    if not urls.is_address(host) or (host[-1] == "]") == (ip_version == "6"):
        return ""
    return f"{host.strip('[]')} is no IPv{ip_version} address"


def redirect_target(head: ResponseHead, href: str) -> str | None:
    """Return the URL that a redirect leads to, with its fragment; None if it has no valid one."""
    for location in head.headers.get_all("location"):
        target = urls.parse(urls.from_header(location), href) if location else None
        if isinstance(target, urls.Url):
            _, sign, fragment = location.partition("#")
            return display_url(f"{target.href}{sign}{urls.from_header(fragment)}")
    return None


def check_host_literal(host: str) -> str:
    """Return why a host is not allowed, as far as its name shows; empty if it is. The addresses of a name
    are checked on connecting, unless a proxy connects."""
    ip = host.strip("[]")
    return f"{ip} is not a public address" if urls.is_address(host) and not address_is_public(ip) else ""


Parse = Callable[[FetchRequest, HopRequest, ResponseBody, HopResult], Parsed]


def _parser(given: tuple[Parser, ...]) -> tuple[Parse | None, int]:
    """Return the function that runs the parsers on a complete response, None without parsers; and how many
    bytes of its content they need.

    Raises `UsageError` when a parser can't be loaded.
    """
    if not given:
        return None, 0
    # Loading the parsers' libraries takes time, so only a run with --parse does it.
    from fetchpool.http.parsers import run as parsers
    from fetchpool.http.response import response_of

    loaded = parsers.load(given)
    most = max(parser.wants for parser in loaded)
    return lambda *fetched: parsers.run(loaded, response_of(*fetched)), most


def _link_finder(options: FetchOptions) -> PageLinkFinder | None:
    """Return the finder of links; None without a crawl."""
    if options.crawl is None:
        return None
    from fetchpool.http.page_links import PageLinkFinder

    return PageLinkFinder(options.crawl)


def _kept(names: tuple[str, ...]) -> KeptFields | None:
    """Return the fields of `--keep`; None if rows have none of them."""
    if not names:
        return None
    from fetchpool.http.kept import KeptFields

    return KeptFields(names)


def _keeping(options: FetchOptions, wants: int) -> BodyStorage | None:
    """Return the storage for bodies; None when they are only measured."""
    if not (options.hash or options.save or options.warc_spool):
        return None
    from fetchpool.http.stored_body import BodyStorage

    return BodyStorage(options, wants)
