"""The nouns: what is asked, what came back, why it failed, and the row that says so.

In: nothing. Out: frozen, slotted, picklable values that every other room hands around.
This room imports nothing of the project but `errors`; it does no I/O and holds no policy.

    FetchRequest ──▶ a worker ──▶ Outcome (one attempt) ──▶ Record (the final row)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from fetchpool.model.version import VERSION


class FailureKind(StrEnum):
    """Why a URL has no complete answer. The list is closed; `error` in a row is null, one of these,
    or `http_NNN` for a final status of 400 or more."""

    INVALID_URL = "invalid_url"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    FORBIDDEN_ADDRESS = "forbidden_address"
    ROBOTS = "robots"
    HOST_DOWN = "host_down"
    DNS = "dns"
    TIMEOUT_DNS = "timeout_dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TLS = "tls"
    PROXY = "proxy"
    RESET = "reset"
    EMPTY_REPLY = "empty_reply"
    TIMEOUT_READ = "timeout_read"
    TIMEOUT_TOTAL = "timeout_total"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"
    DECODE = "decode"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    PARSE = "parse"
    ABORTED = "aborted"
    INTERNAL = "internal"


EXITCODES: dict[FailureKind, int] = {
    # curl's numbers (libcurl-errors(3)), from the kind alone, so that both transports say the same.
    FailureKind.INVALID_URL: 3,
    FailureKind.UNSUPPORTED_SCHEME: 1,
    FailureKind.FORBIDDEN_ADDRESS: 7,
    FailureKind.ROBOTS: 9,
    FailureKind.HOST_DOWN: 7,
    FailureKind.DNS: 6,
    FailureKind.TIMEOUT_DNS: 28,
    FailureKind.REFUSED: 7,
    FailureKind.UNREACHABLE: 7,
    FailureKind.TIMEOUT_CONNECT: 28,
    FailureKind.TLS: 35,
    FailureKind.PROXY: 97,
    FailureKind.RESET: 56,
    FailureKind.EMPTY_REPLY: 52,
    FailureKind.TIMEOUT_READ: 28,
    FailureKind.TIMEOUT_TOTAL: 28,
    FailureKind.TRUNCATED: 18,
    FailureKind.PROTOCOL: 8,
    FailureKind.DECODE: 61,
    FailureKind.TOO_LARGE: 63,
    FailureKind.TOO_MANY_REDIRECTS: 47,
    FailureKind.PARSE: 23,
    FailureKind.ABORTED: 42,
    FailureKind.INTERNAL: 2,
}
TRANSIENT_STATUSES = frozenset((408, 429, 500, 502, 503, 504, 522, 524))
"""What curl's `--retry` calls transient."""
EXITCODE_HTTP = 22
"""curl's number for "the server answered 400 or more" (`--fail`)."""


class FetchOptions(Struct, frozen=True, kw_only=True):
    """What every fetch of a run has in common: all a worker needs to know, picklable.

    Times are seconds, sizes bytes. Names are curl's options.
    """

    transport: str = "curl"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    user_agent: str = f"fetchpool/{VERSION}"
    user: str | None = None
    """`name:password` for Basic authentication, sent to the URL's own origin only."""
    proxy: str | None = None
    cacert: str | None = None
    insecure: bool = False
    http_version: str = ""
    """`"1.1"`, `"2"`, or empty: what the two sides agree on."""
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    max_time: float = 300.0
    max_filesize: int = 1 << 30
    max_redirs: int = 10
    buffersize: int = 256 * 1024
    """Bytes libcurl reads at once. Each read is a callback: with 64 KiB large bodies take a tenth longer, and
    more than this gains nothing."""
    parse: tuple[str, ...] = ()
    """Names of what to take out of each response: `title`, or `package.module:function`."""
    parse_timeout: float = 30.0
    """For what a person's own functions among them do with one response; infinite: no limit."""
    public_only: bool = False
    """Private, loopback and link-local addresses are `forbidden_address`, in the list too."""
    allow_private: bool = False
    """They may even be reached by a redirect from a public page."""
    resolve: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """`host:port` and the addresses to use for it, as with curl's `--resolve`."""
    dns_servers: str = ""
    """Name servers libcurl asks instead of the system's; only one built with c-ares can."""
    validators: bool = False
    """The row gets `etag` and `last_modified`."""
    hash: bool = False
    """Bodies are hashed: the row's `sha256`."""
    save: str = ""
    """The folder that bodies are kept in; empty: they aren't."""
    save_spool: str = ""
    """The run's own folder within it, where they grow."""
    warc_spool: str = ""
    """The run's own folder for what goes into its archive; empty: there is none."""
    follow_across_hosts: bool = True
    """False hands a redirect to another host back (`Outcome.redirect`), so that a scheduler can
    give it that host's turn."""
    follow_within_hosts: bool = True
    """False hands every redirect back: its URL is to be judged first (`robots.txt`)."""

    @property
    def parses_beside(self) -> bool:
        """Whether there are parsers of a person's own, which may take long or never return."""
        return any(":" in name for name in self.parse)


