"""One easy handle of libcurl's, set up once and told per hop only what differs.

In: a `HopRequest`, and what libcurl says in its callbacks. Out: a `HopResult`; the answer goes to the hop's
`Receiver`. libcurl follows nothing, decodes nothing and reads neither `.netrc` nor the environment here; its
connections, deadlines and protocol checks are what it is for. Whoever holds a handle performs it: by itself
(`curl.py`), or with others (`pools/multi_worker.py`).
"""

from __future__ import annotations

import os
import re
import socket
from collections import deque
from time import monotonic
from typing import Any, Protocol

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest, HopResult
from fetchpool.transports.curl.connections import NO_SOCKET, Connections, Ends
from fetchpool.transports.curl.errors import (
    BY_SERVER,
    CUT,
    FORCED,
    SPOKE_UNASKED,
    TLS_HUNG_UP,
    failure_of,
    http2_failure,
    is_http2,
    late,
    proxy_failure,
    socket_failure,
    timeout_of,
)
from fetchpool.transports.curl.head import BLANK, has_length, is_keepable, parse_head
from fetchpool.transports.curl.resolve_cache import ResolveCache, cache_timeout
from fetchpool.transports.curl.trace import CurlTrace, Streams, traces_frames
from fetchpool.transports.proxies import proxy_of
from fetchpool.transports.unread import has_unread, is_farewell

