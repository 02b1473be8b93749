"""Sets which connections a hop may use: new or reused ones, and to which addresses.

In: a `HopRequest`. Out: options of an easy handle, set only if they change. Most hops set none of them.
"""

from __future__ import annotations

import pycurl

from fetchpool.transports.base import HopRequest
from fetchpool.transports.curl.address_filter import AddressFilter


class ConnectionChoice:
    """The options of one easy handle that choose connections."""

    def __init__(self, curl: pycurl.Curl, address_filter: AddressFilter, filters_all: bool) -> None:
        """`filters_all`: every hop of the run is restricted to public addresses."""
        self._curl = curl
        self._filter = address_filter
        self._filters_all = filters_all
        self.is_special = False
        """Whether the last hop had other options than the default."""
        self.closes = False
        self._fresh = self._public_only = False

    def set(self, hop: HopRequest) -> None:
        """Set which connection the hop may use, and whether it is kept."""
        self.is_special = hop.fresh or hop.close or hop.public_only
        if hop.public_only:
            self._filter.reset()
        if hop.fresh is not self._fresh:
            self._fresh = hop.fresh
            self._require_fresh()
        closes = hop.close or hop.fresh
        if closes is not self.closes:
            self._curl.setopt(pycurl.FORBID_REUSE, int(closes))
            self.closes = closes
        if hop.public_only != self._public_only:
            self._filter_addresses(hop.public_only)

    def _filter_addresses(self, public_only: bool) -> None:
        """Filter addresses only where required: opening sockets in Python adds a tenth to the cost of a
        connection."""
        if public_only:
            self._curl.setopt(pycurl.OPENSOCKETFUNCTION, self._filter.open_socket)
        else:
            self._curl.unsetopt(pycurl.OPENSOCKETFUNCTION)
        self._public_only = public_only
        self._require_fresh()

    def _require_fresh(self) -> None:
        """Require a new connection if open ones may have been checked by another policy."""
        fresh = self._fresh or (self._public_only and not self._filters_all)
        self._curl.setopt(pycurl.FRESH_CONNECT, int(fresh))
