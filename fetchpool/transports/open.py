"""Opens a transport by its name. Imports only the chosen transport."""

from __future__ import annotations

from fetchpool.config.choices import TRANSPORTS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.transports.base import Transport


def open_transport(options: FetchOptions) -> Transport:
    """Return a transport for one worker. Raises `UsageError` for an unknown name or a missing library."""
    if options.transport == "curl":
        from fetchpool.transports.curl.transport import CurlTransport

        return CurlTransport(options)
    if options.transport == "requests":
        from fetchpool.transports.requests.transport import RequestsTransport

        return RequestsTransport(options)
    raise UsageError(f"no transport {options.transport!r}; the transports are: {', '.join(TRANSPORTS)}")
