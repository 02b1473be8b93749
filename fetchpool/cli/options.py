"""Every option, declared once: its names, its unit, its words in the help.

Names and meanings are curl's where curl has it. All values stay text: `config` reads and checks them,
for programs as well, so a refusal has the same words everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fetchpool.kinds import GROUPS
from fetchpool.model import FailureKind, FetchOptions
from fetchpool.outputs import HASHES
from fetchpool.pools import EXECUTORS
from fetchpool.sinks import FORMATS
from fetchpool.transports import TRANSPORTS
from fetchpool.version import version_line

DEFAULT_OUTPUT = "sizes.txt"
USER_AGENT = FetchOptions().user_agent


def _offer(*choices: str) -> Any:
    """Shell completion out of a fixed few."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


INPUT_HELP = (
    "Files with one URL a line, '-' for standard input; .gz, .bz2 and .zst are read as such. Blank lines and "
    "those that begin with '#' are skipped; a line without a scheme gets http://. Without INPUT a pipe is "
    "read."
)

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help=INPUT_HELP,
        show_default=False,
        # The commands' names, as the first word may be one; where none fits, shells offer files.
        autocompletion=_offer("demo", "compact"),
    ),
]


def _option(*names: str, group: str, help: str, metavar: str = "", **more: Any) -> Any:
    return typer.Option(*names, metavar=metavar or None, help=help, rich_help_panel=group, **more)


INPUT = "Input"
UrlColumn = Annotated[
    str | None,
    _option(
        "--url-column",
        metavar="NAME",
        group=INPUT,
        help="INPUT has columns, and NAME holds the URL: CSV, TSV, JSONL or Parquet, as its suffix or its "
        "first line says.",
    ),
]
KeepColumns = Annotated[
    bool,
    _option(
        "--keep-columns",
        group=INPUT,
        help="Pass INPUT's other columns through to the row; one whose name is taken gets input_ before it.",
    ),
]

Refresh = Annotated[
    str | None,
    _option(
        "--refresh",
        metavar="OLD",
        group=INPUT,
        help="Fetch what the output OLD of an earlier run has only if it has changed since; without INPUT, "
        "all of it. The summary says what changed. Implies --hash.",
    ),
]

SPEED = "Speed"
Number = Annotated[str, _option("-n", "--number", metavar="N", group=SPEED, help="Fetch N URLs.")]
Workers = Annotated[
    str,
    _option(
        "-w",
        "--workers",
        metavar="N",
        group=SPEED,
        help="At most N fetches at once; auto finds out how many help.",
    ),
]
MaxWorkers = Annotated[
    str | None,
    _option(
        "--max-workers",
        metavar="N",
        group=SPEED,
        help="The ceiling of -w auto. (default: 1000; with processes, the cores)",
    ),
]
Executor = Annotated[
    str,
    _option(
        "--executor",
        metavar="NAME",
        group=SPEED,
        help="What the workers are: thread; process, for N processes (many cores, heavy --parse); async, "
        "for one thread that waits on all N.",
        autocompletion=_offer(*EXECUTORS),
    ),
]
PerHost = Annotated[
    str,
    _option(
        "--per-host", metavar="N", group=SPEED, help="At most N fetches at once from one host; 0 is no limit."
    ),
]
POLITENESS = "Politeness"
HostDelay = Annotated[
    str,
    _option(
        "--host-delay",
        metavar="TIME",
        group=POLITENESS,
        help="Between two requests to one host. 429, 503 and Retry-After slow a host down by themselves.",
    ),
]
Rate = Annotated[
    str,
    _option(
        "--rate",
        metavar="N/s",
        group=POLITENESS,
        help="At most so many requests over all hosts, evenly paced: 10/s, 30/m, 1000/h; 0 is no limit.",
    ),
]
RetryAfterMax = Annotated[
    str,
    _option(
        "--retry-after-max",
        metavar="TIME",
        group=POLITENESS,
        help="A server that asks (Retry-After) to be left alone for longer is left alone for this long.",
    ),
]
Robots = Annotated[
    bool,
    _option(
        "--robots",
        group=POLITENESS,
        help="Ask each host's robots.txt and obey it, Crawl-delay too. Off by default: a list is no crawl.",
    ),
]
MaxRuntime = Annotated[
    str,
    _option(
        "--max-runtime",
        metavar="TIME",
        group=POLITENESS,
        help="Stop after this long, as one Ctrl-C does; exit code 4. 0 is no limit.",
    ),
]
PublicOnly = Annotated[
    bool,
    _option(
        "--public-only",
        group=POLITENESS,
        help="For lists from strangers: refuse private, loopback and link-local addresses. By default only "
        "redirects from a public page to one are refused.",
    ),
]
AllowPrivate = Annotated[
    bool, _option("--allow-private", group=POLITENESS, help="Refuse no address, not even after a redirect.")
]
DryRun = Annotated[
    bool,
    _option(
        "--dry-run",
        group=POLITENESS,
        help="Fetch nothing: say how many URLs, hosts and duplicates there are, and how long they take "
        "at least.",
    ),
]
Transport = Annotated[
    str,
    _option(
        "--transport",
        metavar="NAME",
        group=SPEED,
        help="What talks to the network: curl (libcurl) or requests. Both give the same rows.",
        autocompletion=_offer(*TRANSPORTS),
    ),
]

