"""HostChange: what the log of a run says about a host that gets fewer requests. Immutable data."""

from __future__ import annotations

from msgspec import Struct


class HostChange(Struct, frozen=True, gc=False):
    """A host begins to back off, or is down."""

    host: str
    seconds: float
    """Until its next request may start, at least."""
    status: int = 0
    """429 or 503, with which it responded; 0 if it does not respond."""
    is_down: bool = False
    """Its queued requests end as `host_down`."""