HTTP_VERSIONS = {
    "": pycurl.CURL_HTTP_VERSION_2TLS,
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2_0,
}
PREREQ_OK = pycurl.PREREQFUNC_OK
SUPPRESS_CONNECT_HEADERS = 265
"""CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for: a proxy's answer to CONNECT is not
the server's."""
LOWER_HEX = re.compile("%(?:[a-f]|[0-9A-F][a-f])")
"""What libcurl writes in capitals when it is in a path: `%c3`."""
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""May be sent again when nobody can tell whether they arrived (RFC 9110 section 9.2.2)."""


def http_version(options: FetchOptions) -> int:
    """What libcurl is to offer: no HTTP/2 unasked where nobody could tell a whole answer from a cut one."""
    told = traces_frames()  # also where it is asked for
    return HTTP_VERSIONS[options.http_version or ("" if told else "1.1")]


class ProgressCounter(Protocol):
    """What shows that a hop is not silent: any change of `progress` does."""

    progress: int

    @property
    def ending(self) -> bool:
        """Somebody is ending the hop."""


class CurlHandle:
    """An easy handle with what it hears: header lines, body bytes, sockets."""

    def __init__(
        self,
        options: FetchOptions,
        life: ProgressCounter,
        book: ResolveCache,
        connections: Connections,
        streams: Streams,
        paused: deque[CurlHandle] | None = None,
    ) -> None:
        """`life.progress` is counted up as body bytes come; `book` belongs to the DNS cache that it uses,
        `connections` and `streams` to its connection pool. `paused`: whoever has other handles to serve
        finds there those with decoding to `go_on()` with, while libcurl brings nothing more; without it a
        body is decoded as it comes."""
        self._life = life
        self._book = book
        self._connections = connections
        self._opened: list[int] = []
        """By this hop."""
        self._trace = CurlTrace(streams, self._opened)
        self.traced = False
        """libcurl tells of TLS records and HTTP/2 frames."""
        self._traces_all = options.http_version == "2" or (options.proxy or "").startswith("https:")
        self._secure = False
        self._fresh = False
        self._unasked = False
        """The request did not go out: bytes were waiting where its answer was to come."""
        self._surplus = False
        """Bytes came that answer nothing."""
        self._paused = paused
        self.decoding = False
        """It is paused."""
        self._deadline = 0.0
        self.where = ""
        self._where_is_tls = False
        self._told: list[str] = []
        self._lines: list[bytes] = []
        self._hop: HopRequest | None = None
        self._begun = False
        self._headed = False
        """The receiver has the head."""
        self._stopped = False
        self._failure: Failure | None = None
        """Found by a callback, which can only end the transfer: it outranks libcurl's own code."""
        self._headers: tuple[tuple[str, str], ...] | None = None
        self._method = ""
        self._max_time = self._connect_timeout = 0.0
        self._public_only = self._closes = False
        self._forbidden = ""
        self._judges_all = options.public_only
        proxy = proxy_of(options.proxy)
        self._proxied = proxy is not None
        self._proxy_at = "" if proxy is None else f"{proxy.host}:{proxy.port}"
        self._proxy_addresses: tuple[str, ...] = ()
        self._proxy_told: list[str] = []
        self._forwards = proxy is not None and not proxy.socks
        """An HTTP proxy is asked for whole URLs."""
        self._has_target = False
        self.curl = curl = pycurl.Curl()
        setopt = curl.setopt
        setopt(pycurl.NOSIGNAL, 1)  # timeouts by signals and threads do not go together
        setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        setopt(pycurl.PATH_AS_IS, 1)  # the URL parser has normalised it already
        setopt(pycurl.HTTP_VERSION, http_version(options))
        setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        setopt(SUPPRESS_CONNECT_HEADERS, 1)
        setopt(pycurl.BUFFERSIZE, options.buffersize)
        setopt(pycurl.DNS_CACHE_TIMEOUT, cache_timeout(options))
        setopt(pycurl.NOPROXY, "")  # the environment's no_proxy is not asked,
        setopt(pycurl.PROXY, (options.proxy or "").encode())  # nor its http_proxy (fault 27)
        if options.dns_servers:
            setopt(pycurl.DNS_SERVERS, options.dns_servers)
        if options.cacert is not None:
            setopt(pycurl.CAINFO, os.fsencode(options.cacert))
        if options.insecure:
            setopt(pycurl.SSL_VERIFYPEER, 0)
            setopt(pycurl.SSL_VERIFYHOST, 0)
        setopt(pycurl.HEADERFUNCTION, self._lines.append)
        setopt(pycurl.WRITEFUNCTION, self._write)
        setopt(pycurl.DEBUGFUNCTION, self._trace.heard)

    def prepare(self, hop: HopRequest, proxy_addresses: tuple[str, ...] = ()) -> None:
        """Tells the handle what differs from the hop before. `proxy_addresses`: where the proxy is."""
        self._hop = hop
        self._begun = self._headed = self._stopped = self.decoding = False
        self._deadline = monotonic() + hop.max_time
        self._failure = None
        self._forbidden = ""
        self._unasked = self._surplus = False
        self._opened.clear()
        self._lines.clear()
        setopt = self.curl.setopt
        self._secure = hop.url.startswith("https")
        if (self._secure or self._traces_all) is not self.traced:
            self.traced = not self.traced
            setopt(pycurl.VERBOSE, int(self.traced))
        if self.traced:
            self._trace.begin()
        if hop.fresh is not self._fresh:
            self._fresh = hop.fresh
            self._choose_connection()
        setopt(pycurl.URL, hop.url)
        if self._has_target or ("%" in hop.url and LOWER_HEX.search(hop.url)):
            setopt(pycurl.REQUEST_TARGET, self._target(hop.url))
            self._has_target = True  # for good: pycurl can't take it back
        if hop.method != self._method:
            self._set_method(hop.method)
        if hop.headers is not self._headers:
            setopt(pycurl.HTTPHEADER, header_lines(hop.headers))
            self._headers = hop.headers
        if hop.max_time != self._max_time:
            setopt(pycurl.TIMEOUT_MS, milliseconds(hop.max_time))
            self._max_time = hop.max_time
        if hop.connect_timeout != self._connect_timeout:
            setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds(hop.connect_timeout))
            self._connect_timeout = hop.connect_timeout
        closes = hop.close or hop.fresh
        if closes is not self._closes:
            setopt(pycurl.FORBID_REUSE, int(closes))
            self._closes = closes
        if hop.public_only != self._public_only:
            self._filter_addresses(hop.public_only)
        self.where = urls.authority(hop.url)
        self._told = self._book.open(self.where, hop.addresses)
        if self._proxy_at:
            self._proxy_addresses = proxy_addresses
            self._where_is_tls = hop.url.startswith("https:")
            self._proxy_told = self._book.open(self._proxy_at, proxy_addresses)
        if self._told or self._proxy_told:
            setopt(pycurl.RESOLVE, [*self._told, *self._proxy_told])

    @property
    def header_lines(self) -> int:
        """Header lines that have come; a body's pieces are `life.progress`."""
        return len(self._lines)

    def opened(self, descriptor: int) -> None:
        """libcurl has made a connection for the hop, or begins to."""
        self._connections.opened(descriptor)
        self._opened.append(descriptor)

    def speaks_on(self, ends: Ends) -> int:
        """The descriptor of the connection that libcurl has chosen for the hop."""
        return self._connections.find(ends, self._opened)

    def sending(self, *ends: Any) -> int:
        """libcurl's callback: a request is about to go out by the connection between these ends."""
        connections = self._connections
        if not (self.traced or self._opened):  # a kept connection without TLS: in a few steps
            kept = connections.descriptors.get(ends)
            if kept is not None and not has_unread(kept, connections.answer):
                return PREREQ_OK
        descriptor = connections.find(ends, self._opened)
        if self.traced:
            self._trace.ends = ends
        if descriptor == NO_SOCKET or connections.is_quiet(descriptor, self.traced):
            return PREREQ_OK
        self._unasked = True
        self._surplus = not is_farewell(descriptor)
        return pycurl.PREREQFUNC_ABORT

    def look_back(self, code: int) -> None:
        """Notes what the hop leaves of its connection; to be called as long as libcurl knows which it was."""
        lines = self._lines
        if not self.traced and (code or not self._opened):
            return  # of a plain connection its first answer is enough to see what kind of server it is
        if not lines:
            return
        descriptor = self.curl.getinfo(pycurl.ACTIVESOCKET)
        if lines[0].startswith(b"HTTP/2 "):
            self._connections.shared.add(descriptor)
        elif code:
            return
        elif descriptor == NO_SOCKET:
            if not self._closes and is_keepable(lines):
                self._surplus = True  # libcurl found it, and says so by closing the connection
        elif self.traced:
            chunked = any(line[:18].lower() == b"transfer-encoding:" for line in lines)
            size = sum(map(len, lines)) + self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T)
            all_read = self._connections.settle(descriptor, self._trace.records, self._trace.before)
            if self._trace.has_surplus(None if chunked else size) or not all_read:
                self._surplus = True
                self._connections.spoiled.add(descriptor)

    @property
    def stopped(self) -> bool:
        """The receiver takes no more."""
        return self._stopped

    def go_on(self, arrived: bool) -> bool:
        """One turn of the decoding for which the handle is paused; whether there is more. When there isn't,
        libcurl goes on, unless all has `arrived` or the handle is `stopped`."""
        hop = self._hop
        assert hop is not None
        receiver = hop.receiver
        if monotonic() >= self._deadline:
            self._failure = late(hop.max_time)
            self._stopped = True
        elif receiver.resume():
            self.decoding = False
            if not arrived:
                self._unpause()
        elif receiver.pending:
            return True
        else:
            self._stopped = True
        return False

    def _unpause(self) -> None:
        """It may bring more at once."""
        try:
            self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:
            if not self._stopped:
                code, message = error.args  # type: ignore[misc]  # pycurl's stubs leave it untyped
                self._failure = failure_of(code, message, 0)
                self._stopped = True

    def conclude(self, code: int, message: str, ended: Failure | None = None) -> HopResult:
        """What the hop came to. `code` and `message` are libcurl's, 0 and empty when it is content;
        `ended` is why somebody else ended it."""
        hop = self._hop
        assert hop is not None
        self._book.close(self.where, self._told, None if code else hop.addresses)
        if self._proxy_at:
            self._book.close(self._proxy_at, self._proxy_told, None if code else self._proxy_addresses)
        getinfo = self.curl.getinfo
        # Microseconds, as libcurl counts them: dividing is exact where rounding its doubles is not.
        namelookup = getinfo(pycurl.NAMELOOKUP_TIME_T) / 1e6
        total = getinfo(pycurl.TOTAL_TIME_T) / 1e6
        cut, gone = self._trace.end() if self.traced else (False, False)
        again = False
        if self._stopped and self._failure is None:
            failure = None  # the receiver has enough
        elif self._unasked and code:
            again = not getinfo(pycurl.NUM_CONNECTS)
            failure = SPOKE_UNASKED
        elif code and self._forbidden:
            failure = Failure(FailureKind.FORBIDDEN_ADDRESS, f"{self._forbidden} is not a public address")
        elif ended is not None:  # what a callback made of an answer that was cut off is no finding
            failure = ended
        elif self._failure is not None:
            failure = self._failure
        elif code == pycurl.E_OPERATION_TIMEDOUT:
            failure = timeout_of(
                total=total,
                resolved=bool(namelookup or getinfo(pycurl.PRIMARY_IP)),
                max_time=hop.max_time,
                connect_timeout=hop.connect_timeout,
            )
        elif (
            code == pycurl.E_SEND_ERROR
            and not self._trace.multiplexed
            and getinfo(pycurl.NUM_CONNECTS)
            and getinfo(pycurl.APPCONNECT_TIME_T)
        ):
            failure = TLS_HUNG_UP
        elif code:
            failure = self._proxy_failure(code, message) if self._proxied else None
            if failure is None and is_http2(code, message):
                failure = http2_failure(message, begun=self._headed, gone=gone)
            elif failure is None:
                failure = failure_of(code, message, getinfo(pycurl.OS_ERRNO))
        elif cut and hop.method != "HEAD" and not has_length(self._lines):
            failure = CUT
        else:
            failure = None if self._begun else self._begin(hop)  # there was no body to begin with
        if failure is not None and not self._headed and ended is None and hop.method in IDEMPOTENT:
            again = again or self._is_anothers(failure, code, message)
        if failure is not None and not self._begun and not again:
            head = parse_head(self._lines)  # what had come by then belongs in the row
            if head is not None:
                self._begun = True
                hop.receiver.begin(head)
        response = HopResult(
            failure,
            getinfo(pycurl.PRIMARY_IP) or None,
            namelookup,
            getinfo(pycurl.CONNECT_TIME_T) / 1e6,
            getinfo(pycurl.APPCONNECT_TIME_T) / 1e6,
            getinfo(pycurl.STARTTRANSFER_TIME_T) / 1e6,
            total,
            again,
            self._surplus,
        )
        if failure is not None:  # a phase that never ended has no time
            if response.remote_ip is None or getinfo(pycurl.NUM_CONNECTS):  # not a kept connection's
                response.time_namelookup = response.time_namelookup or None
                response.time_connect = response.time_connect or None
                response.time_appconnect = response.time_appconnect or None
            if not self._begun:
                response.time_starttransfer = None
        self.decoding = False
        self._hop = None  # a body may be kept in it, and the handle's next hop may be long in coming
        self._lines.clear()
        return response

    def _target(self, url: str) -> str:
        """What is to stand in the request line (RFC 9112 section 3.2)."""
        if self._forwards and url.startswith("http:"):
            return url
        return url[len(urls.origin(url)) :]

    def _is_anothers(self, failure: Failure, code: int, message: str) -> bool:
        """Whether a hop failed for what became of a connection before, or of other streams on it, and not for
        its own URL: bytes behind the last answer, a connection given up with what was never processed."""
        if self.curl.getinfo(pycurl.NUM_CONNECTS):
            return False  # it was its own
        if is_http2(code, message):
            return BY_SERVER not in message
        if failure.kind is FailureKind.PROTOCOL:
            self._surplus = True
            return True
        return False

    def _proxy_failure(self, code: int, message: str) -> Failure | None:
        getinfo = self.curl.getinfo
        status = getinfo(pycurl.HTTP_CONNECTCODE)
        tunnels = self._forwards and self._where_is_tls
        return proxy_failure(
            code,
            message,
            getinfo(pycurl.OS_ERRNO),
            status=status,
            socks=getinfo(pycurl.PROXY_ERROR),
            arranging=tunnels and not status and getinfo(pycurl.NUM_CONNECTS) > 0,
        )

    def _set_method(self, method: str) -> None:
        """GET, HEAD and anything else; what a hop sends has no body."""
        curl = self.curl
        curl.setopt(pycurl.HTTPGET, 1)
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        if method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        self._method = method

    def _filter_addresses(self, public_only: bool) -> None:
        """Only where it is asked for: opening sockets ourselves is a tenth of what a connection costs."""
        if public_only:
            self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        else:
            self.curl.unsetopt(pycurl.OPENSOCKETFUNCTION)
        self._public_only = public_only
        self._choose_connection()

    def _choose_connection(self) -> None:
        """A kept connection was judged by another hop's policy, unless there is but one."""
        fresh = self._fresh or (self._public_only and not self._judges_all)
        self.curl.setopt(pycurl.FRESH_CONNECT, int(fresh))

    # libcurl's callbacks, in the thread that drives the handle

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, Any]) -> socket.SocketType | int:
        """Judges the address that is really dialled, whatever name or spelling led to it (faults 31
        to 33)."""
        family, kind, protocol, where = address
        if not address_is_public(where[0]):
            self._forbidden = where[0]  # another address of the same name may do
            return pycurl.SOCKET_BAD
        try:
            # Not the class that the module makes of it, which pycurl asks for its repr(): 15 µs less.
            connection = socket.SocketType(family, kind, protocol)
            os.close(os.dup(connection.fileno()))  # as pycurl does; it would not say why it can't
            return connection
        except OSError as error:  # no descriptors left: nothing of the host's
            self._failure = socket_failure(error)
            return pycurl.SOCKET_BAD

    def _write(self, chunk: bytes) -> int | None:
        hop = self._hop
        assert hop is not None
        if not self._begun:
            self._failure = self._begin(hop)
            if self._stopped:
                return 0
        self._life.progress += 1
        if hop.receiver.feed(chunk):
            return None  # as good as its length
        if hop.receiver.pending and self._decode(hop):
            return None
        self._stopped = True
        return 0

    def _decode(self, hop: HopRequest) -> bool:
        """Goes on with what takes long, now or later; whether more bytes are wanted."""
        if self._paused is not None:
            if not self.decoding:
                self.decoding = True
                self._paused.append(self)
                self.curl.pause(pycurl.PAUSE_RECV)
            return True
        receiver, life = hop.receiver, self._life
        while receiver.pending:
            if life.ending:
                self._failure = FORCED[FailureKind.ABORTED]
                return False
            if monotonic() >= self._deadline:
                self._failure = late(hop.max_time)
                return False
            life.progress += 1
            if receiver.resume():
                return True
        return False

    def _begin(self, hop: HopRequest) -> Failure | None:
        """Hands the final header block to the receiver; why there is none to be handed."""
        self._begun = True
        head = parse_head(self._lines)
        if head is not None:
            self._headed = True
            self._stopped = not hop.receiver.begin(head)
            return None
        self._stopped = True
        if self._lines and self._lines[-1] not in BLANK:
            # To libcurl a connection that ends there is the end of the headers.
            return Failure(FailureKind.TRUNCATED, "the connection ended inside the headers")
        return Failure(FailureKind.PROTOCOL, "the answer has no readable status line")


def header_lines(headers: tuple[tuple[str, str], ...]) -> list[bytes]:
    """As CURLOPT_HTTPHEADER wants them: `Name: value`, `Name;` for an empty one, and `Name:` for
    those libcurl would add by itself."""
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    named = {name.lower() for name, _ in headers}
    lines += [f"{name}:" for name in ("Accept", "User-Agent", "Expect") if name.lower() not in named]
    return [line.encode("latin-1") for line in lines]  # a cookie's bytes go back as they came


def milliseconds(seconds: float) -> int:
    """For libcurl's `_MS` options, where 0 would mean its default or none: at least 1."""
    return max(1, round(seconds * 1000))
