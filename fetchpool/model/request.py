"""The requests that travel from the list to the workers: one URL, or one hop of it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.record import Cookie


class CachedVersion(Struct, frozen=True, gc=False):
    """What an earlier result says of a URL that was fetched."""

    url: str
    """Where its answer came from, after redirects: only there its validators mean something."""
    etag: str = ""
    last_modified: str = ""
    size_delivered: int | None = None
    content_type: str | None = None
    sha256: str = ""
    filename_effective: str = ""


class FetchRequest(Struct, frozen=True, gc=False):
    """One URL to fetch, or one hop of it that waits for another host's turn."""

    urlnum: int
    """0-based place among the URLs of the input; negative for one of our own (`robots.txt`)."""
    url: str
    """As given, credentials and all; never shown unredacted."""
    href: str
    """Normalised by the URL parser, without credentials or fragment; empty when that refused it."""
    host: str
    """The host name without its port: the unit of politeness."""
    credentials: str = ""
    """`user:password` from the URL's own userinfo, percent-decoded."""
    refused: FailureKind | None = None
    """Why this can't be fetched at all (`invalid_url`, `unsupported_scheme`)."""
    problem: str = ""
    """The same for a person; empty: what is usual for the kind."""
    num_retries: int = 0
    num_redirects: int = 0
    num_uncounted: int = 0
    """Attempts that did not count, since they broke because of others."""
    close: bool = False
    """Its host bears few connections: none is kept where another request needs the place."""
    method: str = ""
    """Where a redirect changed it (RFC 9110 section 15.4); empty: the run's own."""
    elapsed: float = 0.0
    """Seconds of `max_time` that earlier hops of this attempt have used."""
    addresses: tuple[str, ...] = ()
    """Of `host`, looked up beforehand: the only ones to connect to. Empty: the transport looks."""
    dns_time: float = 0.0
    """How long that took, if it was for this request; part of `elapsed` and of the row's times."""
    keep: int = 0
    """Not for a row: so many bytes of the body are wanted themselves (`Outcome.content`)."""
    crossed_origin: bool = False
    """An earlier hop left the first origin: the user's own headers and credentials stay behind."""
    from_public: bool = False
    """An earlier hop was served from a public address (faults 31 to 33)."""
    cookies: tuple[Cookie, ...] = ()
    """What earlier hops of this attempt have set; secrets, which no row or log shows."""
    previous: CachedVersion | None = None
    """To be fetched only if it has changed since."""
    columns: dict[str, Any] | None = None
    """What the input says of it beside, for its row. It stays with us: no worker is sent it."""
    first: FetchRequest | None = None
    """How it began, when earlier hops led here: what another attempt begins with."""
    weight: int = 0
    """Bytes that it holds, about: what is read ahead of the workers is bounded by them."""
