"""Checks the options of the web page: where it listens, and by which names it may be reached.

In: the options as typed, and the environment. Out: `WebOptions`, or a `UsageError` of one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from msgspec import Struct

from fetchpool.model.errors import UsageError

DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8642
WEB_OPTIONS = ("web", "web_listen", "web_host", "web_read_only")
TOKEN_VARIABLE = "FETCHPOOL_WEB_TOKEN"

_LISTEN = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):)?(\d{1,5})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class WebOptions(Struct, frozen=True, kw_only=True):
    """The options of the web page."""

    address: str = DEFAULT_ADDRESS
    port: int = DEFAULT_PORT
    """0 for any free port."""
    any_port: bool = True
    """Whether another port may be used if this one is taken."""
    names: tuple[str, ...] = ()
    """Additional names by which the page may be reached, in lower case, possibly with a port."""
    read_only: bool = False
    token: str = ""
    """The token for scripts; empty if there is none."""


def web_options(
    web: bool,
    web_listen: str | None,
    web_host: Sequence[str] | None,
    web_read_only: bool,
    environment: Mapping[str, str],
) -> WebOptions | None:
    """Return the options of the web page; None if no option asks for it. Each of them does. Raises
    `UsageError`."""
    if not (web or web_listen is not None or web_host or web_read_only):
        return None
    address, port = DEFAULT_ADDRESS, DEFAULT_PORT
    if web_listen is not None:
        address, port = web_address(web_listen)
    token = environment.get(TOKEN_VARIABLE, "")
    if token and not _TOKEN.fullmatch(token):
        raise UsageError(f"{TOKEN_VARIABLE}: expected ASCII characters without spaces")
    return WebOptions(
        address=address,
        port=port,
        any_port=web_listen is None,
        names=tuple(map(web_name, web_host or ())),
        read_only=web_read_only,
        token=token,
    )


def web_address(value: str) -> tuple[str, int]:
    """Return the address and port of `[HOST:]PORT`. Raises `UsageError`."""
    match = _LISTEN.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise UsageError(f"--web-listen: {value!r} is not [HOST:]PORT, such as 8642 or 127.0.0.1:8642")
    host = (match[1] or DEFAULT_ADDRESS).strip("[]")
    if host.lower() == "localhost":
        host = DEFAULT_ADDRESS
    try:
        return str(ip_address(host)), int(match[2])
    except ValueError:
        raise UsageError(
            f"--web-listen: {host!r} is not an address of this machine, such as 127.0.0.1; "
            "use --web-host for a name"
        ) from None


def web_name(value: str) -> str:
    """Return a host name, possibly with a port, in lower case. Raises `UsageError`."""
    if not _NAME.fullmatch(value):
        raise UsageError(
            f"--web-host: {value!r} is not a host name, such as fetch.example.org or localhost:9000"
        )
    return value.lower()
