"""Runs a station in a worker process, connected to the parent by a socket. In: frames from the parent. Out:
frames to the parent. The main thread runs the station, which reads and writes.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from functools import partial
from multiprocessing.connection import Connection
from socket import MSG_DONTWAIT, socket
from types import FrameType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.config import machine
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import NoThreadError
from fetchpool.pools.process.frames import FrameReader, Kind, frame
from fetchpool.pools.process.parent_pipe import end_with
from fetchpool.pools.process.parse_board import ParseBoard, ParseNotes

if TYPE_CHECKING:
    from fetchpool.pools.station import Station

GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
KEEPS_FOR = 1.5
"""Seconds for which an idle process keeps its connections."""
GC_THRESHOLD = 20_000
"""Number of new objects after which the garbage collector checks them: a fetch leaves no cycles behind."""


def run(
    places: int, options: FetchOptions, parent_pipe: Connection, channel: socket, board: ParseBoard
) -> None:
    """The target of the process: fetch the parent's requests until it closes the channel. The process also
    ends with the `parent_pipe`, when the parent closes it or dies."""
    ignore_group_signals()
    sys.excepthook = sys.__excepthook__
    try:
        end_with(parent_pipe)
        channel.sendall(frame(Kind.STARTED))
        serve(places, options, channel, board)
    except (NoThreadError, OSError):  # a traceback would name the place; the parent names the reason
        os._exit(1)


def serve(places: int, options: FetchOptions, channel: socket, board: ParseBoard) -> None:
    """Open a station, and pass it the messages from the channel."""
    # The parent imports this module but needs neither; the fork server has them.
    from fetchpool.pools.station import Station
    from fetchpool.transports import watchdog

    executor = "async" if options.transport == "curl" else "thread"
    capacity = machine.workers_within_limit(places, executor, options.transport)
    options = replace(options, few_descriptors=capacity.is_short)
    # Another process may need a connection to a host that accepts few, and an idle process can't be asked to
    # close its own.
    watchdog.shared().keeps_for = KEEPS_FOR
    gc.freeze()
    if not options.has_slow_parsers:  # a user's parser may leave responses in cycles
        gc.set_threshold(GC_THRESHOLD)
    station = Station(places, options, partial(send, channel), parses=ParseNotes(board), beat=board.sign)
    station.watch(channel.fileno(), Receiver(channel, station).receive)
    channel.sendall(frame(Kind.READY))
    run_station(station)


class Receiver:
    """Passes the parent's messages to the station."""

    def __init__(self, channel: socket, station: Station) -> None:
        self._channel = channel
        self._station = station
        self._reader = FrameReader()

    def receive(self) -> None:
        """Handle received messages, without waiting."""
        station = self._station
        try:
            count = self._channel.recv_into(self._reader.space, flags=MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not count:
            os._exit(1)  # the parent has ended
        for kind, payload in self._reader.received(count):
            if kind is Kind.REQUESTS:
                station.put(payload)
            elif kind is Kind.CANCEL:
                station.cancel(payload.decode("utf-8", "surrogatepass") or None)
            elif kind is Kind.PLACES:
                station.resize(int(payload))
            elif kind is Kind.SPACED:
                station.space_hops(bool(payload))
            elif kind is Kind.HANG_UP:
                station.hang_up(frozenset(payload.decode().split("\n")))
            elif kind is Kind.CLOSE:
                station.close()


def send(channel: socket, outcomes: bytes) -> None:
    """Send a message of the station to the parent."""
    channel.sendall(frame(Kind.OUTCOMES, outcomes))


def run_station(station: Station) -> None:
    """Run the station. Ends the process if it fails, so that its requests run in another one."""
    try:
        station.run()
    except OSError:  # the parent has ended
        os._exit(1)
    except BaseException:  # noqa: BLE001 - the parent notices that the process ends
        traceback.print_exc()
        os._exit(1)


def ignore_group_signals() -> None:
    """Ignore SIGINT and SIGTERM: a terminal's Ctrl-C, `timeout` and a service manager send them to the entire
    process group, and the parent handles them. They have a handler instead of SIG_IGN, which programs that a
    parser starts would inherit. A process that a parser forks handles them as usual."""
    for number in GROUP_SIGNALS:
        signal.signal(number, ignored)
    if hasattr(signal, "pthread_sigmask"):  # they may have been blocked until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
        os.register_at_fork(before=_before_fork, after_in_parent=_unblock, after_in_child=_restore)


def ignored(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by doing nothing."""


_masks = threading.local()


def _before_fork() -> None:
    """Block signals until the child can handle them, since Python drops those that arrive in a child before
    that."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)


def _restore() -> None:
    """Give signals their usual effect in a child, unless a parser has set another."""
    for number in GROUP_SIGNALS:
        if signal.getsignal(number) is ignored:
            signal.signal(number, signal.SIG_DFL)
    _unblock()


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)
