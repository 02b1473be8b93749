"""The options that say how it is fetched: how fast, how politely, how patiently, with what request. What is
read, written and shown is in `options.py`, which says how one is declared.
"""

from __future__ import annotations

from typing import Annotated

from fetchpool.cli.options import offer, option
from fetchpool.config.choices import EXECUTORS, TRANSPORTS
from fetchpool.config.fetch_options import FetchOptions

USER_AGENT = FetchOptions().user_agent

SPEED = "Speed"
Number = Annotated[str, option("-n", "--number", metavar="N", group=SPEED, help="Fetch N URLs.")]
Workers = Annotated[
    str,
    option(
        "-w",
        "--workers",
        metavar="N",
        group=SPEED,
        help="At most N fetches at once; auto finds out how many help.",
    ),
]
MaxWorkers = Annotated[
    str | None,
    option(
        "--max-workers",
        metavar="N",
        group=SPEED,
        help="The ceiling of -w auto. (default: 1000; with processes, the cores)",
    ),
]
Executor = Annotated[
    str,
    option(
        "--executor",
        metavar="NAME",
        group=SPEED,
        help="What the workers are: thread; process, for N processes (many cores, heavy --parse); async, "
        "for one thread that waits on all N.",
        autocompletion=offer(*EXECUTORS),
    ),
]
PerHost = Annotated[
    str,
    option(
        "--per-host", metavar="N", group=SPEED, help="At most N fetches at once from one host; 0 is no limit."
    ),
]
POLITENESS = "Politeness"
HostDelay = Annotated[
    str,
    option(
        "--host-delay",
        metavar="TIME",
        group=POLITENESS,
        help="Between two requests to one host. 429, 503 and Retry-After slow a host down by themselves.",
    ),
]
Rate = Annotated[
    str,
    option(
        "--rate",
        metavar="N/s",
        group=POLITENESS,
        help="At most so many requests over all hosts, evenly paced: 10/s, 30/m, 1000/h; 0 is no limit.",
    ),
]
RetryAfterMax = Annotated[
    str,
    option(
        "--retry-after-max",
        metavar="TIME",
        group=POLITENESS,
        help="A server that asks (Retry-After) to be left alone for longer is left alone for this long.",
    ),
]
Robots = Annotated[
    bool,
    option(
        "--robots",
        group=POLITENESS,
        help="Ask each host's robots.txt and obey it, Crawl-delay too. Off by default: a list is no crawl.",
    ),
]
MaxRuntime = Annotated[
    str,
    option(
        "--max-runtime",
        metavar="TIME",
        group=POLITENESS,
        help="Stop after this long, as one Ctrl-C does; exit code 4. 0 is no limit.",
    ),
]
PublicOnly = Annotated[
    bool,
    option(
        "--public-only",
        group=POLITENESS,
        help="For lists from strangers: refuse private, loopback and link-local addresses. By default only "
        "redirects from a public page to one are refused.",
    ),
]
AllowPrivate = Annotated[
    bool, option("--allow-private", group=POLITENESS, help="Refuse no address, not even after a redirect.")
]
DryRun = Annotated[
    bool,
    option(
        "--dry-run",
        group=POLITENESS,
        help="Fetch nothing: say how many URLs, hosts and duplicates there are, and how long they take "
        "at least.",
    ),
]
Transport = Annotated[
    str,
    option(
        "--transport",
        metavar="NAME",
        group=SPEED,
        help="What talks to the network: curl (libcurl) or requests. Both give the same rows.",
        autocompletion=offer(*TRANSPORTS),
    ),
]

TRIES = "Tries and limits"
Retry = Annotated[
    str,
    option(
        "--retry",
        metavar="N",
        group=TRIES,
        help="N extra attempts when trying again may help: timeouts, broken connections, status 408, "
        "429, 500, 502, 503, 504, 522, 524.",
    ),
]
RetryDelay = Annotated[
    str,
    option(
        "--retry-delay",
        metavar="TIME",
        group=TRIES,
        help="The first retry waits a random time up to this, each further one up to twice the one before.",
    ),
]
RetryMaxTime = Annotated[
    str,
    option(
        "--retry-max-time",
        metavar="TIME",
        group=TRIES,
        help="No attempt starts later than this after the URL's first; 0 is no limit.",
    ),
]
ConnectTimeout = Annotated[
    str,
    option(
        "--connect-timeout",
        metavar="TIME",
        group=TRIES,
        help="For looking up the name, connecting and TLS together.",
    ),
]
ReadTimeout = Annotated[
    str,
    option("--read-timeout", metavar="TIME", group=TRIES, help="Give up after this long without a byte."),
]
MaxTime = Annotated[
    str,
    option(
        "-m",
        "--max-time",
        metavar="TIME",
        group=TRIES,
        help="One attempt, redirects and all, never takes longer, whatever the server does.",
    ),
]
MaxFilesize = Annotated[
    str,
    option(
        "--max-filesize",
        metavar="SIZE",
        group=TRIES,
        help="Give up on larger bodies, counted as they come and as decoded; 0 is no limit.",
    ),
]
MaxRedirs = Annotated[
    str, option("--max-redirs", metavar="N", group=TRIES, help="Follow at most N redirects.")
]

REQUEST = "Request"
Header = Annotated[
    list[str] | None,
    option(
        "-H",
        "--header",
        metavar="LINE",
        group=REQUEST,
        help="Send this header: 'Name: value', or 'Name;' for an empty one. May be given several times. "
        "It stays behind when a redirect leaves the site.",
    ),
]
UserAgent = Annotated[
    str, option("-A", "--user-agent", metavar="NAME", group=REQUEST, help="Who we say we are.")
]
Method = Annotated[
    str,
    option(
        "-X", "--method", "--request", metavar="METHOD", group=REQUEST, help="GET, HEAD, OPTIONS and so on."
    ),
]
Head = Annotated[bool, option("-I", "--head", group=REQUEST, help="Ask for the headers only: --method HEAD.")]
User = Annotated[
    str | None,
    option(
        "-u",
        "--user",
        metavar="NAME:PASSWORD",
        group=REQUEST,
        help="Basic authentication, for the URL's own site only.",
    ),
]
Proxy = Annotated[
    str | None,
    option(
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
    option(
        "--resolve",
        metavar="HOST:PORT:ADDR",
        group=REQUEST,
        help="Use this address for that host and port. May be given several times.",
    ),
]
DnsServers = Annotated[
    str | None,
    option(
        "--dns-servers",
        metavar="ADDR,...",
        group=REQUEST,
        help="Ask these name servers (only where libcurl was built with c-ares).",
    ),
]
Cacert = Annotated[
    str | None,
    option(
        "--cacert",
        metavar="FILE",
        group=REQUEST,
        help="Trust the certificates in FILE (PEM) instead of the usual ones.",
    ),
]
Insecure = Annotated[
    bool, option("-k", "--insecure", group=REQUEST, help="Don't check servers' certificates.")
]
Http1 = Annotated[bool, option("--http1.1", group=REQUEST, help="Speak HTTP/1.1 only.")]
Http2 = Annotated[bool, option("--http2", group=REQUEST, help="Ask for HTTP/2 (curl only).")]
