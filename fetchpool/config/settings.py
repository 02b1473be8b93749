"""The keyword arguments of `fetch()`, `Pool` and `configure()`, for type checkers and editors.

Written by `python -m tests.update_docs` out of `options/`: change the table there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict


class PoolSettings(TypedDict, total=False):
    """The keyword arguments of `Pool`: how each URL is fetched."""

    processes: int | str | None
    """Number of worker processes, with --executor process. (default: the number of cores, at most -w)"""
    cluster: Any
    """The cluster, with --executor cluster: tcp://HOST:PORT or tls://HOST:PORT of a Dask scheduler, a
    scheduler file, or local[:N] for N workers on this machine, or one per core. (default: Dask's
    configuration)"""
    cluster_wait: float | str
    """Maximum time to wait for a worker while the cluster has none; 0 does not wait. (default: 5m)"""
    transport: str
    """HTTP library: curl (pycurl) or requests. Both write the same rows. (default: curl)"""
    public_only: bool
    """For untrusted lists: refuse private, loopback and link-local addresses. By default they are refused
    only in redirects from public pages."""
    allow_private: bool
    """Allow redirects from public pages to private addresses."""
    parse: str | Callable[[Any], object] | Sequence[str | Callable[[Any], object]]
    """Add fields to the row: title, meta (description, canonical, language, og:*), links (all links of a
    page), text (its visible text), or what package.module:function returns for the response (in Python also a
    function). Repeatable, or several names with commas."""
    parse_timeout: float | str | None
    """Maximum time for a --parse function per page; 0 is no limit. (default: 30s, or --max-time if
    shorter)"""
    keep: str | Sequence[str]
    """Add fields to the row: headers, header:NAME (one of them), redirects (each with its status), body (at
    most 64M), text (the body, decoded) or line (where the URL is in the input). Repeatable, or a list:
    headers,body."""
    hash: str | None
    """Add a hash of the decoded body to the row; NAME is sha256."""
    connect_timeout: float | str
    """Maximum time for DNS lookup, TCP connect and TLS handshake. (default: 10s)"""
    read_timeout: float | str
    """Maximum time without receiving data. (default: 30s)"""
    max_time: float | str
    """Maximum total time per attempt, including redirects. (default: 5m)"""
    max_filesize: int | str | None
    """Maximum body size, before and after decompression; 0 is no limit. (default: 1G)"""
    max_redirs: int | str
    """Maximum number of redirects to follow. (default: 10)"""
    no_follow: bool
    """Do not follow redirects: a 3xx response is final and counts as success. Adds redirect_url to the
    row."""
    accept: int | str | Sequence[int | str] | None
    """Statuses that count as success, such as 200..299,403; all others are failures. By default those under
    400 are successes. Repeatable."""
    method: str
    """Request method: GET, HEAD, OPTIONS and so on. (default: GET, or POST with --data or --json)"""
    data: str | bytes | Sequence[str | bytes] | None
    """Send TEXT, or with @FILE the content of FILE, as form data in the body of every request (POST). Not
    sent to other origins after a redirect. Repeatable; the values are joined with &."""
    json: str | bytes | Mapping[str, object] | Sequence[object] | None
    """Send TEXT, or with @FILE the content of FILE, as JSON in the body of every request (POST)."""
    headers: Mapping[str, str] | Iterable[str | tuple[str, str]]
    """Header to send: 'Name: value', 'Name;' for an empty value, or @FILE for the headers in FILE. Not sent
    to other origins after a redirect. Repeatable."""
    cookie: str | PathLike[str] | Mapping[str, str] | Iterable[str | PathLike[str]] | None
    """Cookies to send: 'name=value; name=value' for every URL, or a FILE of cookies (Netscape format), each
    for its own site. Repeatable."""
    referer: str | None
    """Referer header to send."""
    range: str | None
    """Bytes to request: 0-499, -500 (the last 500) or 9500- (from there to the end)."""
    user_agent: str
    """User-Agent header to send. (default: fetchpool/0.1.0)"""
    user: str | None
    """Basic authentication, sent to the URL's own origin only. A missing password is asked for on the
    terminal, or taken from --netrc."""
    netrc: bool
    """Basic authentication with the name and password of each host in ~/.netrc."""
    netrc_file: str | PathLike[str] | None
    """Like --netrc, but read FILE."""
    proxy: str | None
    """Proxy to use: http, https, socks5 or socks5h (the proxy resolves names). 'env' uses the environment
    variables http_proxy, https_proxy, all_proxy and no_proxy, which are ignored otherwise."""
    noproxy: str | None
    """Use no proxy for these hosts, domains and networks (10.0.0.0/8); '*' matches all."""
    resolve: Sequence[str]
    """Use this address for HOST and PORT. Repeatable."""
    dns_servers: str | None
    """DNS servers to use (needs a libcurl with c-ares)."""
    cacert: str | PathLike[str] | None
    """Trust the CA certificates in FILE (PEM) instead of the default ones."""
    cert: str | PathLike[str] | None
    """Client certificate (PEM) for servers that ask for one; FILE:PASSWORD if its key is encrypted."""
    key: str | PathLike[str] | None
    """Private key of --cert, if it is in a separate file."""
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
    """Connect from this network interface or local address."""
    limit_rate: int | str | None
    """Receive at most SIZE bytes of bodies per second over all transfers; 0 is no limit. (default: 0)"""
    insecure: bool
    """Do not verify TLS certificates."""
    http_version: str
    """HTTP version: 1.1, or 2 or 3 (curl only). By default, the highest version that both sides support."""


class FetchSettings(PoolSettings, total=False):
    """The keyword arguments of `fetch()`."""

    sitemap: str | Sequence[str]
    """Fetch the URLs of a sitemap (XML or text, may be compressed) or of a sitemap index. Repeatable."""
    limit: int | str | None
    """Fetch only the first N URLs of the input."""
    shard: str | None
    """Divide the hosts into N parts and fetch only the URLs of part K (1 to N), so that N machines can share
    a list. A host is in the same part on every machine."""
    refresh: str | PathLike[str] | None
    """Fetch URLs only if they have changed since OLD, the output of an earlier run, by conditional requests.
    Without INPUT, the URLs are those of OLD. Implies --hash."""
    recursive: bool
    """Follow the links of pages: fetch all pages of a site, each once. Obeys robots.txt and nofollow."""
    scope: str | None
    """Follow links within: host (the host of a start URL), prefix (its directory), origin, domain (with
    subdomains) or any (no restriction)."""
    include: str | Sequence[str]
    """Follow only links whose URL contains a match for REGEX. Repeatable."""
    exclude: str | Sequence[str]
    """Do not follow links whose URL contains a match for REGEX, even if --include matches. Repeatable."""
    depth: int | str | None
    """Follow links up to N steps from the start URLs; 0 follows no links. (default: no limit)"""
    max_pages: int | str | None
    """Stop after N rows, including those of earlier runs, with exit code 4 if URLs are left. (default: no
    limit)"""
    no_robots: bool
    """Ignore robots.txt and nofollow."""
    ignore_nofollow: bool
    """Ignore nofollow, but obey robots.txt."""
    no_sitemap: bool
    """Do not read the sitemaps listed in robots.txt."""
    page_requisites: bool
    """Also fetch the images, scripts, stylesheets and fonts of pages if they are outside the scope."""
    follow_tags: str | Sequence[str] | None
    """Follow only links in these HTML tags, such as a,area."""
    ignore_param: Sequence[str]
    """Remove this query parameter from links; utm_* matches all that begin with utm_. Repeatable."""
    no_trap_guard: bool
    """Also follow links that look endless, such as /a/a/a/."""
    max_per_pattern: int | str | None
    """Fetch at most N URLs that differ only in numbers, such as /calendar?month=1 and ?month=2. (default: no
    limit)"""
    check_external: bool
    """Also check links outside the scope, once each, without following them: HEAD, then GET if that fails."""
    check_fragments: bool
    """Check that the #fragments of links exist in their target pages, for fetchpool broken. Needs --links."""
    links: str | PathLike[str] | None
    """Write every link, followed or not, to PATH: .jsonl, .csv, .tsv, .sqlite or .parquet."""
    max_workers: int | str | None
    """Upper limit of the workers, for -w auto and for changes during the run. (default: 1000)"""
    per_host: int | str | None
    """Maximum number of concurrent fetches per host; 0 is no limit. (default: 10, or 4 with --recursive)"""
    host_delay: float | str
    """Minimum delay between two requests to the same host. Status 429, Retry-After and repeated 503 increase
    it. (default: 0)"""
    rate: float | str | None
    """Maximum request rate over all hosts, evenly spaced: 10/s, 30/m, 1000/h; 0 is no limit. (default: 0)"""
    retry_after_max: float | str
    """Upper limit for a server's Retry-After. (default: 5m)"""
    robots: bool
    """Obey robots.txt, including Crawl-delay. Off by default, because fetching a list is not crawling."""
    max_runtime: float | str | None
    """After TIME, start no more fetches, finish those in flight, and exit with code 4; 0 is no limit.
    (default: 0)"""
    max_failures: int | str | None
    """After N failed URLs, start no more fetches, finish those in flight, and exit with code 4; 0 is no
    limit. (default: 0)"""
    save: str | PathLike[str] | None
    """Save the decoded bodies as DIR/ab/cd/SHA256.TYPE; identical bodies are stored once. Adds sha256 and
    filename_effective to the row."""
    save_as: str | None
    """Template for the names of saved bodies, such as '{host}/{path}'; also {urlnum}, {sha256} and {ext}. No
    body overwrites another."""
    warc: str | PathLike[str] | None
    """Append all requests and responses to a WARC 1.1 file."""
    warc_max_size: int | str | None
    """Start a new WARC file (FILE-00001.warc.gz and so on) at this size; 0 is no limit. (default: 1G)"""
    dedupe: bool
    """Fetch duplicate URLs as well."""
    seen_memory: int | str
    """Memory for duplicate detection, about 15 bytes per URL. When it is full, a temporary file is used.
    (default: 1G)"""
    retry: int | str
    """Retry transient failures up to N times: timeouts except --max-time, failed or broken connections,
    status 408, 429, 500, 502, 503, 504, 522, 524. (default: 2)"""
    retry_delay: float | str
    """Backoff before the first retry; doubles with each retry, with full jitter. (default: 1s)"""
    retry_max_time: float | str | None
    """Start no retry later than TIME after the URL's first attempt; 0 is no limit. (default: 0)"""
    cookie_jar: str | PathLike[str] | None
    """Share cookies from servers among all URLs, and write them to FILE at the end. By default, a cookie is
    only sent while following the redirects of the URL that received it."""
    progress: bool | Callable[[Any], object]
    """Show the progress on standard error or in the notebook. A function is called with a snapshot a few
    times a second, and at the end with the totals."""


