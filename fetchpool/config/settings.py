"""The keyword arguments of `fetch()`, `Pool` and `configure()`, for type checkers and editors.

Written by `python -m tests.update_docs` out of `options.py`: change the table there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict


class PoolSettings(TypedDict, total=False):
    """The keyword arguments of `Pool`: how each URL is fetched."""

    processes: int | str | None
    """Number of processes that share the fetches, with --executor process. (default: the number of cores, and
    at most -w)"""
    transport: str
    """HTTP library: curl (pycurl) or requests. The rows are the same. (default: curl)"""
    public_only: bool
    """For untrusted lists: refuse private, loopback and link-local addresses. By default they are refused
    only in redirects from public pages."""
    allow_private: bool
    """Allow redirects from public pages to private addresses."""
    parse: str | Callable[[Any], object] | Sequence[str | Callable[[Any], object]]
    """Add fields to the row: title, meta (description, canonical, language, og:*), links (all links of a
    page), text (its visible text), or what package.module:function returns for the response (in Python also a
    function). Repeatable."""
    parse_timeout: float | str | None
    """Maximum time for a --parse function per page; 0 is no limit. (default: 30s, or --max-time if
    shorter)"""
    keep: str | Sequence[str]
    """Add fields to the row: headers, header:NAME (some of them), redirects (each with its status), body (at
    most 64M), text (the body, decoded) or line (where the URL is in the input). Repeatable, or a list:
    headers,body."""
    hash: str | None
    """Add a hash of the decoded body to the row; NAME is sha256."""
    connect_timeout: float | str
    """Maximum time for DNS lookup, TCP connect and TLS handshake. (default: 10s)"""
    read_timeout: float | str
    """Maximum time without receiving data. (default: 30s)"""
    max_time: float | str
    """Maximum total time per attempt, redirects included. (default: 5m)"""
    max_filesize: int | str | None
    """Maximum body size, compressed and decompressed; 0 is no limit. (default: 1G)"""
    max_redirs: int | str
    """Maximum number of redirects to follow. (default: 10)"""
    no_follow: bool
    """Follow no redirects: a 3xx is the final response, and no failure. Adds redirect_url to the row."""
    accept: int | str | Sequence[int | str] | None
    """Statuses that count as success, such as 200..299,403; all others are failures. By default those under
    400 are successes. Repeatable."""
    method: str
    """Request method: GET, HEAD, OPTIONS and so on. (default: GET, or POST with --data or --json)"""
    data: str | bytes | Sequence[str | bytes] | None
    """Send TEXT, or with @FILE the content of FILE, as a form in the body of every request, by POST. Not sent
    to other origins after a redirect. Repeated, the pieces are joined with &."""
    json: str | bytes | Mapping[str, object] | Sequence[object] | None
    """Send TEXT, or with @FILE the content of FILE, as JSON in the body of every request, by POST."""
    headers: Mapping[str, str] | Iterable[str | tuple[str, str]]
    """Header to send: 'Name: value', or 'Name;' for an empty value, or @FILE for the headers in FILE. Not
    sent to other origins after a redirect. Repeatable."""
    cookie: str | PathLike[str] | Mapping[str, str] | Iterable[str | PathLike[str]] | None
    """Cookies to send: 'name=value; name=value' to every URL, or a FILE of cookies (Netscape format), each to
    its own site. Repeatable."""
    referer: str | None
    """Referer header to send."""
    range: str | None
    """Bytes to request: 0-499, -500 (the last 500) or 9500- (all from there on)."""
    user_agent: str
    """User-Agent header to send. (default: fetchpool/0.1.0)"""
    user: str | None
    """Basic authentication, sent to the URL's own origin only. A missing password is asked for on the
    terminal, or taken from --netrc."""
    netrc: bool
    """Basic authentication with the name and password of each host in ~/.netrc."""
    netrc_file: str | PathLike[str] | None
    """Like --netrc, with another file."""
    proxy: str | None
    """Proxy to use: http, https, socks5 or socks5h (the proxy resolves names); 'env' for those of the
    environment (http_proxy, https_proxy, all_proxy, no_proxy), which are not used otherwise."""
    noproxy: str | None
    """Use no proxy for these hosts, domains and networks (10.0.0.0/8); '*' is all."""
    resolve: Sequence[str]
    """Use this address for HOST and PORT. Repeatable."""
    dns_servers: str | None
    """DNS servers to use (needs a libcurl with c-ares)."""
    cacert: str | PathLike[str] | None
    """Trust the CA certificates in FILE (PEM) instead of the default ones."""
    cert: str | PathLike[str] | None
    """Our own certificate (PEM) for servers that ask for one; FILE:PASSWORD if its key is encrypted."""
    key: str | PathLike[str] | None
    """The key of --cert, if FILE is another one."""
    tlsv1_2: bool
    """Use at least TLS 1.2."""
    tlsv1_3: bool
    """Use at least TLS 1.3."""
    tls_max: str | None
    """Use at most TLS 1.2 or 1.3."""
    ipv4: bool
    """Use IPv4 addresses only."""
    ipv6: bool
    """Use IPv6 addresses only."""
    interface: str | None
    """Connect from this interface, or from this address of the machine."""
    limit_rate: int | str | None
    """Receive at most SIZE bytes of bodies per second, in all transfers together; 0 is no limit. (default:
    0)"""
    insecure: bool
    """Do not verify TLS certificates."""
    http_version: str
    """HTTP version: 1.1, or 2 or 3 (curl only). By default the highest that both sides support."""


class FetchSettings(PoolSettings, total=False):
    """The keyword arguments of `fetch()`."""

    sitemap: str | Sequence[str]
    """Fetch the URLs of a sitemap: XML, compressed, an index of others, or text. Repeatable."""
    limit: int | str | None
    """Fetch only the first N URLs of the input."""
    refresh: str | PathLike[str] | None
    """Fetch the URLs of OLD, the output of an earlier run, only if they have changed; with INPUT, the URLs of
    INPUT. Sends conditional requests. Implies --hash."""
    max_workers: int | str | None
    """Upper limit for -w auto, and for what is set while running. (default: 1000)"""
    per_host: int | str | None
    """Maximum number of concurrent fetches per host; 0 is no limit. (default: 10)"""
    host_delay: float | str
    """Minimum delay between two requests to the same host. 429, 503 and Retry-After always slow a host down.
    (default: 0)"""
    rate: float | str | None
    """Maximum request rate over all hosts, evenly spaced: 10/s, 30/m, 1000/h; 0 is no limit. (default: 0)"""
    retry_after_max: float | str
    """Upper limit for a server's Retry-After. (default: 5m)"""
    robots: bool
    """Obey robots.txt, including Crawl-delay. Off by default, as a URL list is not a crawl."""
    max_runtime: float | str | None
    """Start no more fetches after TIME, finish those in flight, and exit with code 4; 0 is no limit.
    (default: 0)"""
    max_failures: int | str | None
    """Start no more fetches after N URLs have failed, finish those in flight, and exit with code 4; 0 is no
    limit. (default: 0)"""
    save: str | PathLike[str] | None
    """Save the decoded bodies as DIR/ab/cd/SHA256.TYPE; identical bodies are stored once. Adds sha256 and
    filename_effective to the row."""
    save_as: str | None
    """Name saved bodies by their URL: '{host}/{path}', also with {urlnum}, {sha256} and {ext}. No body
    replaces another one."""
    warc: str | PathLike[str] | None
    """Write all requests and responses to a WARC 1.1 file (appends)."""
    warc_max_size: int | str | None
    """Start a new WARC file (FILE-00001.warc.gz and so on) at this size; 0 is no limit. (default: 1G)"""
    dedupe: bool
    """Fetch duplicate URLs, too."""
    seen_memory: int | str
    """Memory for duplicate detection, about 15 bytes per URL; beyond it a temporary file is used. (default:
    1G)"""
    retry: int | str
    """Retry transient failures up to N times: timeouts, broken connections, status 408, 429, 500, 502, 503,
    504, 522, 524. (default: 2)"""
    retry_delay: float | str
    """Initial backoff; doubles per retry, with full jitter. (default: 1s)"""
    retry_max_time: float | str | None
    """Start no retry later than TIME after the URL's first attempt; 0 is no limit. (default: 0)"""
    cookie_jar: str | PathLike[str] | None
    """Share the cookies that servers set among all URLs, and write them to FILE at the end. Without it a
    cookie is sent on only in its URL's redirects."""
    progress: bool | Callable[[Any], object]
    """Show the progress on standard error or in the notebook. A function is called with a snapshot a few
    times a second, and at last with the totals."""