OUTPUT = "Output"
Outputs = Annotated[
    list[str] | None,
    _option(
        "-o",
        "--output",
        metavar="PATH",
        group=OUTPUT,
        help="Append rows to PATH; '-' is standard output. May be given several times. "
        f"(default: {DEFAULT_OUTPUT})",
    ),
]
DemoOutputs = Annotated[
    list[str] | None,
    _option(
        "-o",
        "--output",
        metavar="PATH",
        group=OUTPUT,
        help="Append rows to PATH; '-' is standard output. "
        "(default: a temporary file, which the summary names)",
    ),
]
Format = Annotated[
    str | None,
    _option(
        "--format",
        metavar="NAME",
        group=OUTPUT,
        help="text, jsonl, csv, sqlite or parquet, for every output. Without it PATH's suffix says: .jsonl, "
        ".csv, .sqlite or .db, .parquet, else text.",
        autocompletion=_offer(*FORMATS),
    ),
]
Parse = Annotated[
    list[str] | None,
    _option(
        "--parse",
        metavar="NAME",
        group=OUTPUT,
        help="Add fields to the row: title (of an HTML page), or package.module:function, which gets "
        "the response and returns a mapping. May be given several times.",
    ),
]

Hash = Annotated[
    str | None,
    _option(
        "--hash",
        metavar="NAME",
        group=OUTPUT,
        help="Add the body's hash to the row: sha256, of the decoded bytes.",
        autocompletion=_offer(*HASHES),
    ),
]
Save = Annotated[
    str | None,
    _option(
        "--save",
        metavar="DIR",
        group=OUTPUT,
        help="Keep the decoded bodies in DIR, as ab/cd/SHA256.TYPE; equal ones once. The row gets sha256 and "
        "filename_effective.",
    ),
]

Warc = Annotated[
    str | None,
    _option(
        "--warc",
        metavar="FILE.warc.gz",
        group=OUTPUT,
        help="Archive all that is sent and received, as it came: WARC 1.1. Appends to FILE.",
    ),
]
WarcMaxSize = Annotated[
    str,
    _option(
        "--warc-max-size",
        metavar="SIZE",
        group=OUTPUT,
        help="Past this the archive goes on in FILE-00001.warc.gz and so on; 0 is no limit.",
    ),
]

RESUME = "Resume"
Resume = Annotated[
    bool,
    _option(
        "--resume",
        group=RESUME,
        help="Go on where earlier runs ended: what the outputs hold is not fetched again. The summary and "
        "the exit code speak of the whole list.",
    ),
]
RetryFailed = Annotated[
    list[str] | None,
    _option(
        "--retry-failed",
        metavar="KIND",
        group=RESUME,
        help="Resume, and fetch again what failed so: all, timeout, http_5xx, http_4xx, or errors such as "
        "dns,http_429. Of a URL's rows the last is the final one. May be given several times.",
        autocompletion=_offer(*GROUPS, *FailureKind),
    ),
]
NoDedupe = Annotated[
    bool,
    _option(
        "--no-dedupe",
        group=RESUME,
        help="Fetch every line of the input, also the URLs that it had before.",
    ),
]
SeenMemory = Annotated[
    str,
    _option(
        "--seen-memory",
        metavar="SIZE",
        group=RESUME,
        help="For knowing which URLs there were, some 15 bytes each; the rest is on disk.",
    ),
]

Compacted = Annotated[
    list[str] | None, typer.Argument(metavar="OUT", help="Outputs of earlier runs.", show_default=False)
]
CompactedFormat = Annotated[
    str | None,
    _option(
        "--format",
        metavar="NAME",
        group=OUTPUT,
        help="text, jsonl, csv or sqlite, for every OUT. Without it the suffix says.",
        autocompletion=_offer(*FORMATS),
    ),
]