class AllSettings(FetchSettings, total=False):
    """The keyword arguments of `configure()`."""

    url_column: str | None
    """Read the URLs from column NAME of a CSV, TSV, JSONL or Parquet input. The format is detected from the
    suffix or the first line."""
    keep_columns: bool
    """Copy the other input columns to the rows; clashing names are prefixed with input_."""
    delimiter: str | None
    """Delimiter of CSV and TSV inputs: a character, or tab. By default it is detected, or read from a first
    line such as 'sep=;'."""
    encoding: str | None
    """Encoding of the inputs, such as utf-16, cp1252 or shift_jis. By default UTF-8, UTF-16, UTF-32 and, in
    tables, Windows-1252 are detected."""
    frontier: str | PathLike[str] | None
    """File for the URLs that the crawl has found. (default: the first output's name with .frontier.jsonl)"""
    paused: bool
    """Start paused; continue from the web page or with the key p. The pause counts towards --max-runtime."""
    outputs: Sequence[str]
    """Append rows to PATH; '-' is standard output. Repeatable. (default: sizes.txt)"""
    overwrite: bool
    """Replace existing outputs instead of appending to them."""
    format: str | None
    """Format of every output: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix of PATH
    decides: .jsonl, .csv, .tsv, .sqlite or .db, .parquet, else text."""
    fields: str | Sequence[str]
    """Write only these fields, in this order (any format but text). Repeatable."""
    write_out: str | None
    """Format of text rows, as in curl: '%{url} %{size_delivered}\n'; %{json} is all fields, %header{NAME} a
    response header. @FILE reads the format from FILE."""
    resume: bool
    """Skip URLs that the outputs already contain. The summary and the exit code cover all URLs of the
    list."""
    retry_failed: str | Sequence[str] | None
    """Like --resume, and also retry URLs whose row has one of these errors: all, timeout, http_5xx, http_4xx,
    or kinds such as dns,http_429. The last row of a URL counts. Without INPUT, the list is the URLs of the
    output with these errors. Repeatable."""
    workers: int | str
    executor: str