class AllSettings(FetchSettings, total=False):
    """The keyword arguments of `configure()`."""

    url_column: str | None
    """Read the URLs from column NAME of a CSV, TSV, JSONL or Parquet input, detected from the suffix or the
    first line."""
    keep_columns: bool
    """Copy the other input columns to the rows; clashing names are prefixed with input_."""
    delimiter: str | None
    """Delimiter of CSV and TSV inputs: a character, or tab. By default it is recognized, and sep=; is
    understood."""
    encoding: str | None
    """Encoding of the inputs, such as utf-16, cp1252 or shift_jis. By default UTF-8, UTF-16 and, in tables,
    Windows-1252 are recognized."""
    paused: bool
    """Begin paused: the web page or the key p starts the run. --max-runtime counts from now."""
    outputs: Sequence[str]
    """Append rows to PATH; '-' is standard output. Repeatable. (default: sizes.txt)"""
    overwrite: bool
    """Replace outputs that exist, instead of appending to them."""
    format: str | None
    """Format of every output: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix of PATH
    decides: .jsonl, .csv, .tsv, .sqlite or .db, .parquet, else text."""
    fields: str | Sequence[str]
    """Write only these fields, in this order (any format but text). Repeatable."""
    write_out: str | None
    """Write text rows in this format, curl's: '%{url} %{size_delivered}\n'; %{json} is all fields,
    %header{NAME} a header. @FILE reads it from a file."""
    resume: bool
    """Skip URLs that the outputs already contain. Summary and exit code cover all of the list."""
    retry_failed: str | Sequence[str] | None
    """Resume, and also retry URLs whose row has one of these errors: all, timeout, http_5xx, http_4xx, or
    single ones such as dns,http_429. The last row of a URL is final. Without INPUT the URLs are those of the
    output. Repeatable."""
    workers: int | str
    executor: str
