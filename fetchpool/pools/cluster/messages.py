"""The messages between the driver and its stations, as bytes.

In: commands for a station, or the report of one. Out: bytes, and from them the same values. The format is
MessagePack behind a version, like `wire.py`, whose messages are payloads here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec
from msgspec import Struct

from fetchpool.pools.wire import WireError

VERSION = 1


class Kind(IntEnum):
    """What a command is."""

    REQUESTS = 1
    """Requests to fetch, as in `wire.py`."""
    CANCEL = 2
    """Return the requests that were not started for the host that the payload names, or for all hosts."""
    PLACES = 3
    """Run so many fetches at once from now on: a serial number and the places, in decimal."""
    SPACED = 4
    """Hand back every redirect from now on; with an empty payload, as the options say."""
    HANG_UP = 5
    """Close idle connections to these addresses, one a line: another station needs them."""
    HOLD = 6
    """These hosts, one a line, were asked from another station until now: their spacing begins anew."""
    LOOK_UP = 7
    """Look up a host name."""


Command = tuple[int, bytes]


class Commands(Struct, array_like=True, frozen=True):
    """What the driver sends with one call."""

    version: int
    received: int
    """The number of the last report that has reached the driver."""
    interval: float
    """Seconds between two reports with outcomes: more with more stations, whose reports all pass through the
    cluster's scheduler and are read by one driver."""
    commands: Sequence[tuple[int, bytes]]


class Lookup(Struct, array_like=True, frozen=True):
    """The result of a DNS lookup at a station."""

    host: str
    addresses: list[tuple[int, str, int]] = []
    """Family, address and IPv6 scope."""
    error: str = ""
    kind: str = ""


class Report(Struct, array_like=True, frozen=True):
    """What a station sends."""

    version: int
    number: int
    """Reports count from 1: a gap means that one was lost."""
    settled: int
    """The serial number of the last command `PLACES` that has taken effect: no more fetches run."""
    cpu_seconds: float
    """CPU time of the worker's process."""
    outcomes: bytes = b""
    """A message of `wire.py`; empty in a mere sign of life."""
    lookups: list[Lookup] = []
    ended: str = ""
    """Why the station has ended by itself; empty while it works."""


class Opening(Struct, array_like=True, frozen=True):
    """What a station answers once it is opened, or why it was not."""

    fetchpool: str
    libcurl: str = ""
    cores: int = 0
    limit: int = 0
    """How many fetches its limit of open files allows."""
    refusal: str = ""
    """Why it can't work, in words."""


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
    """Return what an opened station says. Raises `WireError`."""
    try:
        return _decode_opening(data)
    except msgspec.DecodeError as error:
        raise WireError(f"not the answer of a station: {error}") from error


def _check(version: int) -> None:
    if version != VERSION:
        raise WireError(f"a message of version {version}, and this is version {VERSION}")
