"""Checks options that need an optional library, or a libcurl with a certain feature. In: such options. Out:
the same options, or a fallback and a message about it, or a `UsageError` that says what to install or use.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from fetchpool.config import validate
from fetchpool.model.errors import UsageError


def resolve_transport(transport: str, http_version: str, executor: str) -> tuple[str, tuple[str, ...]]:
    """Return the transport to use, and a message if it is not the requested one."""
    problem = _pycurl_problem() if transport == "curl" else ""
    if http_version in ("2", "3") and transport == "requests":
        raise UsageError(f"--http{http_version} requires --transport curl (requests supports HTTP/1.1 only)")
    if executor == "async" and transport == "requests":
        raise UsageError("--executor async requires --transport curl (requests is blocking)")
    if executor == "async" and problem:
        raise UsageError(f"--executor async requires pycurl, which {problem}")
    if http_version in ("2", "3") and problem:
        raise UsageError(f"--http{http_version} requires pycurl, which {problem}")
    if http_version == "3" and not _has_http3():
        raise UsageError("--http3 requires a libcurl built with HTTP/3, which this one is not; use --http2")
    if problem:
        return "requests", (f"pycurl {problem}; falling back to requests (slower)",)
    return transport, ()


def _pycurl_problem() -> str:
    """Return why pycurl can't be used; empty if it can."""
    if find_spec("pycurl") is None:
        return "is not installed (pip install pycurl)"
    try:  # pycurl built for another libcurl is found, but fails to import
        importlib.import_module("pycurl")
    except ImportError as error:
        return f"cannot be imported ({str(error).splitlines()[0] if str(error) else 'no message'})"
    return ""


def _has_http3() -> bool:
    pycurl = importlib.import_module("pycurl")
    flag = getattr(pycurl, "VERSION_HTTP3", 0)
    return bool(pycurl.version_info()[4] & flag)


def usable_proxy(address: str, transport: str) -> str:
    """Return the checked address of a proxy."""
    checked = validate.proxy(address)
    if checked.startswith("socks") and transport == "requests" and find_spec("socks") is None:
        raise UsageError(
            "--proxy: SOCKS with requests requires PySocks (pip install PySocks); or use --transport curl"
        )
    return checked


def usable_dns_servers(servers: str | None, transport: str) -> str:
    """Return the name servers to use; empty for the system's."""
    if servers is None:
        return ""
    if transport != "curl":
        raise UsageError("--dns-servers requires --transport curl")
    if "c-ares" not in importlib.import_module("pycurl").version:
        raise UsageError(
            "--dns-servers requires a libcurl built with c-ares, which this one is not; "
            "use --resolve HOST:PORT:ADDR"
        )
    return servers
