"""The keyword arguments of `fetch()`, `Pool` and `configure()`, for type checkers and editors.

Written by `python -m tests.update_docs` out of `options.py`: change the table there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TypedDict


class PoolSettings(TypedDict, total=False):
    """What `Pool` takes: how each URL is fetched."""

    transport: str
    """What talks to the network: curl (libcurl) or requests. Both give the same rows. (default: curl)"""
    public_only: bool
    """For lists from strangers: refuse private, loopback and link-local addresses. By default only redirects
    from a public page to one are refused."""
    allow_private: bool
    """Refuse no address, not even after a redirect."""
    parse: str | Sequence[str]
    """Add fields to the row: title (of an HTML page), or package.module:function, which gets the response and
    returns a mapping. May be given several times."""
    parse_timeout: float | str | None
    """Give up on a --parse function that takes longer for a page; 0 is no limit. A process is ended then, a
    thread can only be left to itself. (default: 30s, or --max-time if that is shorter)"""
    hash: str | None
    """Add the body's hash to the row: sha256, of the decoded bytes."""
    connect_timeout: float | str
    """For looking up the name, connecting and TLS together. (default: 10s)"""
    read_timeout: float | str
    """Give up after this long without a byte. (default: 30s)"""
    max_time: float | str
    """One attempt, redirects and all, never takes longer, whatever the server does. (default: 5m)"""
    max_filesize: int | str | None
    """Give up on larger bodies, counted as they come and as decoded; 0 is no limit. (default: 1G)"""
    max_redirs: int | str
    """Follow at most N redirects. (default: 10)"""
    method: str
    """GET, HEAD, OPTIONS and so on. (default: GET)"""
    headers: Mapping[str, str] | Iterable[str | tuple[str, str]]
    """Send this header: 'Name: value', or 'Name;' for an empty one. May be given several times. It stays
    behind when a redirect leaves the site."""
    user_agent: str
    """Who we say we are. (default: fetchpool/0.1.0)"""
    user: str | None
    """Basic authentication, for the URL's own site only."""
    proxy: str | None
    """Through this proxy: http, https, socks5 or socks5h (the proxy looks names up). The environment's
    proxies are not used."""
    resolve: Sequence[str]
    """Use this address for that host and port. May be given several times."""
    dns_servers: str | None
    """Ask these name servers (only where libcurl was built with c-ares)."""
    cacert: str | PathLike[str] | None
    """Trust the certificates in FILE (PEM) instead of the usual ones."""
    insecure: bool
    """Don't check servers' certificates."""
    http_version: str
    """1.1, or 2 (curl only); by default the version that both sides support."""


class FetchSettings(PoolSettings, total=False):
    """What `fetch()` takes."""

    refresh: str | PathLike[str] | None
    """Fetch what the output OLD of an earlier run has only if it has changed since; without INPUT, all of it.
    The summary says what changed. Implies --hash."""
    max_workers: int | str | None
    """The ceiling of -w auto. (default: 1000; with processes, the cores)"""
    per_host: int | str | None
    """At most N fetches at once from one host; 0 is no limit. (default: 10)"""
    host_delay: float | str
    """Between two requests to one host. 429, 503 and Retry-After slow a host down by themselves. (default:
    0)"""
    rate: float | str | None
    """At most so many requests over all hosts, evenly paced: 10/s, 30/m, 1000/h; 0 is no limit. (default:
    0)"""
    retry_after_max: float | str
    """A server that asks (Retry-After) to be left alone for longer is left alone for this long. (default:
    5m)"""
    robots: bool
    """Ask each host's robots.txt and obey it, Crawl-delay too. Off by default: a list is no crawl."""
    max_runtime: float | str | None
    """Stop after this long, as one Ctrl-C does; exit code 4. 0 is no limit. (default: 0)"""
    save: str | PathLike[str] | None
    """Keep the decoded bodies in DIR, as ab/cd/SHA256.TYPE; equal ones once. The row gets sha256 and
    filename_effective."""
    warc: str | PathLike[str] | None
    """Archive all that is sent and received, as it came: WARC 1.1. Appends to FILE."""
    warc_max_size: int | str | None
    """Past this the archive goes on in FILE-00001.warc.gz and so on; 0 is no limit. (default: 1G)"""
    dedupe: bool
    """Fetch every line of the input, also the URLs that it had before."""
    seen_memory: int | str
    """For knowing which URLs there were, some 15 bytes each; the rest is on disk. (default: 1G)"""
    retry: int | str
    """N extra attempts when trying again may help: timeouts, broken connections, status 408, 429, 500, 502,
    503, 504, 522, 524. (default: 2)"""
    retry_delay: float | str
    """The first retry waits a random time up to this, each further one up to twice the one before. (default:
    1s)"""
    retry_max_time: float | str | None
    """No attempt starts later than this after the URL's first; 0 is no limit. (default: 0)"""


class AllSettings(FetchSettings, total=False):
    """What `configure()` takes."""

    url_column: str | None
    """INPUT has columns, and NAME holds the URL: CSV, TSV, JSONL or Parquet, as its suffix or its first line
    says."""
    keep_columns: bool
    """Pass INPUT's other columns through to the row; one whose name is taken gets input_ before it."""
    outputs: Sequence[str]
    """Append rows to PATH; '-' is standard output. May be given several times. (default: sizes.txt)"""
    format: str | None
    """text, jsonl, csv, sqlite or parquet, for every output. Without it PATH's suffix says: .jsonl, .csv,
    .sqlite or .db, .parquet, else text."""
    resume: bool
    """Go on where earlier runs ended: what the outputs hold is not fetched again. The summary and the exit
    code speak of the whole list."""
    retry_failed: str | Sequence[str] | None
    """Resume, and fetch again what failed so: all, timeout, http_5xx, http_4xx, or errors such as
    dns,http_429. Of a URL's rows the last is the final one. May be given several times."""
    workers: int | str
    executor: str
