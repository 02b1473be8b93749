"""Messages from the run to the process of its web page: one JSON object per line, on its standard input.
`Start` is the first line, followed by snapshots, notices and links; `End` is the last. Commands
(`config/steering.py`), one per line, go in the other direction.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Access(Struct, frozen=True, kw_only=True):
    """Who may use the page."""

    port: int
    hosts: tuple[str, ...]
    """The values of the Host header that are accepted, in lower case."""
    origins: tuple[str, ...]
    """The values of the Origin header that are accepted."""
    any_address: bool = False
    """Whether the page listens on all addresses. Then each of them is accepted as a host, too."""
    links: tuple[str, ...] = ()
    """Tokens of links, each of which works once."""
    bearer: str = ""
    """The token for scripts; empty if there is none."""
    read_only: bool = False


class RunInfo(Struct, frozen=True, kw_only=True):
    """The facts about a run when it begins (`/api/run`)."""

    version: str
    command: str
    """The command line, without secrets; empty if it may contain some."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    executor: str
    transport: str
    started: float
    """Seconds since 1970."""
    pid: int
    ceiling: int
    """The upper limit of the number of workers."""
    read_only: bool
    time_bounds: tuple[float, ...]
    """Upper bounds of the buckets of the snapshot's `times`, in seconds; the last bucket has none."""
    size_bounds: tuple[int, ...]
    """Upper bounds of the buckets of the snapshot's `sizes`, in bytes; the last bucket has none."""


class Start(Struct, frozen=True, tag="start"):
    """The first message."""

    access: Access
    run: RunInfo


class Link(Struct, frozen=True, tag="link"):
    """A token for another link."""

    token: str
    read_only: bool = False
    """Whether a browser that uses it may only view the run."""


class Update(Struct, frozen=True, tag="snapshot"):
    """The newest snapshot, as `progress/snapshot_json.py` encodes it."""

    snapshot: msgspec.Raw


class Notice(Struct, frozen=True, tag="notice"):
    """A line for the user, and when it was written (seconds since 1970)."""

    time: float
    text: str


class End(Struct, frozen=True, tag="end"):
    """The run has ended. The last snapshot was sent before."""

    exit_code: int
    summary: tuple[str, ...]


Message = Start | Link | Update | Notice | End

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return a message as a line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line from `encode()`."""
    return _decoder.decode(line)
