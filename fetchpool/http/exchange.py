"""Sans-I/O fetch logic: a generator that yields requests and is sent their results, following redirects.

In: a `FetchRequest` and the run's `FetchOptions`. A generator yields each hop's `HopRequest`, is sent that
hop's `HopResult`, and returns the `Outcome`. Blocking pools and the async pool drive the same generator; it
opens no socket, waits for nothing and raises nothing that a server can cause.

This module decides for each hop which addresses may be connected to, what is left of the timeouts, and
whether it is repeated or followed by another one. Where redirects lead is decided in `redirects.py`; the
result is made in `outcome.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.http.no_keepalive import NoKeepalive
from fetchpool.http.optional_parts import OptionalParts
from fetchpool.http.outcome import ABORTED, OutcomeBuilder
from fetchpool.http.proxy_choice import ProxyChoice
from fetchpool.http.redirects import Redirects, check_host_literal, other_family
from fetchpool.http.request_headers import RequestHeaders
from fetchpool.model import derive, urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal
from fetchpool.model.request import FetchRequest
from fetchpool.model.timestamp import utc_now
from fetchpool.transports.base import Failure, HopRequest, ParseRequest, Steps

MIN_TIMEOUT = 0.001
"""Seconds for a connection if the DNS lookup took all the time, since libcurl takes 0 as its default."""
MAX_REPEATED_HOPS = 3
"""Maximum number of hops of an attempt that are repeated at once because earlier requests left their
connection unusable."""
BODY_NOT_SENT = "the body is not sent to another origin, where the redirect leads; use a URL at {}"


class Exchange:
    """The logic that all fetches of a run share. Reads the options and loads the parsers once."""

    def __init__(self, options: FetchOptions, clock: Callable[[], float] = monotonic) -> None:
        """Raises `UsageError` when a parser can't be loaded."""
        self._options = options
        self._clock = clock
        self._follows_across = options.follow_across_hosts
        self.follows_within = options.follow_within_hosts
        """Whether a redirect within a host is followed; may be changed at any time."""
        self._resolve = dict(options.resolve)
        parts = OptionalParts(options)
        self._parse, self._wants = parts.parse, parts.wants
        self._links = parts.links
        self._storage = parts.storage
        self._has_slow_parsers = options.has_slow_parsers
        self._outcomes = OutcomeBuilder(options, parts)
        self._proxies = ProxyChoice(options)
        self._redirects = Redirects(options, self._proxies)
        self._no_keepalive = NoKeepalive(self._proxies)
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
        """The remaining addresses of the host, if a proxy could not reach others."""
        connecting = 0.0
        """Seconds that the attempts to reach the others took."""
        while True:
            if options.ip_version and (other := other_family(request.host, options.ip_version)):
                return refusal(request, FailureKind.DNS, other, timestamp)
            public_only = options.public_only or (request.from_public and not options.allow_private)
            if public_only and self._proxies.of(request.href):
                if forbidden := check_host_literal(request.host):
                    return refusal(request, FailureKind.FORBIDDEN_ADDRESS, forbidden, timestamp)
                public_only = False  # the connection is to the proxy
            method = request.method or options.method
            if self._storage is None or request.capture_bytes:
                body = ResponseBody(options, method, request.capture_bytes, self._wants)
            else:
                body = self._storage.body(method)
            if self._links is not None and not request.capture_bytes:
                self._links.prepare(request, body)
            hop = self._build_hop(request, body, elapsed, public_only)
            if addresses:
                hop.addresses = addresses
                hop.connect_timeout = max(MIN_TIMEOUT, hop.connect_timeout - connecting)
            if self._rate is not None:
                hop.receiver = self._throttled(body, self._rate)
            if self._no_keepalive.until:
                hop.fresh = self._no_keepalive.has(hop.url, clock())
            parsing: ParseRequest | None = None
            try:
                response = yield hop
                assert response is not None
                failure = body.failure or response.failure or body.finish()
                if self._has_slow_parsers and failure is None and self._outcomes.is_parsed(request, body):
                    assert self._parse is not None
                    parse = partial(self._parse, request, hop, body, response)
                    parsing = ParseRequest(parse, self._options.parse_timeout, request.urlnum)
                    yield parsing
            except GeneratorExit:  # the run was stopped
                if self._storage is not None:
                    self._storage.finish(body, {}, ABORTED, request)
                raise
            if response.surplus:
                self._no_keepalive.add(hop.url, clock())
            if response.again and again < MAX_REPEATED_HOPS:
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
                return self._outcomes.build(request, hop, body, response, failure, timestamp, parsing)
            next_hop = self._redirects.follow(request, response, body)
            if isinstance(next_hop, Failure):
                return self._outcomes.build(request, hop, body, response, next_hop, timestamp)
            if hop.body and next_hop.crossed_origin and next_hop.method == hop.method:
                stays = BODY_NOT_SENT.format(urls.origin(next_hop.href))
                return self._outcomes.build(request, hop, body, response, None, timestamp, refused=stays)
            same_host = next_hop.host == request.host
            if not (self.follows_within if same_host else self._follows_across):
                outcome = self._outcomes.build(request, hop, body, response, None, timestamp)
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
