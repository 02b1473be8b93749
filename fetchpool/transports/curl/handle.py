"""An easy handle of libcurl, reused by hop after hop; only the options that differ are set again.

In: a `HopRequest`. Out: a `HopResult`; the response goes to the hop's `ResponseHandler` (`receiver.py`).
libcurl handles connections, their timeout and protocol checks. The owner of a handle performs the transfer,
alone (`transport.py`) or together with others (`pools/async_/pool.py`), and ends it at its deadline: libcurl
would count the time in which this process was stopped.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest, HopResult
from fetchpool.transports.curl.address_filter import AddressFilter
from fetchpool.transports.curl.connection_choice import ConnectionChoice
from fetchpool.transports.curl.connections import NO_SOCKET, Connections, Ends
from fetchpool.transports.curl.errors import BY_SERVER, CUT, DATA_BEFORE_REQUEST, is_http2
from fetchpool.transports.curl.head import has_length, is_keepable
from fetchpool.transports.curl.hop_failure import HopFailures
from fetchpool.transports.curl.options import header_lines, milliseconds, new_curl
from fetchpool.transports.curl.receiver import CurlReceiver, ProgressCounter
from fetchpool.transports.curl.resolve_cache import ResolveCache
from fetchpool.transports.curl.trace import CurlTrace, Streams
from fetchpool.transports.proxies import proxy_of, time_for_address, untried_addresses
from fetchpool.transports.unread import has_unread, is_closed_by_server

PREREQ_OK = pycurl.PREREQFUNC_OK
URL, PRIMARY_IP = pycurl.URL, pycurl.PRIMARY_IP
NAMELOOKUP_TIME, TOTAL_TIME = pycurl.NAMELOOKUP_TIME_T, pycurl.TOTAL_TIME_T
CONNECT_TIME, APPCONNECT_TIME = pycurl.CONNECT_TIME_T, pycurl.APPCONNECT_TIME_T
STARTTRANSFER_TIME = pycurl.STARTTRANSFER_TIME_T
"""Bound once, since every hop needs these."""
LOWER_HEX = re.compile("%(?:[a-f]|[0-9A-F][a-f])")
"""Lower-case percent-encodings such as `%c3`, which libcurl converts to upper case in a path."""
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods that may be repeated if it is unknown whether the request arrived (RFC 9110 section 9.2.2)."""


