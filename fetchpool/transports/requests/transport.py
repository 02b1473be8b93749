"""The requests transport, for systems without libcurl.

In: a `HopRequest`. Out: a `HopResult`. Only the adapter interface of requests is used (`HTTPAdapter.send`,
which `responses` and others intercept) over urllib3's pools and connections; there is no `Session`, since a
transport must not do anything that a session adds: default headers, cookies, redirects, the environment,
`.netrc`.
"""

from __future__ import annotations

import re
from functools import partial
from time import monotonic, sleep
from typing import Any, cast

from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict
from urllib3 import PoolManager
from urllib3.util import Timeout

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Headers, HopRequest, HopResult, ResponseHandler, ResponseHead
from fetchpool.transports.proxies import untried_addresses
from fetchpool.transports.requests.connections import HopPool, HopTlsPool
from fetchpool.transports.requests.dialer import Dialer
from fetchpool.transports.requests.errors import HANDLED, failure_of, forced_failure
from fetchpool.transports.requests.framing import TransportError
from fetchpool.transports.requests.http1 import READ_BODY
from fetchpool.transports.requests.trace import Phase, Trace
from fetchpool.transports.resolver import Resolver
from fetchpool.transports.resolver import shared as shared_resolver
from fetchpool.transports.watchdog import CONNECT_LOST, Watch, Watchdog
from fetchpool.transports.watchdog import shared as shared_watchdog

SLICE = 0.05
"""Seconds between two checks whether a waiting hop is being cancelled."""
KEPT_HOSTS = 8
"""Maximum number of connections that a worker keeps alive; the least recently used is closed first (curl:
5)."""
UNTIMED: Any = Timeout(None)
"""urllib3's own timeouts are not used, because they can't enforce a deadline."""
CONNECT_TIMEOUTS = (FailureKind.TIMEOUT_CONNECT, FailureKind.TIMEOUT_TOTAL)
"""The failures of a connection that takes too long, depending on which limit is shorter."""
URL_PARTS = re.compile(r"(https?)://(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:]*)(:[0-9]+)?([^#]*)")


class RequestsTransport:
    """Performs one hop at a time, over connections that are kept alive between hops."""

    def __init__(
        self, options: FetchOptions, watchdog: Watchdog | None = None, resolver: Resolver | None = None
    ) -> None:
        """Open nothing yet. Without its own `watchdog` or `resolver`, the transport uses those of the
        process."""
        self._watchdog = watchdog or shared_watchdog()
        self._watch = self._watchdog.watch()
        self._trace = Trace(self._watch)
        self._most = min(READ_BODY, options.buffersize)
        self._dialer = Dialer(options, self._trace, resolver or shared_resolver(options.ip_version))
        self._adapter = HopAdapter(self._dialer, 1 if options.few_descriptors else KEPT_HOSTS)
        # The last hop's headers, encoded: most hops of a run have the same.
        self._fields: tuple[tuple[str, str], ...] | None = None
        self._encoded = b""
        self._mapped: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        self._names_host = False

    def perform(self, hop: HopRequest) -> HopResult:
        trace = self._trace
        if hop.close:
            hop.close = self._watchdog.close_idle(self._watch, hop.url, hop.addresses)
        trace.begin(hop)
        began, now = trace.started, self._watch.now()
        failure = None
        stopped = False
        response: Any = None  # this module's, or urllib3's from an adapter that replaces the one here
        try:
            self._write_request(hop)
            response = self._adapter.send(self._prepared(hop), stream=True, timeout=UNTIMED).raw
            stopped = not stream_body(response, hop, self._watch, self._most)
            response.release_conn()
            response = None
        except HANDLED as error:
            failure = failure_of(error, trace)
        finally:
            if response is not None:
                response.close()
            verdict = self._watch.stop()
        if verdict is not None and not stopped:
            failure = forced_failure(verdict, trace)
        elif failure is not None and failure.kind in CONNECT_TIMEOUTS and trace.phase is not Phase.RESPONSE:
            seconds = self._watch.now() - now
            if monotonic() - began - seconds >= CONNECT_LOST:
                hop.max_time -= seconds
                return self.perform(hop)  # not all of the time was the host's, and nothing was sent
        result = trace.response(failure)
        if failure is not None and trace.gives_address:
            result.untried = untried_addresses(hop, failure)
        del trace.hop  # a body may be stored in it
        return result

    def abort(self) -> None:
        """Cancel the current hop, and every later one as it starts; any thread may call it."""
        self._watch.abort()

    def close(self) -> None:
        self._adapter.close()
        self._watch.close()

    def _write_request(self, hop: HopRequest) -> None:
        """Set `Trace.request`, the request as it is sent: exactly what was validated."""
        parts = URL_PARTS.match(hop.url)
        if parts is None:
            raise TransportError(FailureKind.INVALID_URL, "not an http or https URL")
        scheme, host, port, target = parts.groups("")
        if not target.startswith("/"):
            target = f"/{target}"
        if hop.headers is not self._fields:
            self._encode(hop.headers)
        trace, proxy = self._trace, self._dialer.proxy
        trace.origin = (scheme, host.strip("[]"), int(port[1:]) if port else 443 if scheme == "https" else 80)
        trace.forwarded = False
        authorization = ""
        if proxy is not None:
            if not proxy.takes_addresses:
                self._dialer.check_literal(trace.origin[1])
            if scheme == "http" and not proxy.socks:
                trace.forwarded = True
                trace.origin = (proxy.scheme, proxy.host, proxy.port)
                target = f"http://{host}{port}{target}"  # RFC 9112 section 3.2.2
                authorization = proxy.authorization
        named = "" if self._names_host else f"Host: {host}{port}\r\n"
        head = f"{hop.method} {target} HTTP/1.1\r\n{named}{authorization}".encode()
        trace.request = head + self._encoded + hop.body

    def _encode(self, headers: tuple[tuple[str, str], ...]) -> None:
        lines = [f"{name}: {value}" for name, value in headers]
        self._encoded = "\r\n".join([*lines, "", ""]).encode("latin-1")  # a cookie's bytes as received
        self._mapped = CaseInsensitiveDict(headers)
        self._names_host = any(name.lower() == "host" for name, _ in headers)
        self._fields = headers

    def _prepared(self, hop: HopRequest) -> PreparedRequest:
        """Return the hop as a request of requests, unprepared: `PreparedRequest.prepare()` would quote the
        URL again."""
        request = PreparedRequest()
        request.method = hop.method
        request.url = hop.url
        request.headers = self._mapped
        return request


