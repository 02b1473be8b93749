"""FetchOptions: the settings that all fetches of a run share."""

from __future__ import annotations

from msgspec import Struct

from fetchpool.config.parsers import Parser, name_of
from fetchpool.model.crawl_rules import CrawlRules
from fetchpool.model.record import Cookie
from fetchpool.model.version import VERSION


def is_slow(parser: Parser) -> bool:
    """Whether a parser may take long."""
    return not isinstance(parser, str) or ":" in parser or parser in ("links", "text")


def parse_timeout_message(options: FetchOptions) -> str:
    """Return the message for user-defined parsers that did not return in time."""
    names = ", ".join(map(name_of, filter(is_slow, options.parse)))
    return f"{names} did not return within {options.parse_timeout or 0:g} s"


class FetchOptions(Struct, frozen=True, kw_only=True):
    """The settings that all fetches of a run share: all that a worker needs to know. Picklable.

    Times are seconds, sizes bytes. Names are those of curl's options.
    """

    transport: str = "curl"
    method: str = "GET"
    body: bytes = b""
    """The body of every request; dropped when a redirect changes the method or leads to another origin."""
    headers: tuple[tuple[str, str], ...] = ()
    user_agent: str = f"fetchpool/{VERSION}"
    user: str | None = None
    """`name:password` for Basic authentication, sent to the URL's own origin only."""
    netrc: tuple[tuple[str, str], ...] = ()
    """Hosts with their `name:password`; an empty host stands for all others. Sent like `user`."""
    cookies: tuple[tuple[Cookie, float], ...] = ()
    """Cookies from files, with their expiry, each sent to its own hosts."""
    report_cookies: bool = False
    """Return the cookies that servers set to the engine, for other URLs (`--cookie-jar`)."""
    proxy: str | None = None
    proxies: tuple[tuple[str, str], ...] = ()
    """The proxy for each scheme, if it depends on the URL's scheme (`--proxy env`)."""
    noproxy: tuple[str, ...] = ()
    """Hosts, domains and networks that are reached without a proxy."""
    cacert: str | None = None
    insecure: bool = False
    cert: str | None = None
    """The file with the client certificate."""
    key: str | None = None
    """The file with the key of `cert`; None if `cert` contains it."""
    key_password: str = ""
    tls_min: str = ""
    """`"1.2"`, `"1.3"`, or empty for the TLS library's own minimum."""
    tls_max: str = ""
    ip_version: str = ""
    """`"4"`, `"6"`, or empty for both."""
    interface: str = ""
    """The name of a network interface or a local address, from which connections are made."""
    http_version: str = ""
    """`"1.1"`, `"2"`, `"3"`, or empty for the highest that both sides support."""
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    max_time: float = 300.0
    max_filesize: int | None = 1 << 30
    """None is no limit."""
    max_redirs: int = 10
    no_follow: bool = False
    """A redirect is the final response, and its target is in the row."""
    accept: tuple[tuple[int, int], ...] = ()
    """The statuses that count as success, as ranges; if empty, those under 400."""
    buffersize: int = 256 * 1024
    """Bytes that libcurl reads at once. Each read is a callback: with 64 KiB large bodies take a tenth
    longer, and a larger buffer gains nothing."""
    limit_rate: int | None = None
    """Bytes per second of all bodies together; None is no limit."""
    rate_file: str = ""
    """The file through which processes share `limit_rate`; empty if the run has one process."""
    few_descriptors: bool = False
    """Whether file descriptors are short: a worker then keeps at most one connection for later requests."""
    parse: tuple[Parser, ...] = ()
    """Parsers: `title`, `meta`, `links`, `text`, `package.module:function`, or functions, with threads."""
    parse_timeout: float | None = 30.0
    """Maximum time of the user-defined parsers per response; None is no limit."""
    keep: tuple[str, ...] = ()
    """Additional fields of the row: `headers`, `header:etag`, `redirects`, `body`, `text`, `line`."""
    public_only: bool = False
    """Refuse private, loopback and link-local addresses (`forbidden_address`), even in the list."""
    allow_private: bool = False
    """Allow private addresses even in a redirect from a public page."""
    resolve: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The addresses to use for each `host:port`, as in curl's `--resolve`."""
    dns_servers: str = ""
    """Name servers for libcurl to use instead of the system's, which needs c-ares."""
    validators: bool = False
    """Add `etag` and `last_modified` to the row."""
    hash: bool = False
    """Add the hash of the body, `sha256`, to the row."""
    save: str = ""
    """The directory in which bodies are saved; empty if they are not saved."""
    save_as: str = ""
    """The template of the names of saved bodies; empty for their hash."""
    save_spool: str = ""
    """The run's temporary directory in `save`, for incomplete bodies."""
    warc_spool: str = ""
    """The run's temporary directory for WARC records; empty without an archive."""
    follow_across_hosts: bool = True
    """Whether the worker follows a redirect to another host. If not, it returns the redirect, and the
    scheduler queues it for that host."""
    follow_within_hosts: bool = True
    """Whether the worker follows a redirect within a host. If not, it returns every redirect, to be checked
    first (`robots.txt`)."""

    crawl: CrawlRules | None = None
    """The rules for links in pages; None without a crawl."""

    @property
    def has_proxy(self) -> bool:
        """Whether any URLs are fetched through a proxy."""
        return bool(self.proxy or self.proxies)

    def accepts(self, status: int) -> bool:
        """Whether a final response with this status counts as success."""
        if not self.accept:
            return status < 400
        return any(low <= status <= high for low, high in self.accept)

    @property
    def has_slow_parsers(self) -> bool:
        """Whether there are parsers that may take long: user-defined ones, which may never return, and those
        that read the complete page."""
        return any(map(is_slow, self.parse))