class CurlHandle:
    """An easy handle, and the state of its current hop."""

    def __init__(
        self,
        options: FetchOptions,
        counter: ProgressCounter,
        resolve_cache: ResolveCache,
        connections: Connections,
        streams: Streams,
        paused: deque[CurlReceiver] | None = None,
    ) -> None:
        """`counter`, `paused`: see `CurlReceiver`. `resolve_cache` belongs to the handle's DNS cache,
        `connections` and `streams` to its connection pool."""
        self._resolve_cache = resolve_cache
        self._connections = connections
        self.new_connections: list[int] = []
        """Descriptors of the connections that the hop has opened."""
        self._trace = CurlTrace(streams, self.new_connections)
        self.traced = False
        """Whether libcurl reports TLS records and HTTP/2 frames."""
        self._http2 = options.http_version == "2"
        self._secure = False
        self._data_before_request = False
        """Whether the request was not sent because unread bytes were waiting on its connection."""
        self._sent_on = NO_SOCKET
        """The TLS connection of the last request."""
        self._is_checked = False
        """Whether its response has been checked for surplus bytes."""
        self._surplus = False
        """Whether the connection received bytes that belong to no response."""
        self.where = ""
        self._entries: list[str] = []
        self.hop: HopRequest | None = None
        self._headers: tuple[tuple[str, str], ...] | None = None
        self._method = ""
        self._body = b""
        self._connect_timeout = 0.0
        self._proxy_entries: list[str] = []
        self._has_target = False
        self.curl = curl = new_curl(options)
        self.receiver = CurlReceiver(curl, counter, paused)
        address_filter = AddressFilter()
        self._choice = ConnectionChoice(curl, address_filter, options.public_only)
        self._failures = HopFailures(curl, self.receiver, self._trace, address_filter, options.interface)
        curl.setopt(pycurl.DEBUGFUNCTION, self._trace.on_debug)
        self._hop_proxy: str | None = None
        self._use_proxy(options.proxy or "")

    def prepare(self, hop: HopRequest, now: float) -> None:
        """Set the options that differ from the previous hop. `now`: on the monotonic clock."""
        self.hop = hop
        self.receiver.prepare(hop, now)
        url = hop.url
        self._data_before_request = self._surplus = self._is_checked = False
        if self.new_connections:
            self.new_connections.clear()
        setopt = self.curl.setopt
        if hop.proxy is not None and hop.proxy != self._hop_proxy:
            self._hop_proxy = hop.proxy
            self._use_proxy(hop.proxy)
        self._secure = secure = url[4] == "s"
        if secure or self._traces_all:
            if not self.traced:
                self.traced = True
                setopt(pycurl.VERBOSE, 1)
            self._trace.begin()
        elif self.traced:
            self.traced = False
            setopt(pycurl.VERBOSE, 0)
        if hop.fresh or hop.close or hop.public_only or self._choice.is_special:
            self._choice.set(hop)
        setopt(URL, url)
        if self._has_target or ("%" in url and LOWER_HEX.search(url)):
            setopt(pycurl.REQUEST_TARGET, self._target(url))
            self._has_target = True  # permanently: pycurl can't unset it
        if hop.method != self._method or hop.body is not self._body:
            self._set_method(hop.method, hop.body)
        if hop.headers is not self._headers:
            setopt(pycurl.HTTPHEADER, header_lines(hop.headers))
            self._headers = hop.headers
        connect_timeout = hop.connect_timeout
        if connect_timeout > hop.max_time:
            connect_timeout = hop.max_time
        if self._gives_address:
            connect_timeout = time_for_address(connect_timeout, len(hop.addresses))
        if connect_timeout != self._connect_timeout:
            setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds(connect_timeout))
            self._connect_timeout = connect_timeout
        self.where = where = hop.authority
        self._entries = entries = self._resolve_cache.open(where, hop.addresses)
        if self._proxy_at:
            self._proxy_entries = self._resolve_cache.open(self._proxy_at, hop.proxy_addresses)
            entries = [*entries, *self._proxy_entries]
        if entries:
            setopt(pycurl.RESOLVE, entries)

    @property
    def header_lines(self) -> int:
        """Number of header lines received; a body's pieces are counted in `ProgressCounter.progress`."""
        return len(self.receiver.lines)

    def opened(self, descriptor: int) -> None:
        """Record that libcurl opens a connection for the hop."""
        self._connections.opened(descriptor)
        self.new_connections.append(descriptor)

    def connection_of(self, ends: Ends) -> int:
        """Return the descriptor of the connection that libcurl has chosen for the hop."""
        return self._connections.find(ends, self.new_connections)

    def sending(self, *ends: Any) -> int:
        """Handle libcurl's PREREQFUNCTION callback: the request is about to be sent over the connection
        between these ends. Abort if unread bytes wait there: they can't be its response."""
        connections = self._connections
        if not (self.traced or self.new_connections):  # fast path: a kept connection without TLS
            kept = connections.descriptors.get(ends)
            if kept is not None and not has_unread(kept, connections.buffer):
                return PREREQ_OK
        descriptor = connections.find(ends, self.new_connections)
        if self.traced:
            self._trace.ends = ends
        if self.traced and descriptor != NO_SOCKET:
            last = connections.unchecked.get(descriptor)
            if last is not None and last is not self:
                last.check_response(descriptor)
        if descriptor == NO_SOCKET or connections.is_quiet(descriptor, self.traced):
            if self.traced:
                self._sent_on = descriptor
                connections.unchecked[descriptor] = self
            return PREREQ_OK
        self._data_before_request = True
        self._surplus = not is_closed_by_server(descriptor)
        return pycurl.PREREQFUNC_ABORT

    def check_connection(self, code: int) -> None:
        """Record the state in which the hop leaves its connection. Must be called while libcurl still knows
        which one it was."""
        lines = self.receiver.lines
        if self.traced and self._connections.unchecked.get(self._sent_on) is self:
            del self._connections.unchecked[self._sent_on]
        if self._is_checked:
            return
        if not self.traced and (code or not self.new_connections):
            return  # the first response on a plain connection shows the type of server
        if not lines:
            return
        descriptor = self.curl.getinfo(pycurl.ACTIVESOCKET)
        if lines[0].startswith((b"HTTP/2 ", b"HTTP/3 ")):
            self._connections.shared.add(descriptor)
        elif code:
            return
        elif descriptor == NO_SOCKET:
            if not self._choice.closes and is_keepable(lines):
                self._surplus = True  # libcurl found surplus bytes, and closed the connection
        elif self.traced:
            self.check_response(descriptor)

    def check_response(self, descriptor: int) -> None:
        """Record the response on this TLS connection, and whether surplus bytes were received with it. No
        `getinfo()`: the next hop on the connection may call this, in a callback of libcurl."""
        lines = self.receiver.lines
        if not lines or lines[0].startswith((b"HTTP/2 ", b"HTTP/3 ")):
            return
        self._is_checked = True
        chunked = any(line[:18].lower() == b"transfer-encoding:" for line in lines)
        size = sum(map(len, lines)) + self.receiver.size
        all_read = self._connections.record_response(descriptor, self._trace.records, self._trace.before)
        if self._trace.has_surplus(None if chunked else size) or not all_read:
            self._surplus = True
            self._connections.spoiled.add(descriptor)

    def finish(self, code: int, message: str, forced: Failure | None = None) -> HopResult:
        """Return the hop's result. `code` and `message` are libcurl's, 0 and empty after success; `forced` is
        why the hop was cancelled, if it was."""
        hop, receiver = self.hop, self.receiver
        assert hop is not None
        self._resolve_cache.close(self.where, self._entries, None if code else hop.addresses)
        if self._proxy_at:
            known = None if code else hop.proxy_addresses
            self._resolve_cache.close(self._proxy_at, self._proxy_entries, known)
        getinfo = self.curl.getinfo
        # Microseconds, as libcurl counts them: dividing is exact where rounding its doubles is not.
        namelookup = getinfo(NAMELOOKUP_TIME) / 1e6
        total = getinfo(TOTAL_TIME) / 1e6
        cut = gone = again = False
        if self.traced:
            cut, gone = self._trace.end()
        failure = receiver.failure
        if receiver.stopped and failure is None:
            pass  # the handler wants no more
        elif code or forced is not None or failure is not None:
            if self._data_before_request and code:
                failure = DATA_BEFORE_REQUEST
            else:
                tunnels = self._forwards and self._secure
                failure = self._failures.find(
                    hop, code, message, forced, gone=gone, proxied=self._proxied, tunnels=tunnels
                )
        elif cut and hop.method != "HEAD" and not has_length(receiver.lines):
            failure = CUT
        elif not receiver.begun:
            failure = receiver.begin(hop)  # without a body no callback has begun
        if failure is not None:
            if failure is DATA_BEFORE_REQUEST:
                again = not getinfo(pycurl.NUM_CONNECTS)
            if not receiver.has_head and forced is None and hop.method in IDEMPOTENT:
                again = again or self._is_caused_by_others(failure, code, message)
            if not receiver.begun and not again:
                receiver.begin_truncated(hop)  # what was received belongs in the row
        response = HopResult(
            failure,
            getinfo(PRIMARY_IP) or None,
            namelookup,
            getinfo(CONNECT_TIME) / 1e6,
            getinfo(APPCONNECT_TIME) / 1e6,
            getinfo(STARTTRANSFER_TIME) / 1e6,
            total,
            again,
            self._surplus,
        )
        if failure is not None:  # an unfinished phase has no time
            if response.remote_ip is None or getinfo(pycurl.NUM_CONNECTS):  # times of a kept connection stay
                response.time_namelookup = response.time_namelookup or None
                response.time_connect = response.time_connect or None
                response.time_appconnect = response.time_appconnect or None
            if not receiver.begun:
                response.time_starttransfer = None
            if self._gives_address:
                response.untried = untried_addresses(hop, failure)
        self.hop = None
        receiver.clear()
        return response

    def _target(self, url: str) -> str:
        """Return the target of the request line (RFC 9112 section 3.2)."""
        if self._forwards and url.startswith("http:"):
            return url
        return url[len(urls.origin(url)) :]

    def _is_caused_by_others(self, failure: Failure, code: int, message: str) -> bool:
        """Whether a hop failed because of earlier requests or other streams on its connection, and not
        because of its own URL: surplus bytes after the last response, or a GOAWAY before the request was
        processed."""
        if self.curl.getinfo(pycurl.NUM_CONNECTS):
            return False  # the connection was new
        if is_http2(code, message):
            return BY_SERVER not in message
        if failure.kind is FailureKind.PROTOCOL:
            self._surplus = True
            return True
        return False

    def _set_method(self, method: str, body: bytes) -> None:
        """Set the method and the body."""
        curl = self.curl
        curl.setopt(pycurl.HTTPGET, 1)
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        if method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif body:
            curl.setopt(pycurl.POSTFIELDS, body)
            if method != "POST":
                curl.setopt(pycurl.CUSTOMREQUEST, method)
        elif method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        self._method, self._body = method, body

    def _use_proxy(self, text: str) -> None:
        """Set the proxy of this hop and the next ones; empty for none."""
        proxy = proxy_of(text)
        self._proxied = proxy is not None
        self._proxy_at = "" if proxy is None else f"{proxy.host}:{proxy.port}"
        self._gives_address = proxy is not None and proxy.takes_addresses
        self._forwards = proxy is not None and not proxy.socks
        """Whether an HTTP proxy makes the requests: they have absolute URLs."""
        self._traces_all = self._http2 or text.startswith("https:")
        self._proxy_entries = []
        self.curl.setopt(pycurl.PROXY, text.encode())  # also none: the environment's is ignored (fault 27)
