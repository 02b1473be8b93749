"""Opens the socket on which the web page listens, and determines the names by which it can be reached.

In: the options. Out: a listening socket, opened before the run starts so that its errors stop the command,
and who may use the page.
"""

from __future__ import annotations

import secrets
import socket
from ipaddress import ip_address

from fetchpool.config.web_options import WebOptions
from fetchpool.model.errors import UsageError
from fetchpool.web.messages import Access

BACKLOG = 128
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def listen(options: WebOptions) -> socket.socket:
    """Return a listening socket. Raises `UsageError`."""
    try:
        return _listen(options.address, options.port)
    except OSError as error:
        if options.any_port:
            return _listen(options.address, 0)
        where = _literal(options.address)
        raise UsageError(
            f"--web-listen: can't listen on {where}:{options.port} ({error.strerror}); "
            "another port may be free, 0 is any free one"
        ) from None


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that say they are TCP: 40 ms for each response.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def access(options: WebOptions, port: int) -> Access:
    """Return who may use the page that listens on this port, with a token for one link."""
    own = ip_address(options.address)
    literal = [*(LOOPBACK if own.is_loopback or own.is_unspecified else ()), _literal(options.address)]
    hosts = [f"{name}:{port}" for name in literal]
    if port == 80:
        hosts += literal
    others = [
        each for name in options.names for each in ([name] if ":" in name else [name, f"{name}:{port}"])
    ]
    return Access(
        port=port,
        hosts=(*hosts, *others),
        # Another name may be that of a proxy that terminates TLS.
        origins=(*(f"http://{host}" for host in (*hosts, *others)), *(f"https://{host}" for host in others)),
        any_address=own.is_unspecified,
        links=(new_token(),),
        bearer=options.token,
        read_only=options.read_only,
    )


def new_token() -> str:
    """Return a token that can't be guessed."""
    return secrets.token_urlsafe(32)


def link(options: WebOptions, port: int, token: str) -> str:
    """Return the link that logs a browser in, once."""
    own = ip_address(options.address)
    host = options.names[0] if options.names and not own.is_loopback else ""
    host = host or (LOOPBACK[0] if own.is_unspecified else _literal(options.address))
    return f"http://{host if ':' in host.rpartition(']')[2] else f'{host}:{port}'}/?token={token}"


def warning(options: WebOptions, port: int) -> str:
    """Return a warning for a page that other machines can reach; empty for any other page."""
    if ip_address(options.address).is_loopback:
        return ""
    return (
        "other machines can reach the web page, and the connection is not encrypted; it is safer to use "
        f"--web alone, and on the other machine ssh -L {port}:127.0.0.1:{port} HOST"
    )


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address
