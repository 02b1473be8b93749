"""FetchRequest: one URL to fetch, or one hop of it, on its way from the input to the workers.

In: nothing. Out: frozen, slotted, picklable values. No I/O, no policy.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fetchpool.model.discovery import Discovery
from fetchpool.model.failures import FailureKind
from fetchpool.model.record import Cookie


class CachedVersion(Struct, frozen=True, gc=False):
    """The row of a URL in an earlier output, for a conditional request."""

    url: str
    """The URL of the response, after redirects: the validators apply only to it."""
    etag: str = ""
    last_modified: str = ""
    size_delivered: int | None = None
    content_type: str | None = None
    sha256: str = ""
    filename_effective: str = ""


class FetchRequest(Struct, frozen=True, gc=False, array_like=True):
    """One URL to fetch, or one hop of it that the engine has to schedule."""

    urlnum: int
    """0-based position among the URLs of the input; negative for internal requests (`robots.txt`)."""
    url: str
    """The URL as given, with credentials; never shown unredacted."""
    href: str
    """Normalised by the URL parser, without credentials and fragment; empty if the URL is invalid."""
    host: str
    """The host name without the port: the unit of rate limits."""
    credentials: str = ""
    """`user:password` from the URL's own userinfo, percent-decoded."""
    error: FailureKind | None = None
    """Why the URL can't be fetched (`invalid_url`, `unsupported_scheme`)."""
    error_message: str = ""
    """The same as a message; empty for the kind's default message."""
    num_retries: int = 0
    num_redirects: int = 0
    num_uncounted: int = 0
    """Retries that do not count, since the attempts failed because of other connections."""
    close: bool = False
    """Whether to close the connection afterwards, because its host accepts few connections."""
    method: str = ""
    """The method after a redirect that changed it (RFC 9110 section 15.4); empty: the run's."""
    elapsed: float = 0.0
    """Seconds of `max_time` that earlier hops of this attempt have used."""
    addresses: tuple[str, ...] = ()
    """The addresses of `host` to connect to. Empty: the transport resolves it."""
    dns_time: float = 0.0
    """Duration of the lookup, if it was made for this request; part of `elapsed` and of the row's times."""
    spacing: float = 0.0
    """Seconds after its start in which no other request to `host` may start: the delay in force when the
    scheduler handed it out. Workers on other machines start requests later than that, so they measure it
    again."""
    capture_bytes: int = 0
    """Internal request (robots.txt): return up to this many body bytes in `Outcome.content`."""
    crossed_origin: bool = False
    """An earlier hop left the first origin: custom headers and credentials are no longer sent."""
    from_public: bool = False
    """An earlier hop was served from a public address (faults 31 to 33)."""
    cookies: tuple[Cookie, ...] = ()
    """Cookies set by earlier hops of this attempt; secret, so no row or log shows them."""
    redirects: tuple[tuple[str, int], ...] = ()
    """URL and status of each redirect that led here, if rows keep them."""
    previous: CachedVersion | None = None
    """Validators for a conditional request."""
    position: int = -1
    """The URL's position in the input; in a worker process, `urlnum` is a different number."""
    input_columns: dict[str, Any] | None = None
    """The input's other columns, for the row. They are not sent to workers."""
    discovery: Discovery | None = None
    """How a crawl found the URL; None for a URL of a list."""
    first: FetchRequest | None = None
    """The request of the first hop, from which a retry starts; None for the first hop itself."""
    weight: int = 0
    """Size in memory, approximately: it limits how far the engine reads ahead."""
