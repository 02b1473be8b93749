"""The proxy that everything goes through: where it is, and what it is shown.

In: `FetchOptions.proxy`, which was checked when it was given. Out: a `Proxy`. It opens no connection.
"""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote, urlsplit

from msgspec import Struct

DEFAULT_PORTS = {"https": 443}
"""Any other kind of proxy without a port is at 1080, as in curl (CURLOPT_PROXY)."""


class Proxy(Struct, frozen=True):
    """Where `FetchOptions.proxy` says that everything goes through."""

    scheme: str
    """`http`, `https`, `socks5` (names are resolved here) or `socks5h` (by the proxy)."""
    host: str
    """Without brackets."""
    port: int
    username: str
    password: str

    @property
    def socks(self) -> bool:
        """It knows nothing of HTTP."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str:
        """The header line that an HTTP proxy is shown (RFC 7617); empty without a user name."""
        if not self.username:
            return ""
        credentials = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return f"Proxy-Authorization: Basic {credentials}\r\n"


def proxy_of(text: str | None) -> Proxy | None:
    """Without a scheme it is `http`."""
    if not text:
        return None
    parts = urlsplit(text if "://" in text else f"http://{text}")
    return Proxy(
        parts.scheme,
        parts.hostname or "",
        parts.port or DEFAULT_PORTS.get(parts.scheme, 1080),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
