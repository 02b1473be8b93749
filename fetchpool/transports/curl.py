"""One hop by libcurl (pycurl), performed by itself: the default transport of those who block.

In: a `HopRequest`. Out: a `HopResponse`. What libcurl is told and what it says is `curl_handle.py`'s; here
somebody waits for it, and the watchdog is told which connection to look at.
"""

from __future__ import annotations

import math
import os
import socket
from time import monotonic

import pycurl

from fetchpool import resolver
from fetchpool.model import FailureKind, FetchOptions
from fetchpool.resolver import ResolveError
from fetchpool.transports import watchdog
from fetchpool.transports.address_book import AddressBook
from fetchpool.transports.base import Failure, HopRequest, HopResponse, include_lookup
from fetchpool.transports.curl_failures import ENDED
from fetchpool.transports.curl_handle import CurlHandle
from fetchpool.transports.lookups import HopNames

Ends = tuple[str, str, int, int]
"""A connection: their address and ours, their port and ours."""


class CurlTransport:
    """One handle, one hop at a time."""

    def __init__(self, options: FetchOptions) -> None:
        self._resolver = resolver.shared()
        self._names = HopNames(options, self._resolver)
        self._watch = watchdog.shared().watch()  # for silence and abort; deadlines are libcurl's own
        self._handle = CurlHandle(options, self._watch, AddressBook())
        self._handle.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        self._handle.curl.setopt(pycurl.CLOSESOCKETFUNCTION, self._closing)
        self._ends: dict[int, Ends | None] = {}
        """Both ends of each connection, by descriptor; None as long as it was not used."""
        self._asks = False
        """Whether libcurl says where a request goes out."""

    def perform(self, hop: HopRequest) -> HopResponse:
        handle, watch, names = self._handle, self._watch, self._names
        seconds = 0.0
        if names.missing(hop):
            began = monotonic()
            failure = self._look_up(hop, began)
            seconds = monotonic() - began
            if failure is not None:
                return HopResponse(failure, time_total=round(seconds, 6))
            hop.connect_timeout -= seconds
            hop.max_time -= seconds
        handle.prepare(hop, names.proxy_addresses)
        if (len(self._ends) > 1) is not self._asks:
            self._ask(not self._asks)
        code, message = 0, ""
        watch.start(monotonic(), math.inf, hop.read_timeout)
        try:
            handle.curl.perform()
        except pycurl.error as error:
            code, message = error.args  # type: ignore[misc]  # pycurl's stubs leave it untyped
        ended = watch.stop()
        if ended is FailureKind.TIMEOUT_READ and code == pycurl.E_OPERATION_TIMEDOUT:
            ended = None  # libcurl's deadline came first, and it had closed the socket that was looked at
        # Also where libcurl is content: to a body without a length the shutdown was its end.
        response = handle.conclude(code, message, ENDED.get(ended) if ended else None)
        if seconds:
            include_lookup(response, seconds)
        return response

    def _look_up(self, hop: HopRequest, began: float) -> Failure | None:
        """Has what the hop needs looked up, in its time; why that can't be had."""
        timeout = min(hop.connect_timeout, hop.max_time)
        while host := self._names.missing(hop):
            try:
                self._resolver.resolve(host, 0, timeout - (monotonic() - began), self._watch.wait)
            except ResolveError as error:
                if self._watch.ending:
                    return ENDED[FailureKind.ABORTED]
                return self._names.failure(host, error.kind, str(error))
        return None

    def abort(self) -> None:
        self._watch.abort()

    def close(self) -> None:
        self._handle.curl.close()
        self._watch.close()

    def _opened(self, descriptor: int, _purpose: int) -> int:
        self._watch.opened(descriptor)
        self._ends[descriptor] = None
        self._watch.speaking(descriptor)  # as far as is known yet
        # A hop that is being ended looks to libcurl like a kept connection that was closed: it would
        # try again with another one.
        return pycurl.SOCKOPT_ERROR if self._watch.ending else pycurl.SOCKOPT_OK

    def _ask(self, asks: bool) -> None:
        """Of several kept connections the watch must know which one is spoken on. Of one, or a new one, it
        needn't be told, and another callback, for which a thread has to get hold of the interpreter, is a
        twentieth of a short fetch."""
        if asks:
            self._handle.curl.setopt(pycurl.PREREQFUNCTION, self._sending)
        else:
            self._handle.curl.unsetopt(pycurl.PREREQFUNCTION)
        self._asks = asks

    def _sending(self, remote_ip: str, local_ip: str, remote_port: int, local_port: int) -> int:
        """A request is about to go out; libcurl says where, but not by which descriptor."""
        ends = (remote_ip, local_ip, remote_port, local_port)
        for descriptor, known in self._ends.items():
            if known is None:
                known = self._ends[descriptor] = ends_of(descriptor)
            if known == ends:
                self._watch.speaking(descriptor)
                break
        return pycurl.PREREQFUNC_OK

    def _closing(self, descriptor: int) -> int:
        self._watch.closed(descriptor)
        self._ends.pop(descriptor, None)
        os.close(descriptor)
        return 0


def ends_of(descriptor: int) -> Ends | None:
    """None when it is not connected."""
    connection = socket.socket(fileno=descriptor)
    try:
        (local_ip, local_port), (remote_ip, remote_port) = (
            connection.getsockname()[:2],
            connection.getpeername()[:2],
        )
    except OSError:
        return None
    finally:
        connection.detach()
    # A link-local address is told with its interface, which libcurl leaves out.
    return remote_ip.partition("%")[0], local_ip.partition("%")[0], remote_port, local_port
