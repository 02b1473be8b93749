"""The interface between the exchange and the network: one request and its response.

In: a `HopRequest`. Out: a `HopResult`; the body is streamed, as received, to the hop's `ResponseHandler`. A
transport does not follow redirects, retry or decode, reads neither the environment nor `.netrc`, and raises
nothing that a server can cause.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, overload

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.transports.header_index import index

HUNG_UP = "TLS handshake failed: connection closed by server"
TOO_MANY_FILES = "too many open files: reduce --workers or raise ulimit -n"


class Failure(Struct, frozen=True):
    """Why a hop failed: a kind from the closed list, and a one-line message."""

    kind: FailureKind
    message: str
    transient: bool = False
    """Whether a retry may help although the kind is not transient."""
    proxy_down: bool = False
    """Whether every other request would have failed as well, because the proxy is down."""


class Headers:
    """Response headers: case-insensitive, with repeated ones, in the order sent.

    Stores the raw lines, and parses all of them only if all are requested: usually two or three fields are
    needed, which are searched in the lines.
    """

    __slots__ = ("_pairs", "index", "lines")

    def __init__(self, lines: list[bytes]) -> None:
        """`lines`: the header lines of the final block, without the status line."""
        self.lines = lines
        self.index = index(lines)
        """The lines that determine the body, by name."""
        self._pairs: list[tuple[str, str]] | None = None

    def items(self) -> list[tuple[str, str]]:
        """Return all fields, names as sent. Latin-1, as RFC 9110 section 5.5 allows."""
        if self._pairs is None:
            fields: list[tuple[str, list[str]]] = []  # values in pieces: a folded one may have thousands
            goes_on = False
            for line in self.lines:
                if line[:1] in FOLDS:  # the continuation of a line that is not a field is ignored
                    if goes_on:
                        fields[-1][1].append(line.decode("latin-1").strip())
                    continue
                raw_name, colon, raw_value = line.partition(b":")
                goes_on = bool(colon)
                if goes_on:
                    fields.append((raw_name.decode("latin-1"), [raw_value.decode("latin-1").strip()]))
            self._pairs = [(name, " ".join(filter(None, pieces))) for name, pieces in fields]
        return self._pairs

    def get_all(self, name: str) -> list[str]:
        """Return all values of a name, in order; empty if there is none."""
        wanted = name.encode("latin-1", "replace").lower()  # ASCII letters only, as names are
        size = len(wanted)
        lines = self.lines
        found: list[str] = []
        for place, line in enumerate(lines, 1):
            if len(line) > size and line[size] == COLON and line[:size].lower() == wanted:
                if place < len(lines) and lines[place][:1] in FOLDS:
                    return [value for key, value in self.items() if key.lower() == name.lower()]
                found.append(line[size + 1 :].decode("latin-1").strip())
        return found

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the values of a name joined by a comma (RFC 9110 section 5.3), or `default`."""
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __reduce__(self) -> tuple[type[Headers], tuple[list[bytes]]]:
        return (Headers, (self.lines,))


COLON = ord(":")
FOLDS = frozenset((b" ", b"\t"))
"""The first byte of a line that continues the field before it: obs-fold (RFC 9112 section 5.2)."""


class ResponseHead(Struct):
    """The final header block (never a 1xx)."""

    status: int
    http_version: str
    """`"1.0"`, `"1.1"`, `"2"` or `"3"`, as curl writes it."""
    headers: Headers
    status_line: bytes = b""
    """The status line as received; empty if the transport doesn't know it."""


class ResponseHandler(Protocol):
    """Receives a hop's response while it is streamed. No method raises. False means stop: the transport drops
    the connection and reports no failure of its own. While the handler is `pending`, however, it has work
    left, and the transport must call `resume()` until it is done."""

    def on_head(self, head: ResponseHead) -> bool:
        """The final header block is complete. Called once, before any body byte."""

    def feed(self, chunk: bytes) -> bool:
        """Body bytes as received, transfer coding removed, content coding not."""

    @property
    def pending(self) -> bool:
        """Whether it has work left. Checked when `feed()` or `resume()` has returned False."""

    def resume(self) -> bool:
        """Do a few milliseconds of that work."""

    @property
    def ready_at(self) -> float:
        """The time from which `resume()` can do something, on the monotonic clock."""


