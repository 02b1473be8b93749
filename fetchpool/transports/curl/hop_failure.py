"""Determines why a hop failed, from libcurl's code and message and from the records of its callbacks. In: the
state of a handle after its hop. Out: a `Failure`. `errors.py` interprets libcurl's codes; this module decides
which of several causes goes into the row.
"""

from __future__ import annotations

import pycurl

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.curl.address_filter import AddressFilter
from fetchpool.transports.curl.errors import (
    HTTP3,
    TLS_HUNG_UP,
    failure_of,
    http2_failure,
    http3_failure,
    is_http2,
    proxy_failure,
    timeout_of,
)
from fetchpool.transports.curl.receiver import INVALID_STATUS_LINE, CurlReceiver
from fetchpool.transports.curl.trace import CurlTrace


class HopFailures:
    """The failures of the hops of one easy handle."""

    def __init__(
        self,
        curl: pycurl.Curl,
        receiver: CurlReceiver,
        trace: CurlTrace,
        address_filter: AddressFilter,
        interface: str | None,
    ) -> None:
        self._curl = curl
        self._receiver = receiver
        self._trace = trace
        self._filter = address_filter
        self._interface = interface

    def find(
        self,
        hop: HopRequest,
        code: int,
        message: str,
        forced: Failure | None,
        *,
        gone: bool,
        proxied: bool,
        tunnels: bool,
    ) -> Failure:
        """Return why the hop failed. `gone`: the server has closed the HTTP/2 connection. `tunnels`: the hop
        goes through an HTTP proxy's tunnel."""
        getinfo, receiver = self._curl.getinfo, self._receiver
        if code and hop.public_only and self._filter.forbidden:
            forbidden = self._filter.forbidden
            return Failure(FailureKind.FORBIDDEN_ADDRESS, f"{forbidden} is not a public address")
        if forced is not None:  # takes precedence over what a callback found in the truncated response
            return forced
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return timeout_of(
                # Without a message, the hop was ended at its deadline, by a clock that started before
                # libcurl's.
                total=getinfo(pycurl.TOTAL_TIME_T) / 1e6 if message else hop.max_time,
                resolved=bool(getinfo(pycurl.NAMELOOKUP_TIME_T) or getinfo(pycurl.PRIMARY_IP)),
                max_time=hop.max_time,
                connect_timeout=hop.connect_timeout,
            )
        if receiver.failure is not None:
            return receiver.failure
        if hop.public_only and self._filter.failure is not None:
            return self._filter.failure
        if (
            code == pycurl.E_SEND_ERROR
            and not self._trace.multiplexed
            and getinfo(pycurl.NUM_CONNECTS)
            and getinfo(pycurl.APPCONNECT_TIME_T)
        ):
            return TLS_HUNG_UP
        failure = self._of_proxy(code, message, tunnels) if proxied else None
        if failure is not None:
            return failure
        if is_http2(code, message):
            return http2_failure(message, begun=receiver.has_head, gone=gone)
        if code == HTTP3:
            return http3_failure(message, begun=receiver.has_head)
        if self._interface and code == pycurl.E_COULDNT_CONNECT and not getinfo(pycurl.OS_ERRNO):
            return Failure(FailureKind.UNREACHABLE, FailureKind.UNREACHABLE.message)  # of the other family
        if code == pycurl.E_GOT_NOTHING and receiver.has_invalid_status_line:
            return INVALID_STATUS_LINE
        return failure_of(code, message, getinfo(pycurl.OS_ERRNO))

    def _of_proxy(self, code: int, message: str, tunnels: bool) -> Failure | None:
        getinfo = self._curl.getinfo
        status = getinfo(pycurl.HTTP_CONNECTCODE)
        return proxy_failure(
            code,
            message,
            getinfo(pycurl.OS_ERRNO),
            status=status,
            socks=getinfo(pycurl.PROXY_ERROR),
            arranging=tunnels and not status and getinfo(pycurl.NUM_CONNECTS) > 0,
        )
