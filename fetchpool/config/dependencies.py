"""What is installed on this machine, and what is done without it.

In: options that need a library, or a libcurl that was built with something. Out: the same, or what does
instead and a word about it, or a `UsageError` that says what to install or to use.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from fetchpool.config import validate
from fetchpool.model.errors import UsageError


def resolve_transport(transport: str, http_version: str, executor: str) -> tuple[str, tuple[str, ...]]:
    """The transport to use, and what to say when it isn't the one that was asked for."""
    problem = _pycurl_problem() if transport == "curl" else ""
    if http_version == "2" and transport == "requests":
        raise UsageError("--http2: requests speaks HTTP/1.1 only; leave it out, or use --transport curl")
    if executor == "async" and transport == "requests":
        raise UsageError(
            "--executor async: one thread waits on all of curl's transfers, and requests can't be waited on; "
            "use --transport curl, or --executor thread"
        )
    if executor == "async" and problem:
        raise UsageError(f"--executor async: needs pycurl, which {problem}")
    if http_version == "2" and problem:
        raise UsageError(f"--http2: needs pycurl, which {problem}")
    if problem:
        return "requests", (f"pycurl {problem}; fetching with requests, which is slower",)
    return transport, ()


def _pycurl_problem() -> str:
    """Why pycurl can't be used; empty when it can."""
    if find_spec("pycurl") is None:
        return "is not installed (pip install pycurl)"
    try:  # one that was built for another libcurl is found, and fails only here
        importlib.import_module("pycurl")
    except ImportError as error:
        return f"can't be loaded ({str(error).splitlines()[0] if str(error) else 'no reason given'})"
    return ""


def usable_proxy(address: str, transport: str) -> str:
    """A proxy's address, checked."""
    checked = validate.proxy(address)
    if checked.startswith("socks") and transport == "requests" and find_spec("socks") is None:
        raise UsageError(
            "--proxy: requests needs PySocks for this (pip install PySocks); or use --transport curl"
        )
    return checked


def usable_dns_servers(servers: str | None, transport: str) -> str:
    """The name servers to ask; empty for the system's."""
    if servers is None:
        return ""
    if transport != "curl":
        raise UsageError("--dns-servers: only --transport curl can ask other name servers than the system's")
    if "c-ares" not in importlib.import_module("pycurl").version:
        raise UsageError(
            "--dns-servers: this libcurl was built without c-ares and asks the system's name servers; "
            "use --resolve HOST:PORT:ADDR"
        )
    return servers
