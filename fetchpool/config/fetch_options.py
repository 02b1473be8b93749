"""FetchOptions: the settings that all fetches of a run share."""

from __future__ import annotations

from msgspec import Struct

from fetchpool.model.version import VERSION


def overdue(options: FetchOptions) -> str:
    """That a person's own parsers did not return in time."""
    names = ", ".join(name for name in options.parse if ":" in name)
    return f"{names} did not return within {options.parse_timeout or 0:g} s"


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
    max_filesize: int | None = 1 << 30
    """None is no limit."""
    max_redirs: int = 10
    buffersize: int = 256 * 1024
    """Bytes libcurl reads at once. Each read is a callback: with 64 KiB large bodies take a tenth longer, and
    more than this gains nothing."""
    few_descriptors: bool = False
    """Open files are short: a worker keeps at most one connection for later requests."""
    parse: tuple[str, ...] = ()
    """Names of what to take out of each response: `title`, or `package.module:function`."""
    parse_timeout: float | None = 30.0
    """For what a person's own functions among them do with one response; None is no limit."""
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
