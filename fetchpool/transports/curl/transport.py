"""The curl transport (pycurl), the default: performs one hop after the other, blocking. In: a `HopRequest`.
Out: a `HopResult`. `handle.py` sets the options and makes the results; this module performs the transfer, and
tells the watchdog which connection to check.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.failures import FailureKind
from fetchpool.transports import resolver, watchdog
from fetchpool.transports.base import Failure, HopRequest, HopResult, add_lookup_time
from fetchpool.transports.curl.connections import NO_SOCKET, Connections
from fetchpool.transports.curl.errors import FORCED
from fetchpool.transports.curl.handle import CurlHandle
from fetchpool.transports.curl.lookups import HopNames
from fetchpool.transports.curl.resolve_cache import MAX_IDLE_OF_THREAD, ResolveCache
from fetchpool.transports.curl.trace import Streams
from fetchpool.transports.lookup import ResolveError


class CurlTransport:
    """A transport with one curl handle, for one hop at a time."""

    def __init__(self, options: FetchOptions) -> None:
        self._resolver = resolver.shared(options.ip_version)
        self._names = HopNames(options, self._resolver)
        self._watch = watchdog.shared().watch()
        self._connections = Connections()
        self._handle = CurlHandle(
            options, self._watch, ResolveCache(MAX_IDLE_OF_THREAD), self._connections, Streams()
        )
        if options.few_descriptors:
            self._handle.curl.setopt(pycurl.MAXCONNECTS, 1)
        self._handle.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        self._handle.curl.setopt(pycurl.CLOSESOCKETFUNCTION, self._closing)
        if options.http_version == "3":  # a shut down UDP socket does not end a transfer
            self._handle.curl.setopt(pycurl.NOPROGRESS, 0)
            self._handle.curl.setopt(pycurl.XFERINFOFUNCTION, self._ends)
        self._where = ""
        """The authority of the previous hop."""
        self._identifies = False
        """Whether PREREQFUNCTION is set."""

    def perform(self, hop: HopRequest) -> HopResult:
        handle, watch, names = self._handle, self._watch, self._names
        seconds = 0.0
        if names.missing(hop):
            began = monotonic()
            failure = self._look_up(hop, began)
            seconds = monotonic() - began
            if failure is not None:
                return HopResult(failure, time_total=round(seconds, 6))
            hop.connect_timeout -= seconds
            hop.max_time -= seconds
        if hop.close:
            hop.close = watchdog.shared().close_idle(watch, hop.url, hop.addresses)
        began, now = monotonic(), watch.now()
        handle.prepare(hop, began)
        code, message = 0, ""
        watch.start(now, hop.max_time, hop.read_timeout)
        # Checked last, so that it is still true when the request goes out.
        if self._must_identify() is not self._identifies:
            self._identify(not self._identifies)
        try:
            handle.curl.perform()
        except pycurl.error as error:
            code, message = error.args  # type: ignore[misc]  # pycurl's stubs leave it untyped
        if handle.traced or handle.new_connections:
            handle.check_connection(code)
        ended = watch.stop()
        if ended is FailureKind.TIMEOUT_TOTAL:
            code, message = pycurl.E_OPERATION_TIMEDOUT, ""
        elif code == pycurl.E_OPERATION_TIMEDOUT:
            if ended is FailureKind.TIMEOUT_READ:
                ended = None  # the connect timeout came first: libcurl had closed the socket that was checked
            seconds_of_hop = watch.now() - now
            if ended is None and monotonic() - began - seconds_of_hop >= watchdog.CONNECT_LOST:
                handle.finish(code, message)
                hop.max_time -= seconds_of_hop
                return self.perform(hop)  # not all of the time was the host's, and nothing was sent
        # Also when libcurl reports success: for a body without a length the shutdown was its end.
        response = handle.finish(code, message, FORCED.get(ended) if ended else None)
        if seconds:
            add_lookup_time(response, seconds)
        return response

    def _look_up(self, hop: HopRequest, began: float) -> Failure | None:
        """Resolve the names that the hop needs, within its timeout; return a failure if one has no
        address."""
        timeout = min(hop.connect_timeout, hop.max_time)
        while host := self._names.missing(hop):
            try:
                self._resolver.resolve(host, 0, timeout - (monotonic() - began), self._watch.wait)
            except ResolveError as error:
                if self._watch.ending:
                    return FORCED[FailureKind.ABORTED]
                return self._names.failure(host, error.kind, str(error))
        return None

    def abort(self) -> None:
        self._watch.abort()

    def close(self) -> None:
        self._handle.curl.close()
        self._watch.close()

    def _ends(self, *_amounts: int) -> int:
        """Handle libcurl's XFERINFOFUNCTION callback, at least once a second: 1 ends the transfer."""
        return int(self._watch.ending)

    def _opened(self, descriptor: int, _purpose: int) -> int:
        self._watch.opened(descriptor)
        self._handle.opened(descriptor)
        self._watch.use_socket(descriptor)  # until the request is sent
        # To libcurl, a hop that is being ended looks like a reused connection that was closed: it would retry
        # with another one.
        return pycurl.SOCKOPT_ERROR if self._watch.ending else pycurl.SOCKOPT_OK

    def _must_identify(self) -> bool:
        """Whether the connection of the hop's request must be identified. Not if only one connection is kept
        and no bytes wait on it: the callback, for which a thread has to acquire the GIL, costs a twentieth of
        a short fetch."""
        where, self._where = self._where, self._handle.where
        return self._handle.traced or where != self._where or not self._connections.is_one_quiet

    def _identify(self, identifies: bool) -> None:
        if identifies:
            self._handle.curl.setopt(pycurl.PREREQFUNCTION, self._sending)
        else:
            self._handle.curl.unsetopt(pycurl.PREREQFUNCTION)
        self._identifies = identifies

    def _sending(self, *ends: Any) -> int:
        """Handle libcurl's PREREQFUNCTION callback, which names the connection's ends but not its
        descriptor."""
        descriptor = self._handle.connection_of(ends)
        if descriptor != NO_SOCKET:
            self._watch.use_socket(descriptor)
        return self._handle.sending(*ends)

    def _closing(self, descriptor: int) -> int:
        self._watch.closed(descriptor)
        self._connections.closed(descriptor)
        os.close(descriptor)
        return 0
