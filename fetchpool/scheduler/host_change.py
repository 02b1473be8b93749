"""HostChange: the event of a host that gets fewer requests, for the log of a run. Immutable data."""

from __future__ import annotations

from msgspec import Struct


class HostChange(Struct, frozen=True, gc=False):
    """A host begins to back off, or is down."""

    host: str
    seconds: float
    """Minimum seconds until the next request to the host may start."""
    status: int = 0
    """The status that the host responded with, 429 or 503; 0 if it does not respond."""
    is_down: bool = False
    """Whether its queued requests end as `host_down`."""
