"""Options of the group "Request": what is sent, and which connections are made."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Secret, Settable

OPTIONS: tuple[Option, ...] = (
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
        "Header to send: 'Name: value', 'Name;' for an empty value, or @FILE for the headers in FILE. Not "
        "sent to other origins after a redirect. Repeatable.",
        Scope.POOL,
        secret=Secret.HEADER,
    ),
    Option(
        "cookie",
        "-b --cookie TEXT|FILE",
        types.COOKIE,
        "Cookies to send: 'name=value; name=value' for every URL, or a FILE of cookies (Netscape format), "
        "each for its own site. Repeatable.",
        Scope.POOL,
        secret=Secret.COOKIE,
    ),
    Option(
        "cookie_jar",
        "-c --cookie-jar FILE",
        types.COOKIE_JAR,
        "Share cookies from servers among all URLs, and write them to FILE at the end. By default, "
        "a cookie is only sent while following the redirects of the URL that received it.",
    ),
    Option("referer", "-e --referer URL", types.REFERER, "Referer header to send.", Scope.POOL),
    Option(
        "range",
        "--range RANGE",
        types.RANGE,
        "Bytes to request: 0-499, -500 (the last 500) or 9500- (from there to the end).",
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
        "Use no proxy for these hosts, domains and networks (10.0.0.0/8); '*' matches all.",
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
        "Private key of --cert, if it is in a separate file.",
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
        "Receive at most SIZE bytes of bodies per second over all transfers; 0 is no limit.",
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
        "HTTP version: 1.1, or 2 or 3 (curl only). By default, the highest version that both sides support.",
        Scope.POOL,
    ),
)
