"""Asks the kernel whether unread bytes wait on a connection.

In: a descriptor. Out: whether bytes wait. Nothing is read.
"""

from __future__ import annotations

import socket
import sys
from array import array
from typing import TypeAlias

from fetchpool.transports.sockets import socket_from_fd

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import FIONREAD

TCP_ESTABLISHED = 1
"""The first byte of TCP_INFO (linux/tcp.h)."""
BYTES_RECEIVED = 128
"""Offset of tcpi_bytes_received in TCP_INFO, 64 bits, since Linux 4.1."""
LARGE = 257
"""Number of integers in the buffer for `ioctl`, which holds the GIL for more than 1,024 bytes: a thread that
had to reacquire the GIL, which takes milliseconds among many threads, would send its request long after this
check."""
Buffer: TypeAlias = "array[int]"
"""A buffer for `ioctl`; the first integer is the result."""


def new_buffer() -> Buffer:
    """Return a buffer for `has_unread()`, to be reused within a thread."""
    return array("i", [0]) * LARGE


if sys.platform == "linux":

    def has_unread(descriptor: int, buffer: Buffer | None = None) -> bool:
        """Whether the kernel holds unread bytes. `buffer`: a reusable buffer."""
        if buffer is None:
            buffer = new_buffer()
        try:
            ioctl(descriptor, FIONREAD, buffer)
        except OSError:
            return False  # the connection is closed, which its next use finds
        return buffer[0] > 0

else:

    def has_unread(descriptor: int, buffer: Buffer | None = None) -> bool:  # noqa: ARG001 - as on Linux
        """Whether the kernel holds unread bytes."""
        try:
            with socket_from_fd(descriptor) as connection:
                connection.setblocking(False)  # the system's flag, which both transports can do without
                return bool(connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False  # nothing is waiting, or the connection is closed, which its next use will find


def is_closed_by_server(descriptor: int) -> bool:
    """Whether the server has closed the connection: some servers send 408 when they close an idle one."""
    if sys.platform != "linux":
        return False
    try:
        with socket_from_fd(descriptor) as connection:
            return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED
    except OSError:
        return True


def received(descriptor: int) -> int | None:
    """Return the number of bytes that the connection has received; None if the kernel does not report it."""
    if sys.platform != "linux":
        return None
    try:
        with socket_from_fd(descriptor) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED + 8)
    except OSError:
        return None
    return int.from_bytes(info[BYTES_RECEIVED:], sys.byteorder) if len(info) == BYTES_RECEIVED + 8 else None