class HopAdapter(HTTPAdapter):
    """The adapter of requests with the pools of this package, which adds nothing to a request."""

    def __init__(self, dialer: Dialer, kept_hosts: int = KEPT_HOSTS) -> None:
        self._dialer = dialer
        super().__init__(pool_connections=kept_hosts, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block)
        pools: dict[str, Any] = {
            "http": partial(HopPool, dialer=self._dialer),
            "https": partial(HopTlsPool, dialer=self._dialer),
        }
        self.poolmanager.pool_classes_by_scheme = pools

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HopPool:
        scheme, host, port = self._dialer.trace.origin
        return cast(HopPool, self.poolmanager.connection_from_host(host, port, scheme))

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: the dialer's TLS context verifies certificates."""

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:  # noqa: ARG002
        """Do nothing: `Trace.request` is sent."""
        return request.url or ""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Return a response without unneeded parts: cookies, a guessed encoding, a dictionary of headers."""
        response = Response()
        response.status_code = resp.status
        response.url = req.url or ""
        response.request = req
        response.raw = resp
        return response


def stream_body(response: Any, hop: HopRequest, watch: Watch, most: int = READ_BODY) -> bool:
    """Pass the response to the hop's handler, at most `most` bytes at once. Return False if it wants no
    more."""
    feed = hop.receiver.feed
    read1 = response.read1
    if not hop.receiver.on_head(to_head(response)):
        return False
    while chunk := read1(most, decode_content=False):
        if not feed(chunk) and not decode(hop.receiver, watch):
            return False
    return True


def decode(receiver: ResponseHandler, watch: Watch) -> bool:
    """Continue long work until it is done or the hop is cancelled; return whether more bytes are wanted."""
    while receiver.pending:
        if watch.ending:
            raise TransportError(FailureKind.ABORTED, "ended while it was decoded")  # the watch knows why
        watch.progress += 1
        if receiver.resume():
            return True
        if (pause := receiver.ready_at - monotonic()) > 0:
            sleep(min(pause, SLICE))
    return False


def to_head(response: Any) -> ResponseHead:
    """Return the raw header lines of a response, or those of a urllib3 response, which an adapter that
    replaces this one (`responses`) returns."""
    headers = response.headers
    if not isinstance(headers, Headers):
        headers = Headers([f"{name}: {value}".encode("latin-1") for name, value in headers.items()])
    version = "1.0" if response.version == 10 else "1.1"
    return ResponseHead(response.status, version, headers, getattr(response, "status_line", b""))
