"""Those who talk to the network. `open_transport` imports only the one that was chosen."""

from __future__ import annotations

from fetchpool.errors import UsageError
from fetchpool.model import FetchOptions
from fetchpool.transports.base import Transport
from fetchpool.transports.watchdog import Watchdog

TRANSPORTS = ("curl", "requests")


def open_transport(options: FetchOptions, watchdog: Watchdog) -> Transport:
    """A transport for one worker. Raises `UsageError` for an unknown name or a missing library."""
    if options.transport == "curl":
        from fetchpool.transports.curl import CurlTransport

        return CurlTransport(options, watchdog)
    if options.transport == "requests":
        from fetchpool.transports.requests import RequestsTransport

        return RequestsTransport(options, watchdog)
    raise UsageError(f"no transport {options.transport!r}; there are: {', '.join(TRANSPORTS)}")