class HopRequest(Struct):
    """One request on the wire. Times are seconds."""

    url: str
    authority: str
    """Host and port of the URL, as `urls.authority()` writes them."""
    method: str
    headers: tuple[tuple[str, str], ...]
    """All headers except `Host`, in order; the transport adds none."""
    connect_timeout: float
    read_timeout: float
    max_time: float
    """The time left for the attempt when the hop starts."""
    receiver: ResponseHandler
    addresses: tuple[str, ...] = ()
    """Addresses of the URL's host, resolved beforehand; empty: the transport resolves it."""
    public_only: bool = False
    """Connect only to public addresses; the address actually connected to is checked."""
    fresh: bool = False
    """Whether to use a new connection, and to close it afterwards."""
    close: bool = False
    """Whether to keep no connection that another hop may need, because the server accepts few."""
    body: bytes = b""
    """The request's body; its length is among the headers."""
    proxy: str | None = None
    """The proxy, empty for none; None for that of the run's options."""
    proxy_addresses: tuple[str, ...] = ()
    """Addresses of the proxy, filled in by the transport that resolved it."""


class HopResult(Struct):
    """The result of a hop. Times are seconds from the hop's start; None when the transport can't measure
    them."""

    failure: Failure | None = None
    remote_ip: str | None = None
    time_namelookup: float | None = None
    time_connect: float | None = None
    time_appconnect: float | None = None
    time_starttransfer: float | None = None
    time_total: float = 0.0
    again: bool = False
    """Whether a reused or shared connection failed because of earlier requests, so that the server may never
    have read this one. Nothing of its response was passed to the handler."""
    surplus: bool = False
    """Whether the connection received bytes that belong to no response."""
    untried: tuple[str, ...] = ()
    """Addresses of the host that are left to try after a SOCKS proxy could not reach the first one."""


def add_lookup_time(response: HopResult, seconds: float) -> None:
    """Add the time of the DNS lookup to all times, which count from the lookup's start."""
    response.time_namelookup = round((response.time_namelookup or 0.0) + seconds, 6)
    for name in ("time_connect", "time_appconnect", "time_starttransfer"):
        if value := getattr(response, name):
            setattr(response, name, round(value + seconds, 6))
    response.time_total = round(response.time_total + seconds, 6)


Parsed = tuple[dict[str, Any], Failure | None]
"""The result of parsers: fields of the row, and at most one failure."""


class ParseRequest(Struct):
    """A complete response for user-defined parsers, which may take long or never return. The driver of the
    fetch runs them without blocking other fetches, and abandons them after `limit` seconds."""

    run: Callable[[], Parsed]
    """Raises nothing."""
    limit: float | None
    """Seconds; None is no limit."""
    urlnum: int
    """The number of the request."""
    parsed: Parsed | None = None
    """The parsers' result; None if they timed out."""
    stopped: bool = False
    """Whether the parsers were abandoned because the run was aborted."""


Steps = Generator[HopRequest | ParseRequest, HopResult | None, Outcome]
"""The generator that a driver runs: it yields hops and is sent their results, yields a `ParseRequest` and
is sent None once the parsers are done, and returns the outcome."""


class Transport(Protocol):
    """Performs one hop at a time. Each worker has its own instance, which keeps its connections alive."""

    def perform(self, hop: HopRequest) -> HopResult:
        """Perform a hop, for at most `hop.max_time`. Raises nothing that a server or network can cause."""

    def abort(self) -> None:
        """Cancel the hop in flight, and every later one, as `aborted`. Any thread may call it."""

    def close(self) -> None:
        """Close the kept connections. Idempotent."""
