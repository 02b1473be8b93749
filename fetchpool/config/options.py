"""The options: one declaration for each.

Made from this table: the command line (`cli/options.py`) with its help and completion, the checks of
`configure()`, the keyword arguments of `fetch()` and `Pool` (`settings.py`), and `docs/reference/options.md`.
The default of an option is that of the field with the same name in `FetchOptions` or `RunConfig`, and its
value goes there. Names and meanings are curl's where curl has the option.

After a change here: `python -m tests.update_docs`.
"""

from __future__ import annotations

from typing import Any

from fetchpool.config import param_types as types
from fetchpool.config.choices import EXECUTORS, TRANSPORTS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.option import Option, Scope
from fetchpool.config.run_config import RunConfig

DEFAULT_OUTPUT = "sizes.txt"
"""The command line's, when no --output is given."""

GROUPED: dict[str, tuple[Option, ...]] = {
    "Input": (
        Option(
            "url_column",
            "--url-column NAME",
            types.COLUMN,
            "INPUT has columns, and NAME holds the URL: CSV, TSV, JSONL or Parquet, as its suffix or its "
            "first line says.",
            Scope.CONFIG,
        ),
        Option(
            "keep_columns",
            "--keep-columns",
            types.SWITCH,
            "Pass INPUT's other columns through to the row; one whose name is taken gets input_ before it.",
            Scope.CONFIG,
        ),
        Option(
            "refresh",
            "--refresh OLD",
            types.OLD_OUTPUT,
            "Fetch what the output OLD of an earlier run has only if it has changed since; without INPUT,"
            " all of it. The summary says what changed. Implies --hash.",
        ),
    ),
    "Speed": (
        Option("number", "-n --number N", types.COUNT, "Fetch N URLs.", Scope.FLAG),
        Option(
            "workers",
            "-w --workers N",
            types.WORKERS,
            "At most N fetches at once; auto finds out how many help.",
            Scope.POOL,
        ),
        Option(
            "max_workers",
            "--max-workers N",
            types.MAX_WORKERS,
            "The ceiling of -w auto. (default: 1000; with processes, the cores)",
        ),
        Option(
            "executor",
            "--executor NAME",
            types.one_of(EXECUTORS),
            "What the workers are: thread; process, for N processes (many cores, heavy --parse); async, "
            "for one thread that waits on all N.",
            Scope.POOL,
        ),
        Option(
            "per_host",
            "--per-host N",
            types.INTEGER_LIMIT,
            "At most N fetches at once from one host; 0 is no limit.",
        ),
        Option(
            "transport",
            "--transport NAME",
            types.one_of(TRANSPORTS),
            "What talks to the network: curl (libcurl) or requests. Both give the same rows.",
            Scope.POOL,
        ),
    ),
    "Politeness": (
        Option(
            "host_delay",
            "--host-delay TIME",
            types.DURATION,
            "Between two requests to one host. 429, 503 and Retry-After slow a host down by themselves.",
        ),
        Option(
            "rate",
            "--rate N/s",
            types.RATE_LIMIT,
            "At most so many requests over all hosts, evenly paced: 10/s, 30/m, 1000/h; 0 is no limit.",
        ),
        Option(
            "retry_after_max",
            "--retry-after-max TIME",
            types.DURATION,
            "A server that asks (Retry-After) to be left alone for longer is left alone for this long.",
        ),
        Option(
            "robots",
            "--robots",
            types.SWITCH,
            "Ask each host's robots.txt and obey it, Crawl-delay too. Off by default: a list is no crawl.",
        ),
        Option(
            "max_runtime",
            "--max-runtime TIME",
            types.DURATION_LIMIT,
            "Stop after this long, as one Ctrl-C does; exit code 4. 0 is no limit.",
        ),
        Option(
            "public_only",
            "--public-only",
            types.SWITCH,
            "For lists from strangers: refuse private, loopback and link-local addresses. By default only"
            " redirects from a public page to one are refused.",
            Scope.POOL,
        ),
        Option(
            "allow_private",
            "--allow-private",
            types.SWITCH,
            "Refuse no address, not even after a redirect.",
            Scope.POOL,
        ),
        Option(
            "dry_run",
            "--dry-run",
            types.SWITCH,
            "Fetch nothing: say how many URLs, hosts and duplicates there are, and how long they take at "
            "least.",
            Scope.FLAG,
        ),
    ),
    "Output": (
        Option(
            "outputs",
            "-o --output PATH",
            types.TEXTS,
            "Append rows to PATH; '-' is standard output. May be given several times. (default: "
            f"{DEFAULT_OUTPUT})",
            Scope.CONFIG,
        ),
        Option(
            "format",
            "--format NAME",
            types.FORMAT,
            "text, jsonl, csv, sqlite or parquet, for every output. Without it PATH's suffix says: "
            ".jsonl, .csv, .sqlite or .db, .parquet, else text.",
            Scope.CONFIG,
        ),
        Option(
            "parse",
            "--parse NAME",
            types.PARSERS,
            "Add fields to the row: title (of an HTML page), or package.module:function, which gets the "
            "response and returns a mapping. May be given several times.",
            Scope.POOL,
        ),
        Option(
            "parse_timeout",
            "--parse-timeout TIME",
            types.PARSE_TIMEOUT,
            "Give up on a --parse function that takes longer for a page; 0 is no limit. A process is "
            "ended then, a thread can only be left to itself. (default: 30s, or --max-time if that is "
            "shorter)",
            Scope.POOL,
        ),
        Option(
            "hash",
            "--hash NAME",
            types.HASH,
            "Add the body's hash to the row: sha256, of the decoded bytes.",
            Scope.POOL,
        ),
        Option(
            "save",
            "--save DIR",
            types.SAVE,
            "Keep the decoded bodies in DIR, as ab/cd/SHA256.TYPE; equal ones once. The row gets sha256 "
            "and filename_effective.",
        ),
        Option(
            "warc",
            "--warc FILE.warc.gz",
            types.WARC,
            "Archive all that is sent and received, as it came: WARC 1.1. Appends to FILE.",
        ),
        Option(
            "warc_max_size",
            "--warc-max-size SIZE",
            types.SIZE_LIMIT,
            "Past this the archive goes on in FILE-00001.warc.gz and so on; 0 is no limit.",
        ),
    ),
    "Resume": (
        Option(
            "resume",
            "--resume",
            types.SWITCH,
            "Go on where earlier runs ended: what the outputs hold is not fetched again. The summary and "
            "the exit code speak of the whole list.",
            Scope.CONFIG,
        ),
        Option(
            "retry_failed",
            "--retry-failed KIND",
            types.ERRORS,
            "Resume, and fetch again what failed so: all, timeout, http_5xx, http_4xx, or errors such as "
            "dns,http_429. Of a URL's rows the last is the final one. May be given several times.",
            Scope.CONFIG,
        ),
        Option(
            "dedupe",
            "--no-dedupe",
            types.SWITCH,
            "Fetch every line of the input, also the URLs that it had before.",
        ),
        Option(
            "seen_memory",
            "--seen-memory SIZE",
            types.SIZE,
            "For knowing which URLs there were, some 15 bytes each; the rest is on disk.",
        ),
    ),
    "Tries and limits": (
        Option(
            "retry",
            "--retry N",
            types.INTEGER,
            "N extra attempts when trying again may help: timeouts, broken connections, status 408, 429, "
            "500, 502, 503, 504, 522, 524.",
        ),
        Option(
            "retry_delay",
            "--retry-delay TIME",
            types.DURATION,
            "The first retry waits a random time up to this, each further one up to twice the one before.",
        ),
        Option(
            "retry_max_time",
            "--retry-max-time TIME",
            types.DURATION_LIMIT,
            "No attempt starts later than this after the URL's first; 0 is no limit.",
        ),
        Option(
            "connect_timeout",
            "--connect-timeout TIME",
            types.TIMEOUT,
            "For looking up the name, connecting and TLS together.",
            Scope.POOL,
        ),
        Option(
            "read_timeout",
            "--read-timeout TIME",
            types.TIMEOUT,
            "Give up after this long without a byte.",
            Scope.POOL,
        ),
        Option(
            "max_time",
            "-m --max-time TIME",
            types.TIMEOUT,
            "One attempt, redirects and all, never takes longer, whatever the server does.",
            Scope.POOL,
        ),
        Option(
            "max_filesize",
            "--max-filesize SIZE",
            types.SIZE_LIMIT,
            "Give up on larger bodies, counted as they come and as decoded; 0 is no limit.",
            Scope.POOL,
        ),
        Option("max_redirs", "--max-redirs N", types.INTEGER, "Follow at most N redirects.", Scope.POOL),
    ),
    "Request": (
        Option(
            "method",
            "-X --method --request METHOD",
            types.METHOD,
            "GET, HEAD, OPTIONS and so on.",
            Scope.POOL,
        ),
        Option("head", "-I --head", types.SWITCH, "Ask for the headers only: --method HEAD.", Scope.FLAG),
        Option(
            "headers",
            "-H --header LINE",
            types.HEADERS,
            "Send this header: 'Name: value', or 'Name;' for an empty one. May be given several times. It"
            " stays behind when a redirect leaves the site.",
            Scope.POOL,
        ),
        Option("user_agent", "-A --user-agent NAME", types.HEADER_VALUE, "Who we say we are.", Scope.POOL),
        Option(
            "user",
            "-u --user NAME:PASSWORD",
            types.USER,
            "Basic authentication, for the URL's own site only.",
            Scope.POOL,
        ),
        Option(
            "proxy",
            "-x --proxy URL",
            types.TEXT,
            "Through this proxy: http, https, socks5 or socks5h (the proxy looks names up). The "
            "environment's proxies are not used.",
            Scope.POOL,
        ),
        Option(
            "resolve",
            "--resolve HOST:PORT:ADDR",
            types.RESOLVE,
            "Use this address for that host and port. May be given several times.",
            Scope.POOL,
        ),
        Option(
            "dns_servers",
            "--dns-servers ADDR,...",
            types.TEXT,
            "Ask these name servers (only where libcurl was built with c-ares).",
            Scope.POOL,
        ),
        Option(
            "cacert",
            "--cacert FILE",
            types.CACERT,
            "Trust the certificates in FILE (PEM) instead of the usual ones.",
            Scope.POOL,
        ),
        Option("insecure", "-k --insecure", types.SWITCH, "Don't check servers' certificates.", Scope.POOL),
        Option("http1", "--http1.1", types.SWITCH, "Speak HTTP/1.1 only.", Scope.FLAG),
        Option("http2", "--http2", types.SWITCH, "Ask for HTTP/2 (curl only).", Scope.FLAG),
        Option(
            "http_version",
            "",
            types.HTTP_VERSION,
            "1.1, or 2 (curl only); by default the version that both sides support.",
            Scope.POOL,
        ),
    ),
    "Display": (
        Option("quiet", "-q --quiet", types.SWITCH, "Say nothing but errors.", Scope.FLAG),
        Option("verbose", "-v --verbose", types.SWITCH, "A line for each failure and retry.", Scope.FLAG),
        Option(
            "no_progress",
            "--no-progress",
            types.SWITCH,
            "No progress while it runs; the summary stays.",
            Scope.FLAG,
        ),
    ),
    "Other": (Option("version", "-V --version", types.SWITCH, "Show the version.", Scope.FLAG),),
}

OPTIONS = {option.name: option for options in GROUPED.values() for option in options}

DEFAULTS: dict[str, Any] = {
    name: default
    for struct in (FetchOptions, RunConfig)
    for name, default in zip(struct.__struct_fields__, struct.__struct_defaults__, strict=True)
    if name in OPTIONS
}
"""Checked values; an option without a field has none."""


def shown_default(option: Option) -> str | None:
    """The default as a user would write it; None when there is none to show."""
    write = option.type.format
    return None if write is None else write(DEFAULTS[option.name])


def in_scope(*scopes: Scope) -> list[Option]:
    """The options of these scopes, in the order of the table."""
    return [option for option in OPTIONS.values() if option.scope in scopes]
