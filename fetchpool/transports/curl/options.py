"""The options of an easy handle: those that are set once, and the values of those that change per hop.

libcurl follows no redirects, decodes nothing, and reads neither `.netrc` nor the environment.
"""

from __future__ import annotations

import os

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.transports.curl.resolve_cache import cache_timeout
from fetchpool.transports.curl.trace import traces_frames

HTTP_VERSIONS = {
    "": pycurl.CURL_HTTP_VERSION_2TLS,
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2_0,
    "3": pycurl.CURL_HTTP_VERSION_3,
}
TLS_MIN = {
    "": pycurl.SSLVERSION_DEFAULT,
    "1.2": pycurl.SSLVERSION_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3,
}
TLS_MAX = {"": 0, "1.2": pycurl.SSLVERSION_MAX_TLSv1_2, "1.3": pycurl.SSLVERSION_MAX_TLSv1_3}
IP_VERSIONS = {"4": pycurl.IPRESOLVE_V4, "6": pycurl.IPRESOLVE_V6}
SUPPRESS_CONNECT_HEADERS = 265
"""CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for: a proxy's response to CONNECT is not the
server's."""


def new_curl(options: FetchOptions) -> pycurl.Curl:
    """Return an easy handle with all options that are the same for every hop."""
    curl = pycurl.Curl()
    setopt = curl.setopt
    setopt(pycurl.NOSIGNAL, 1)  # timeouts by signals do not work with threads
    setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    setopt(pycurl.PATH_AS_IS, 1)  # the URL parser has normalised it already
    setopt(pycurl.HTTP_VERSION, http_version(options))
    setopt(pycurl.HTTP_CONTENT_DECODING, 0)
    setopt(SUPPRESS_CONNECT_HEADERS, 1)
    setopt(pycurl.BUFFERSIZE, options.buffersize)
    setopt(pycurl.DNS_CACHE_TIMEOUT, cache_timeout(options))
    setopt(pycurl.NOPROXY, "")  # ignores the environment's no_proxy (fault 27)
    if options.dns_servers:
        setopt(pycurl.DNS_SERVERS, options.dns_servers)
    if options.cacert is not None:
        setopt(pycurl.CAINFO, os.fsencode(options.cacert))
    if options.cert is not None:
        setopt(pycurl.SSLCERT, os.fsencode(options.cert))
        setopt(pycurl.SSLKEY, os.fsencode(options.key or options.cert))
        setopt(pycurl.KEYPASSWD, options.key_password)
    if options.tls_min or options.tls_max:
        setopt(pycurl.SSLVERSION, TLS_MIN[options.tls_min] | TLS_MAX[options.tls_max])
    if options.ip_version:  # for proxies, and for names that libcurl resolves itself
        setopt(pycurl.IPRESOLVE, IP_VERSIONS[options.ip_version])
    if options.interface:
        kind = "host" if options.interface[0].isdigit() or ":" in options.interface else "if"
        setopt(pycurl.INTERFACE, f"{kind}!{options.interface}")
    if options.insecure:
        setopt(pycurl.SSL_VERIFYPEER, 0)
        setopt(pycurl.SSL_VERIFYHOST, 0)
    return curl


def http_version(options: FetchOptions) -> int:
    """Return the HTTP version to offer: HTTP/2 by default only if a complete response can be distinguished
    from a truncated one."""
    traced = traces_frames()  # has to be called for an explicit version, too
    return HTTP_VERSIONS[options.http_version or ("" if traced else "1.1")]


def header_lines(headers: tuple[tuple[str, str], ...]) -> list[bytes]:
    """Return the headers as CURLOPT_HTTPHEADER takes them: `Name: value`, `Name;` for an empty value, and
    `Name:` for the headers that libcurl would add by itself."""
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    named = {name.lower() for name, _ in headers}
    lines += [f"{name}:" for name in ("Accept", "User-Agent", "Expect") if name.lower() not in named]
    return [line.encode("latin-1") for line in lines]  # a cookie's bytes are sent as they were received


def milliseconds(seconds: float) -> int:
    """Convert to a value for libcurl's `_MS` options: at least 1, since 0 stands for the default or none."""
    return max(1, round(seconds * 1000))
