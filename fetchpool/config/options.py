"""The options: one declaration for each.

Made from this table: the command line (`cli/options.py`) with its help and completion, the checks of
`configure()`, the keyword arguments of `fetch()` and `Pool` (`settings.py`), and `docs/reference/options.md`.
The default of an option is that of the field with the same name in `FetchOptions` or `RunConfig`, where its
value is stored. If curl has the option, name and meaning are curl's.

After a change here: `python -m tests.update_docs`.
"""

from __future__ import annotations

from typing import Any

from fetchpool.config import param_types as types
from fetchpool.config.choices import COLORS, EXECUTORS, LOG_LEVELS, PROGRESS, TRANSPORTS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.option import Option, Scope, Secret, Settable
from fetchpool.config.run_config import RunConfig

DEFAULT_OUTPUT = "sizes.txt"
"""The output of the command line without --output."""

GROUPED: dict[str, tuple[Option, ...]] = {
    "Input": (
        Option(
            "url_column",
            "--url-column NAME",
            types.COLUMN,
            "Read the URLs from column NAME of a CSV, TSV, JSONL or Parquet input. The format is detected "
            "from the suffix or the first line.",
            Scope.CONFIG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "keep_columns",
            "--keep-columns",
            types.SWITCH,
            "Copy the other input columns to the rows; clashing names are prefixed with input_.",
            Scope.CONFIG,
            settable=Settable.ANYWHERE,
            only_with=("url_column", ""),
        ),
        Option(
            "delimiter",
            "--delimiter CHAR",
            types.DELIMITER,
            "Delimiter of CSV and TSV inputs: a character, or tab. By default it is detected, or taken from "
            "a first line such as 'sep=;'.",
            Scope.CONFIG,
            settable=Settable.ANYWHERE,
            only_with=("url_column", ""),
        ),
        Option(
            "encoding",
            "--encoding NAME",
            types.ENCODING,
            "Encoding of the inputs, such as utf-16, cp1252 or shift_jis. By default UTF-8, UTF-16 and, in "
            "tables, Windows-1252 are detected.",
            Scope.CONFIG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "sitemap",
            "--sitemap URL|FILE",
            types.PLACES,
            "Fetch the URLs of a sitemap: XML or text, also compressed, or an index of sitemaps. Repeatable.",
            secret=Secret.USERINFO,
        ),
        Option(
            "limit",
            "--limit N",
            types.FIRST,
            "Fetch only the first N URLs of the input.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "refresh",
            "--refresh OLD",
            types.OLD_OUTPUT,
            "Fetch URLs only if they have changed since OLD, the output of an earlier run, by conditional "
            "requests. Without INPUT, the URLs are those of OLD. Implies --hash.",
        ),
    ),
    "Speed": (
        Option(
            "number",
            "-n --number N",
            types.COUNT,
            "Number of URLs to fetch.",
            Scope.FLAG,
            settable=Settable.TYPED,
        ),
        Option(
            "workers",
            "-w --workers N",
            types.WORKERS,
            "Maximum number of concurrent fetches, or 'auto' to adapt it during the run.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_workers",
            "--max-workers N",
            types.MAX_WORKERS,
            "Upper limit of the workers for -w auto, and for changes during the run. (default: 1000)",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "executor",
            "--executor NAME",
            types.one_of(EXECUTORS),
            "Worker type: thread, async (one event loop), or process (an event loop in each of several "
            "processes; uses all cores, also for --parse).",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "processes",
            "--processes N",
            types.PROCESSES,
            "Number of worker processes, with --executor process. (default: the number of cores, at most -w)",
            Scope.POOL,
            settable=Settable.ANYWHERE,
            only_with=("executor", "process"),
        ),
        Option(
            "paused",
            "--paused",
            types.SWITCH,
            "Begin paused; the web page or the key p starts the run. The pause counts towards --max-runtime.",
            Scope.CONFIG,
        ),
        Option(
            "per_host",
            "--per-host N",
            types.INTEGER_LIMIT,
            "Maximum number of concurrent fetches per host; 0 is no limit.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "transport",
            "--transport NAME",
            types.one_of(TRANSPORTS),
            "HTTP library: curl (pycurl) or requests. The rows are the same.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
    ),
    "Politeness": (
        Option(
            "host_delay",
            "--host-delay TIME",
            types.DURATION,
            "Minimum delay between two requests to the same host. Status 429, 503 and Retry-After always "
            "increase the delay.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "rate",
            "--rate N/s",
            types.RATE_LIMIT,
            "Maximum request rate over all hosts, evenly spaced: 10/s, 30/m, 1000/h; 0 is no limit.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "retry_after_max",
            "--retry-after-max TIME",
            types.DURATION,
            "Upper limit for a server's Retry-After.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "robots",
            "--robots",
            types.SWITCH,
            "Obey robots.txt, including Crawl-delay. Off by default, as a URL list is not a crawl.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_runtime",
            "--max-runtime TIME",
            types.DURATION_LIMIT,
            "Start no more fetches after TIME, finish those in flight, and exit with code 4; 0 is no limit.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_failures",
            "--max-failures N",
            types.INTEGER_LIMIT,
            "Start no more fetches after N URLs have failed, finish those in flight, and exit with code 4; 0 "
            "is no limit.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "public_only",
            "--public-only",
            types.SWITCH,
            "For untrusted lists: refuse private, loopback and link-local addresses. By default they are "
            "refused only in redirects from public pages.",
            Scope.POOL,
            excludes=("allow_private",),
        ),
        Option(
            "allow_private",
            "--allow-private",
            types.SWITCH,
            "Allow redirects from public pages to private addresses.",
            Scope.POOL,
        ),
        Option(
            "dry_run",
            "--dry-run",
            types.SWITCH,
            "Fetch nothing; print the number of URLs, hosts and duplicates, and the minimum time of a run.",
            Scope.FLAG,
        ),
    ),
    "Output": (
        Option(
            "outputs",
            "-o --output PATH",
            types.TEXTS,
            f"Append rows to PATH; '-' is standard output. Repeatable. (default: {DEFAULT_OUTPUT})",
            Scope.CONFIG,
        ),
        Option(
            "overwrite",
            "--overwrite",
            types.SWITCH,
            "Replace outputs that exist, instead of appending to them.",
            Scope.CONFIG,
            excludes=("resume", "retry_failed"),
        ),
        Option(
            "format",
            "--format NAME",
            types.FORMAT,
            "Format of every output: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix of PATH "
            "decides: .jsonl, .csv, .tsv, .sqlite or .db, .parquet, else text.",
            Scope.CONFIG,
        ),
        Option(
            "fields",
            "--fields NAME,...",
            types.FIELDS,
            "Write only these fields, in this order (any format but text). Repeatable.",
            Scope.CONFIG,
        ),
        Option(
            "write_out",
            "-W --write-out FORMAT",
            types.WRITE_OUT,
            "Format of text rows, as in curl: '%{url} %{size_delivered}\\n'; %{json} is all fields, "
            "%header{NAME} a response header. @FILE reads the format from FILE.",
            Scope.CONFIG,
            excludes=("fields",),
        ),
        Option(
            "report",
            "--report PATH",
            types.TEXT,
            "At the end of the run, write a report of the first output file to PATH, like fetchpool report; "
            "report.html is an HTML page.",
            Scope.FLAG,
            excludes=("write_out",),
        ),
        Option(
            "parse",
            "--parse NAME",
            types.PARSERS,
            "Add fields to the row: title, meta (description, canonical, language, og:*), links (all links "
            "of a page), text (its visible text), or what package.module:function returns for the response "
            "(in Python also a function). Repeatable.",
            Scope.POOL,
        ),
        Option(
            "parse_timeout",
            "--parse-timeout TIME",
            types.PARSE_TIMEOUT,
            "Maximum time for a --parse function per page; 0 is no limit. (default: 30s, or --max-time if "
            "shorter)",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "keep",
            "--keep WHAT",
            types.KEEP,
            "Add fields to the row: headers, header:NAME (some of them), redirects (each with its status), "
            "body (at most 64M), text (the body, decoded) or line (where the URL is in the input). "
            "Repeatable, or a list: headers,body.",
            Scope.POOL,
        ),
        Option(
            "hash",
            "--hash NAME",
            types.HASH,
            "Add a hash of the decoded body to the row; NAME is sha256.",
            Scope.POOL,
        ),
        Option(
            "save",
            "--save DIR",
            types.SAVE,
            "Save the decoded bodies as DIR/ab/cd/SHA256.TYPE; identical bodies are stored once. Adds sha256 "
            "and filename_effective to the row.",
        ),
        Option(
            "save_as",
            "--save-as NAME",
            types.SAVE_AS,
            "Template for the names of saved bodies: '{host}/{path}', also with {urlnum}, {sha256} and "
            "{ext}. No body replaces another one.",
            only_with=("save", ""),
        ),
        Option(
            "warc",
            "--warc FILE.warc.gz",
            types.WARC,
            "Append all requests and responses to a WARC 1.1 file.",
        ),
        Option(
            "warc_max_size",
            "--warc-max-size SIZE",
            types.SIZE_LIMIT,
            "Start a new WARC file (FILE-00001.warc.gz and so on) at this size; 0 is no limit.",
        ),
    ),
    "Resume": (
        Option(
            "resume",
            "--resume",
            types.SWITCH,
            "Skip URLs that the outputs already contain. The summary and the exit code cover all URLs of the "
            "list.",
            Scope.CONFIG,
        ),
        Option(
            "retry_failed",
            "--retry-failed KIND",
            types.ERRORS,
            "Like --resume, and also retry URLs whose row has one of these errors: all, timeout, http_5xx, "
            "http_4xx, or single ones such as dns,http_429. The last row of a URL counts. Without INPUT, the "
            "URLs are those of the output. Repeatable.",
            Scope.CONFIG,
        ),
        Option(
            "dedupe",
            "--no-dedupe",
            types.SWITCH,
            "Fetch duplicate URLs, too.",
            excludes=("resume", "retry_failed"),
        ),
        Option(
            "seen_memory",
            "--seen-memory SIZE",
            types.SIZE,
            "Memory for duplicate detection, about 15 bytes per URL. If it is full, a temporary file is "
            "used.",
        ),
    ),
    "Tries and limits": (
        Option(
            "retry",
            "--retry N",
            types.INTEGER,
            "Retry transient failures up to N times: timeouts, broken connections, status 408, 429, 500, "
            "502, 503, 504, 522, 524.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "retry_delay",
            "--retry-delay TIME",
            types.DURATION,
            "Backoff before the first retry; doubled for each further one, with full jitter.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "retry_max_time",
            "--retry-max-time TIME",
            types.DURATION_LIMIT,
            "Start no retry later than TIME after the URL's first attempt; 0 is no limit.",
            settable=Settable.ANYWHERE,
        ),
        Option(
            "connect_timeout",
            "--connect-timeout TIME",
            types.TIMEOUT,
            "Maximum time for DNS lookup, TCP connect and TLS handshake.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "read_timeout",
            "--read-timeout TIME",
            types.TIMEOUT,
            "Maximum time without receiving data.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_time",
            "-m --max-time TIME",
            types.TIMEOUT,
            "Maximum total time per attempt, redirects included.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_filesize",
            "--max-filesize SIZE",
            types.SIZE_LIMIT,
            "Maximum body size, compressed and decompressed; 0 is no limit.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "max_redirs",
            "--max-redirs N",
            types.INTEGER,
            "Maximum number of redirects to follow.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "no_follow",
            "--no-follow",
            types.SWITCH,
            "Follow no redirects: a 3xx response is final, and not a failure. Adds redirect_url to the row.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "accept",
            "--accept STATUS,...",
            types.STATUSES,
            "Statuses that count as success, such as 200..299,403; all others are failures. By default those "
            "under 400 are successes. Repeatable.",
            Scope.POOL,
        ),
    ),
    "Request": (
        Option(
            "method",
            "-X --method --request METHOD",
            types.METHOD,
            "Request method: GET, HEAD, OPTIONS and so on. (default: GET, or POST with --data or --json)",
            Scope.POOL,
        ),
        Option(
            "head",
            "-I --head",
            types.SWITCH,
            "Request headers only, like --method HEAD.",
            Scope.FLAG,
            excludes=("method", "data", "json"),
        ),
        Option(
            "data",
            "-d --data TEXT",
            types.DATA,
            "Send TEXT, or with @FILE the content of FILE, as form data in the body of every request (POST). "
            "Not sent to other origins after a redirect. Repeatable; the values are joined with &.",
            Scope.POOL,
            secret=Secret.BODY,
            excludes=("json",),
        ),
        Option(
            "json",
            "--json TEXT",
            types.JSON,
            "Send TEXT, or with @FILE the content of FILE, as JSON in the body of every request (POST).",
            Scope.POOL,
            secret=Secret.BODY,
        ),
        Option(
            "headers",
            "-H --header LINE",
            types.HEADERS,
            "Header to send: 'Name: value', or 'Name;' for an empty value, or @FILE for the headers in FILE. "
            "Not sent to other origins after a redirect. Repeatable.",
            Scope.POOL,
            secret=Secret.HEADER,
        ),
        Option(
            "cookie",
            "-b --cookie TEXT|FILE",
            types.COOKIE,
            "Cookies to send: 'name=value; name=value' to every URL, or a FILE of cookies (Netscape format), "
            "each cookie to its own site. Repeatable.",
            Scope.POOL,
            secret=Secret.COOKIE,
        ),
        Option(
            "cookie_jar",
            "-c --cookie-jar FILE",
            types.COOKIE_JAR,
            "Share the cookies from servers among all URLs, and write them to FILE at the end. By default, a "
            "cookie is only sent in the redirects of the URL that received it.",
        ),
        Option("referer", "-e --referer URL", types.REFERER, "Referer header to send.", Scope.POOL),
        Option(
            "range",
            "--range RANGE",
            types.RANGE,
            "Bytes to request: 0-499, -500 (the last 500) or 9500- (all from there on).",
            Scope.POOL,
        ),
        Option(
            "user_agent", "-A --user-agent NAME", types.HEADER_VALUE, "User-Agent header to send.", Scope.POOL
        ),
        Option(
            "user",
            "-u --user NAME:PASSWORD",
            types.USER,
            "Basic authentication, sent to the URL's own origin only. A missing password is asked for on the "
            "terminal, or taken from --netrc.",
            Scope.POOL,
            secret=Secret.PASSWORD,
        ),
        Option(
            "netrc",
            "--netrc",
            types.SWITCH,
            "Basic authentication with the name and password of each host in ~/.netrc.",
            Scope.POOL,
        ),
        Option(
            "netrc_file",
            "--netrc-file FILE",
            types.FILE,
            "Like --netrc, but read FILE.",
            Scope.POOL,
        ),
        Option(
            "proxy",
            "-x --proxy URL",
            types.TEXT,
            "Proxy to use: http, https, socks5 or socks5h (the proxy resolves names). 'env' uses the "
            "environment variables http_proxy, https_proxy, all_proxy and no_proxy, which are ignored "
            "otherwise.",
            Scope.POOL,
            secret=Secret.USERINFO,
        ),
        Option(
            "noproxy",
            "--noproxy HOST,...",
            types.NOPROXY,
            "Use no proxy for these hosts, domains and networks (10.0.0.0/8); '*' is all.",
            Scope.POOL,
        ),
        Option(
            "resolve",
            "--resolve HOST:PORT:ADDR",
            types.RESOLVE,
            "Use this address for HOST and PORT. Repeatable.",
            Scope.POOL,
        ),
        Option(
            "dns_servers",
            "--dns-servers ADDR,...",
            types.TEXT,
            "DNS servers to use (needs a libcurl with c-ares).",
            Scope.POOL,
        ),
        Option(
            "cacert",
            "--cacert FILE",
            types.CACERT,
            "Trust the CA certificates in FILE (PEM) instead of the default ones.",
            Scope.POOL,
        ),
        Option(
            "cert",
            "-E --cert FILE",
            types.CERTIFICATE,
            "Client certificate (PEM) for servers that ask for one; FILE:PASSWORD if its key is encrypted.",
            Scope.POOL,
            secret=Secret.KEY_PASSWORD,
        ),
        Option(
            "key",
            "--key FILE",
            types.FILE,
            "Private key of --cert, if it is in another file.",
            Scope.POOL,
            only_with=("cert", ""),
        ),
        Option("tlsv1_2", "--tlsv1.2", types.SWITCH, "Use at least TLS 1.2.", Scope.POOL),
        Option("tlsv1_3", "--tlsv1.3", types.SWITCH, "Use at least TLS 1.3.", Scope.POOL),
        Option("tls_max", "--tls-max VERSION", types.TLS_MAX, "Use at most TLS 1.2 or 1.3.", Scope.POOL),
        Option(
            "ipv4",
            "-4 --ipv4",
            types.SWITCH,
            "Use IPv4 addresses only.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
            excludes=("ipv6",),
        ),
        Option(
            "ipv6",
            "-6 --ipv6",
            types.SWITCH,
            "Use IPv6 addresses only.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "interface",
            "--interface NAME",
            types.INTERFACE,
            "Connect from this network interface or local address.",
            Scope.POOL,
        ),
        Option(
            "limit_rate",
            "--limit-rate SIZE",
            types.SIZE_LIMIT,
            "Receive at most SIZE bytes of bodies per second, over all transfers; 0 is no limit.",
            Scope.POOL,
            settable=Settable.ANYWHERE,
        ),
        Option("insecure", "-k --insecure", types.SWITCH, "Do not verify TLS certificates.", Scope.POOL),
        Option(
            "http1",
            "--http1.1",
            types.SWITCH,
            "Use HTTP/1.1 only.",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
            excludes=("http2", "http3"),
        ),
        Option(
            "http2",
            "--http2",
            types.SWITCH,
            "Use HTTP/2 if the server supports it (curl only).",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
            excludes=("http3",),
        ),
        Option(
            "http3",
            "--http3",
            types.SWITCH,
            "Use HTTP/3 if the server supports it (curl only, if libcurl does).",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "http_version",
            "",
            types.HTTP_VERSION,
            "HTTP version: 1.1, or 2 or 3 (curl only). By default the highest that both sides support.",
            Scope.POOL,
        ),
    ),
    "Display": (
        Option(
            "quiet",
            "-q -s --quiet --silent",
            types.SWITCH,
            "Print errors only.",
            Scope.FLAG,
            excludes=("verbose",),
        ),
        Option(
            "verbose",
            "-v --verbose",
            types.SWITCH,
            "Print a line for each failure and retry.",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "summary",
            "--summary NAME",
            types.SUMMARY,
            "Format of the summary: text, or json, one object on standard error. Without a terminal, json "
            "prints nothing else there.",
            Scope.FLAG,
        ),
        Option(
            "progress",
            "",
            types.PROGRESS,
            "Show the progress on standard error or in the notebook. A function is called with a snapshot a "
            "few times a second, and at the end with the totals.",
        ),
        Option(
            "display",
            "--progress NAME",
            types.choice_of(PROGRESS),
            "Progress on standard error: bar (a live display), plain (a line now and then), json (JSON lines "
            "and nothing else, also for errors) or none. (default: auto, which is bar on a terminal, else "
            "plain)",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
            excludes=("no_progress",),
        ),
        Option(
            "no_progress",
            "--no-progress",
            types.SWITCH,
            "Show no progress, only the summary: --progress none.",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "log_file",
            "--log-file PATH",
            types.LOG_FILE,
            "Append the events of the run to PATH: text, or JSON lines if it ends in .jsonl. Only its owner "
            "may read it.",
            Scope.FLAG,
        ),
        Option(
            "log_level",
            "--log-level NAME",
            types.choice_of(LOG_LEVELS),
            "Minimum level of the events in the log: debug (with each failure and retry), info, warning or "
            "error. (default: info)",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
            only_with=("log_file", ""),
        ),
        Option(
            "log_max_size",
            "--log-max-size SIZE",
            types.LOG_SIZE,
            "Size at which the log is renamed to PATH.1, PATH.1 to PATH.2, and so on; 0 is never. (default: "
            "10M)",
            Scope.FLAG,
            only_with=("log_file", ""),
        ),
        Option(
            "log_keep",
            "--log-keep N",
            types.LOG_KEEP,
            "Number of renamed logs to keep. (default: 5)",
            Scope.FLAG,
            only_with=("log_file", ""),
        ),
        Option(
            "no_keys",
            "--no-keys",
            types.SWITCH,
            "Read no keys from the terminal. By default, keys pause and steer the run; the live display "
            "lists them.",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
        ),
        Option(
            "color",
            "--color WHEN",
            types.choice_of(COLORS),
            "Use colours: auto (on a terminal), always or never. auto respects NO_COLOR and FORCE_COLOR.",
            Scope.FLAG,
            settable=Settable.ANYWHERE,
        ),
    ),
    "Web page": (
        Option(
            "web",
            "--web",
            types.SWITCH,
            "Serve a web page that shows and steers this run, and print its link.",
            Scope.FLAG,
        ),
        Option(
            "web_listen",
            "--web-listen [HOST:]PORT",
            types.WEB_LISTEN,
            "Address and port of the web page. Implies --web. (default: 127.0.0.1:8642, or any free port if "
            "that is taken)",
            Scope.FLAG,
        ),
        Option(
            "web_host",
            "--web-host NAME",
            types.WEB_HOST,
            "Another host name under which browsers may open the page. Implies --web. Repeatable.",
            Scope.FLAG,
        ),
        Option(
            "web_read_only",
            "--web-read-only",
            types.SWITCH,
            "Serve a web page that shows this run, but cannot steer it. Implies --web.",
            Scope.FLAG,
        ),
    ),
    "Configuration": (
        Option(
            "config",
            "--config FILE",
            types.TEXT,
            "Read options from FILE: TOML, with the names of options as keys. The order of precedence is the "
            "command line, variables such as FETCHPOOL_MAX_TIME, FILE, ./fetchpool.toml or [tool.fetchpool] "
            "in ./pyproject.toml, and ~/.config/fetchpool/config.toml.",
            Scope.FLAG,
            settable=Settable.TYPED,
        ),
        Option(
            "no_config",
            "--no-config",
            types.SWITCH,
            "Read no configuration file except that of --config.",
            Scope.FLAG,
            settable=Settable.TYPED,
        ),
        Option(
            "print_config",
            "--print-config",
            types.SWITCH,
            "Print the value and the origin of every option, and fetch nothing.",
            Scope.FLAG,
            settable=Settable.TYPED,
        ),
    ),
    "Other": (
        Option(
            "version", "-V --version", types.SWITCH, "Print the version.", Scope.FLAG, settable=Settable.TYPED
        ),
    ),
}

OPTIONS = {option.name: option for options in GROUPED.values() for option in options}

DEFAULTS: dict[str, Any] = {
    name: default
    for struct in (FetchOptions, RunConfig)
    for name, default in zip(struct.__struct_fields__, struct.__struct_defaults__, strict=True)
    if name in OPTIONS
}
"""The default values of options that are fields of a configuration."""


def shown_default(option: Option) -> str | None:
    """Return the default as a user would write it, or None."""
    write = option.type.format
    return None if write is None else write(DEFAULTS[option.name])


def in_scope(*scopes: Scope) -> list[Option]:
    """Return the options of these scopes, in the order of the table."""
    return [option for option in OPTIONS.values() if option.scope in scopes]
