"""Encodes and decodes the messages between the driver and its stations.

In: commands for a station, or a station's report. Out: bytes, and the same values again from them. The format
is MessagePack behind a version, like `wire.py`, whose messages are payloads here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec
from msgspec import Struct

from fetchpool.pools.wire import WireError

VERSION = 1


class Kind(IntEnum):
    """The kind of a command."""

    REQUESTS = 1
    """Requests to fetch, as in `wire.py`."""
    CANCEL = 2
    """Return the requests that have not started, for the host in the payload or, if it is empty, for all
    hosts."""
    PLACES = 3
    """Run this many fetches at once from now on: a serial number and the places, in decimal."""
    SPACED = 4
    """Return every redirect to the driver from now on; with an empty payload, only those that the options
    say."""
    HANG_UP = 5
    """Close idle connections to these addresses, one per line, because another station needs them."""
    HOLD = 6
    """Restart the spacing of these hosts, one per line: another station has sent requests to them until
    now."""
    LOOK_UP = 7
    """Look up a host name."""


Command = tuple[int, bytes]


class Commands(Struct, array_like=True, frozen=True):
    """The commands that the driver sends in one call."""

    version: int
    received: int
    """The number of the last report that has reached the driver."""
    interval: float
    """Seconds between two reports with outcomes. It grows with the number of stations, since all reports pass
    through the cluster's scheduler and are read by one driver."""
    commands: Sequence[tuple[int, bytes]]


class Lookup(Struct, array_like=True, frozen=True):
    """The result of a DNS lookup at a station."""

    host: str
    addresses: list[tuple[int, str, int]] = []
    """Family, address and IPv6 scope."""
    error: str = ""
    kind: str = ""


class Report(Struct, array_like=True, frozen=True):
    """A report of a station."""

    version: int
    number: int
    """Reports are numbered from 1; a gap means that one was lost."""
    settled: int
    """The serial number of the last `PLACES` command that has taken effect: no more fetches are running than
    it allows."""
    cpu_seconds: float
    """CPU time of the worker's process since the station was opened."""
    outcomes: bytes = b""
    """A message of `wire.py`; empty if the report is only a sign of life."""
    lookups: list[Lookup] = []
    ended: str = ""
    """Why the station has ended; empty while it works."""


class Opening(Struct, array_like=True, frozen=True):
    """A station's response when it is opened, or the reason why it can't be."""

    fetchpool: str
    limit: int = 0
    """The number of fetches that the limit of open files allows."""
    refusal: str = ""
    """Why the station can't work, as a message for the user."""


_encode = msgspec.msgpack.Encoder().encode
_decode_commands = msgspec.msgpack.Decoder(Commands).decode
_decode_report = msgspec.msgpack.Decoder(Report).decode
_decode_opening = msgspec.msgpack.Decoder(Opening).decode


def encode(message: Commands | Report | Opening) -> bytes:
    """Return a message as bytes."""
    return _encode(message)


def decode_commands(data: bytes) -> Commands:
    """Return the commands of a call. Raises `WireError`."""
    try:
        message = _decode_commands(data)
    except msgspec.DecodeError as error:
        raise WireError(f"not commands of version {VERSION}: {error}") from error
    _check(message.version)
    return message


def decode_report(data: bytes) -> Report:
    """Return the report of a station. Raises `WireError`."""
    try:
        message = _decode_report(data)
    except msgspec.DecodeError as error:
        raise WireError(f"not a report of version {VERSION}: {error}") from error
    _check(message.version)
    return message


def decode_opening(data: bytes) -> Opening:
    """Return the response of an opened station. Raises `WireError`."""
    try:
        return _decode_opening(data)
    except msgspec.DecodeError as error:
        raise WireError(f"not the answer of a station: {error}") from error


def _check(version: int) -> None:
    if version != VERSION:
        raise WireError(f"a message of version {version}, and this is version {VERSION}")
