"""Commands that steer a run, and the state and settings that they change. In: a user's action on the web page
or by a key. Out: a command, for `Engine.steer()`. The origin is not part of a command. `config/steering.py`
checks and reads them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

AUTO: Literal["auto"] = "auto"


class Pause(Struct, frozen=True, tag="pause", forbid_unknown_fields=True):
    """Start nothing more; the requests in flight complete. Delays pass, retries become due, and
    `--max-runtime` continues."""


class Resume(Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Continue after a pause, or cancel a `Stop` while requests are still in flight."""


class Resize(Struct, frozen=True, tag="resize", forbid_unknown_fields=True):
    """Change the number of concurrent fetches (`--workers`)."""

    workers: int | Literal["auto"]


class Rate(Struct, frozen=True, tag="rate", forbid_unknown_fields=True):
    """Change the request rate (`--rate`), per second; None is no limit."""

    rate: float | None


class PerHost(Struct, frozen=True, tag="per_host", forbid_unknown_fields=True):
    """Change the number of concurrent fetches per host (`--per-host`); None is no limit."""

    limit: int | None


class Stop(Struct, frozen=True, tag="stop", forbid_unknown_fields=True):
    """Start nothing more; the run ends when the requests in flight have completed."""


class Abort(Struct, frozen=True, tag="abort", forbid_unknown_fields=True):
    """Cancel the requests in flight, too. They get no row."""


Command = Pause | Resume | Resize | Rate | PerHost | Stop | Abort


class State(StrEnum):
    """The current state of a run."""

    RUNNING = "running"
    PAUSING = "pausing"
    """Nothing starts; requests are in flight."""
    PAUSED = "paused"
    """Nothing starts, and nothing is in flight."""
    STOPPING = "stopping"
    """Nothing starts; the run ends when the requests in flight have ended."""
    ENDED = "ended"


class Settings(Struct, frozen=True):
    """The settings that commands change, at one moment."""

    workers: int | Literal["auto"]
    """The number of concurrent fetches, or `auto` while it is adapted."""
    ceiling: int
    """The upper limit of the number of workers."""
    rate: float | None
    """Requests per second over all hosts; None is no limit."""
    per_host: int | None
    """Concurrent fetches per host; None is no limit."""