class Previous(Struct, frozen=True, gc=False):
    """What an earlier result says of a URL that was fetched."""

    url: str
    """Where its answer came from, after redirects: only there its validators mean something."""
    etag: str = ""
    last_modified: str = ""
    size_delivered: int | None = None
    content_type: str | None = None
    sha256: str = ""
    filename_effective: str = ""


class Cookie(Struct, frozen=True, gc=False):
    """A cookie that a redirect has set, as far as it matters where it goes (RFC 6265 section 5.3)."""

    name: str
    value: str
    domain: str
    """The host, or the domain whose hosts get it."""
    host_only: bool
    path: str
    secure: bool


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
    num_spared: int = 0
    """Attempts that did not count, since they broke because of others."""
    close: bool = False
    """Its host bears few connections: none is kept where another request needs the place."""
    method: str = ""
    """Where a redirect changed it (RFC 9110 section 15.4); empty: the run's own."""
    elapsed: float = 0.0
    """Seconds of `max_time` that earlier hops of this attempt have used."""
    addresses: tuple[str, ...] = ()
    """Of `host`, looked up beforehand: the only ones to connect to. Empty: the transport looks."""
    lookup_seconds: float = 0.0
    """How long that took, if it was for this request; part of `elapsed` and of the row's times."""
    keep: int = 0
    """Not for a row: so many bytes of the body are wanted themselves (`Outcome.content`)."""
    crossed_origin: bool = False
    """An earlier hop left the first origin: the user's own headers and credentials stay behind."""
    from_public: bool = False
    """An earlier hop was served from a public address (faults 31 to 33)."""
    cookies: tuple[Cookie, ...] = ()
    """What earlier hops of this attempt have set; secrets, which no row or log shows."""
    previous: Previous | None = None
    """To be fetched only if it has changed since."""
    columns: dict[str, Any] | None = None
    """What the input says of it beside, for its row. It stays with us: no worker is sent it."""
    first: FetchRequest | None = None
    """How it began, when earlier hops led here: what another attempt begins with."""
    weight: int = 0
    """Bytes that it holds, about: what is read ahead of the workers is bounded by them."""


class Outcome(Struct, frozen=True):
    """What one attempt came to, failure or not: data, never an exception. Made in the worker."""

    url_effective: str
    method: str | None
    timestamp: str
    response_code: int | None = None
    http_version: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    """Only when it is one that can't be decoded; both sizes are the wire's then."""
    num_redirects: int = 0
    remote_ip: str | None = None
    size_download: int | None = None
    size_delivered: int | None = None
    time_namelookup: float | None = None
    time_connect: float | None = None
    time_appconnect: float | None = None
    time_starttransfer: float | None = None
    time_total: float | None = None
    error: str | None = None
    errormsg: str | None = None
    exitcode: int = 0
    extra: dict[str, Any] = {}
    content: bytes = b""
    """The body's beginning, when the request said `keep`."""
    retry_after: str | None = None
    """`Retry-After` as the server sent it, at most 100 characters; `retry.py` reads it."""
    records: bytes = b""
    """For the archive, compressed: what was sent and received in this attempt, hop by hop."""
    records_file: str = ""
    """Where they are, when they are large. Whoever takes them removes the file."""
    output_failure: str = ""
    """Our own disk failed under it, and why: the run ends, and it has no row (`error` is `aborted`)."""
    passing: bool = False
    """Trying again may help, which the kind alone does not say."""
    proxy_down: bool = False
    """Any other request would have come to the same: the proxy serves nobody now."""
    redirect: FetchRequest | None = None
    """The attempt is not over: it goes on with this request, at another host."""

    @property
    def answered(self) -> bool:
        """A whole answer came, whatever its status."""
        return self.error is None or self.exitcode == EXITCODE_HTTP


class Record(Struct, frozen=True):
    """The row: one for every URL of the input. Names and meanings are curl's write-out variables;
    times are seconds, cumulative from the start of the last hop; sizes are bytes."""

    urlnum: int
    url: str
    url_effective: str
    method: str | None
    response_code: int | None
    http_version: str | None
    content_type: str | None
    num_redirects: int
    num_retries: int
    remote_ip: str | None
    size_download: int | None
    size_delivered: int | None
    time_namelookup: float | None
    time_connect: float | None
    time_appconnect: float | None
    time_starttransfer: float | None
    time_total: float | None
    timestamp: str
    error: str | None
    errormsg: str | None
    exitcode: int
    extra: dict[str, Any] = {}

    @property
    def ok(self) -> bool:
        """Received and decoded completely, with a final status under 400."""
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        """The row as a flat mapping, in the documented order, parsers' fields last."""
        row = asdict(self)
        row.update(row.pop("extra"))
        return row


FEATURE_FIELDS = ("sha256", "filename_effective", "etag", "last_modified", "not_modified")
"""What features add to the row, each when it is asked for."""
ROW_FIELDS: tuple[str, ...] = Record.__struct_fields__[:-1]
"""The row's own columns, in order; what parsers add comes after them."""
