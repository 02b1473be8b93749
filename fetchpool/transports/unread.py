"""Bytes that have come on a connection and that nobody has read: asked of the kernel.

In: a descriptor, or what the requests transport speaks over. Out: whether bytes wait. Nothing is read.
"""

from __future__ import annotations

import socket
import ssl
import sys
from typing import Any

from fetchpool.transports.sockets import socket_from_fd

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import FIONREAD

TCP_ESTABLISHED = 1
"""As TCP_INFO begins with it (linux/tcp.h)."""
BYTES_RECEIVED = 128
"""Where TCP_INFO has tcpi_bytes_received, 64 bits, since Linux 4.1."""
NOTHING = bytes(4)
LARGE = 1025
"""Bytes from which on `ioctl` keeps the interpreter to itself: a thread that had to wait for it again, for
milliseconds among many, would send its request long after it was seen that nothing waits."""


def has_unread(descriptor: int, answer: bytearray | None = None) -> bool:
    """Whether the kernel holds some. `answer`: `LARGE` bytes of one's own, for those who ask often."""
    try:
        if sys.platform == "linux":
            if answer is None:
                answer = bytearray(LARGE)
            ioctl(descriptor, FIONREAD, answer)
            return not answer.startswith(NOTHING)
        with socket_from_fd(descriptor) as connection:
            connection.setblocking(False)  # the system's flag, which both transports manage without
            return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False  # nothing, or it is closed, which is found when it is used


def is_farewell(descriptor: int) -> bool:
    """Whether what came was the last of it: some servers say 408 when they close an idle connection."""
    if sys.platform != "linux":
        return False
    try:
        with socket_from_fd(descriptor) as connection:
            return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED
    except OSError:
        return True


def received(descriptor: int) -> int | None:
    """How many bytes have ever come; None where the kernel doesn't tell."""
    if sys.platform != "linux":
        return None
    try:
        with socket_from_fd(descriptor) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED + 8)
    except OSError:
        return None
    return int.from_bytes(info[BYTES_RECEIVED:], sys.byteorder) if len(info) == BYTES_RECEIVED + 8 else None


def has_decrypted(connection: Any) -> bool:
    """Whether OpenSSL holds bytes of what was said over a `socket`, an `SSLSocket`, or urllib3's
    `SSLTransport`, which is TLS within TLS."""
    if isinstance(connection, ssl.SSLSocket):
        return connection.pending() > 0
    sslobj = getattr(connection, "sslobj", None)
    if sslobj is None:
        return False
    return sslobj.pending() > 0 or connection.incoming.pending > 0 or has_decrypted(connection.socket)
