"""Examines and ends connections that belong to other code, by descriptor, with the help of the kernel."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from struct import unpack_from

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import FIONREAD

# struct tcp_info (linux/tcp.h): the state is its first byte, tcpi_last_data_recv, in milliseconds
# since the last data came, the twelfth 32-bit word after eight bytes. Both offsets are those of Linux 2.4.
TCP_INFO_SIZE = 56
LAST_DATA_RECV = 52
TCP_SYN_SENT = 2


def seconds_idle(descriptor: int) -> float:
    """Return the seconds since a socket received its last byte; 0 if bytes are waiting to be read (the worker
    is slow) or the connection is not established yet (another timeout applies); infinite if the kernel does
    not report it."""
    if sys.platform != "linux":
        return float("inf")
    try:
        with socket_from_fd(descriptor) as connection:
            waiting = bytearray(4)
            ioctl(descriptor, FIONREAD, waiting)
            if any(waiting):
                return 0.0
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
    except OSError:  # not TCP, or no longer connected
        return float("inf")
    if info[0] == TCP_SYN_SENT:
        return 0.0
    milliseconds: int = unpack_from("=I", info, LAST_DATA_RECV)[0]
    return milliseconds / 1000


def peer_of(descriptor: int) -> str:
    """Return the address that a socket is connected to; empty if it is not connected."""
    with contextlib.suppress(OSError), socket_from_fd(descriptor) as connection:
        return str(connection.getpeername()[0])
    return ""


def shut_down(descriptor: int) -> None:
    """Shut down a connection in both directions, which wakes the thread that waits for it; the descriptor
    stays open."""
    # An error means that the socket is not connected (any more), so no thread can wait on it.
    with contextlib.suppress(OSError), socket_from_fd(descriptor) as connection:
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def socket_from_fd(descriptor: int) -> Iterator[socket.socket]:
    """Wrap a borrowed descriptor in a socket object, without closing it afterwards. The address family makes
    no difference to the calls made here."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()
