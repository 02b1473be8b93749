"""Rejects connections to addresses that are not public (`--public-only`)."""

from __future__ import annotations

import os
import socket
from typing import Any

import pycurl

from fetchpool.model.addresses import address_is_public
from fetchpool.transports.base import Failure
from fetchpool.transports.curl.errors import socket_failure


class AddressFilter:
    """Opens libcurl's sockets, and checks each address that libcurl connects to, whatever name or spelling
    led to the address (faults 31 to 33)."""

    __slots__ = ("failure", "forbidden")

    def __init__(self) -> None:
        self.forbidden = ""
        """The last address that was rejected."""
        self.failure: Failure | None = None
        """Why no socket could be opened."""

    def reset(self) -> None:
        """Clear the results of the previous hop."""
        self.forbidden = ""
        self.failure = None

    def open_socket(self, _purpose: int, address: tuple[int, int, int, Any]) -> socket.SocketType | int:
        """Handle libcurl's OPENSOCKETFUNCTION callback."""
        family, kind, protocol, where = address
        if not address_is_public(where[0]):
            self.forbidden = where[0]  # another address of the same name may be public
            return pycurl.SOCKET_BAD
        try:
            # Not the socket module's own class, whose repr() pycurl would call: this saves 15 µs.
            connection = socket.SocketType(family, kind, protocol)
            os.close(os.dup(connection.fileno()))  # pycurl does so too, without reporting why it fails
            return connection
        except OSError as error:  # no descriptors left: not the host's fault
            self.failure = socket_failure(error)
            return pycurl.SOCKET_BAD