TRIES = "Tries and limits"
Retry = Annotated[
    str,
    _option(
        "--retry",
        metavar="N",
        group=TRIES,
        help="N extra attempts when trying again may help: timeouts, broken connections, status 408, "
        "429, 500, 502, 503, 504, 522, 524.",
    ),
]
RetryDelay = Annotated[
    str,
    _option(
        "--retry-delay",
        metavar="TIME",
        group=TRIES,
        help="The first retry waits a random time up to this, each further one up to twice the one before.",
    ),
]
RetryMaxTime = Annotated[
    str,
    _option(
        "--retry-max-time",
        metavar="TIME",
        group=TRIES,
        help="No attempt starts later than this after the URL's first; 0 is no limit.",
    ),
]
ConnectTimeout = Annotated[
    str,
    _option(
        "--connect-timeout",
        metavar="TIME",
        group=TRIES,
        help="For looking up the name, connecting and TLS together.",
    ),
]
ReadTimeout = Annotated[
    str,
    _option("--read-timeout", metavar="TIME", group=TRIES, help="Give up after this long without a byte."),
]
MaxTime = Annotated[
    str,
    _option(
        "-m",
        "--max-time",
        metavar="TIME",
        group=TRIES,
        help="One attempt, redirects and all, never takes longer, whatever the server does.",
    ),
]
MaxFilesize = Annotated[
    str,
    _option(
        "--max-filesize",
        metavar="SIZE",
        group=TRIES,
        help="Give up on larger bodies, counted as they come and as decoded; 0 is no limit.",
    ),
]
MaxRedirs = Annotated[
    str, _option("--max-redirs", metavar="N", group=TRIES, help="Follow at most N redirects.")
]

REQUEST = "Request"
Header = Annotated[
    list[str] | None,
    _option(
        "-H",
        "--header",
        metavar="LINE",
        group=REQUEST,
        help="Send this header: 'Name: value', or 'Name;' for an empty one. May be given several times. "
        "It stays behind when a redirect leaves the site.",
    ),
]
UserAgent = Annotated[
    str, _option("-A", "--user-agent", metavar="NAME", group=REQUEST, help="Who we say we are.")
]
Method = Annotated[
    str,
    _option(
        "-X", "--method", "--request", metavar="METHOD", group=REQUEST, help="GET, HEAD, OPTIONS and so on."
    ),
]
Head = Annotated[
    bool, _option("-I", "--head", group=REQUEST, help="Ask for the headers only: --method HEAD.")
]
User = Annotated[
    str | None,
    _option(
        "-u",
        "--user",
        metavar="NAME:PASSWORD",
        group=REQUEST,
        help="Basic authentication, for the URL's own site only.",
    ),
]
Proxy = Annotated[
    str | None,
    _option(
        "-x",
        "--proxy",
        metavar="URL",
        group=REQUEST,
        help="Through this proxy: http, https, socks5 or socks5h (the proxy looks names up). "
        "The environment's proxies are not used.",
    ),
]
Resolve = Annotated[
    list[str] | None,
    _option(
        "--resolve",
        metavar="HOST:PORT:ADDR",
        group=REQUEST,
        help="Use this address for that host and port. May be given several times.",
    ),
]
DnsServers = Annotated[
    str | None,
    _option(
        "--dns-servers",
        metavar="ADDR,...",
        group=REQUEST,
        help="Ask these name servers (only where libcurl was built with c-ares).",
    ),
]
Cacert = Annotated[
    str | None,
    _option(
        "--cacert",
        metavar="FILE",
        group=REQUEST,
        help="Trust the certificates in FILE (PEM) instead of the usual ones.",
    ),
]
Insecure = Annotated[
    bool, _option("-k", "--insecure", group=REQUEST, help="Don't check servers' certificates.")
]
Http1 = Annotated[bool, _option("--http1.1", group=REQUEST, help="Speak HTTP/1.1 only.")]
Http2 = Annotated[bool, _option("--http2", group=REQUEST, help="Ask for HTTP/2 (curl only).")]

DISPLAY = "Display"
Quiet = Annotated[bool, _option("-q", "--quiet", group=DISPLAY, help="Say nothing but errors.")]
Verbose = Annotated[
    bool, _option("-v", "--verbose", group=DISPLAY, help="A line for each failure and retry.")
]
NoProgress = Annotated[
    bool, _option("--no-progress", group=DISPLAY, help="No progress while it runs; the summary stays.")
]

OTHER = "Other"
Version = Annotated[
    bool,
    _option("-V", "--version", group=OTHER, help="Show the version.", is_eager=True, callback=_show_version),
]
