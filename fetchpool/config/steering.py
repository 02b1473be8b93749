"""Checks the commands that steer a run, with the same checks and messages as the options.

In: settings as users write them (`"30/m"`), or a command as JSON. Out: a `Command`, or a `UsageError` of one
line. The module imports nothing that only a run needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from fetchpool.config import units
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import AUTO, Command, PerHost, Rate, Resize

MAX_WORKERS = 10_000
MAX_CLUSTER_WORKERS = 100_000
MAX_MESSAGE = 1024
"""Maximum size of a command in bytes."""

_Checked = TypeVar("_Checked")
_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def workers(value: Any, most: int = MAX_WORKERS) -> int | Literal["auto"]:
    """Return a number of workers, at most `most`, or `auto`."""
    if value == AUTO:
        return AUTO
    if isinstance(value, str) and not value.isdecimal():
        raise UsageError(f"--workers: {value!r} is neither an integer from 1 to {most} nor auto")
    return _checked("--workers", lambda given: units.integer(given, 1, most), value)


def _rate(value: Any) -> float | None:
    return None if value is None else _checked("--rate", units.rate, value) or None


def _per_host(value: Any) -> int | None:
    return None if value is None else _checked("--per-host", _limit, value) or None


def _limit(value: int | str) -> int:
    return units.integer(value, 0)


SETTINGS: dict[str, Callable[[Any], Command]] = {
    "workers": lambda value: Resize(workers(value)),
    "rate": lambda value: Rate(_rate(value)),
    "per_host": lambda value: PerHost(_per_host(value)),
}
"""The command for a new value of a setting, by its name."""


def settings(given: Mapping[str, Any]) -> list[Command]:
    """Return the commands for new values, such as `{"workers": 50, "rate": "10/s"}`. For a limit, 0 and None
    are no limit. Raises `UsageError` at the first that is invalid, or if there are none."""
    if unknown := [name for name in given if name not in SETTINGS]:
        raise UsageError(f"unknown setting {unknown[0]!r}; the settings are: {', '.join(SETTINGS)}")
    if not given:
        raise UsageError(f"no setting to change; the settings are: {', '.join(SETTINGS)}")
    return [SETTINGS[name](value) for name, value in given.items()]


def encode(command: Command) -> bytes:
    """Return a command as JSON: `{"type":"resize","workers":50}`."""
    return msgspec.json.encode(command)


def decode(message: bytes) -> Command:
    """Return the command of a message of `encode()`. Raises `UsageError` for any other."""
    if len(message) > MAX_MESSAGE:
        raise UsageError(f"not a command: more than {MAX_MESSAGE} bytes")
    try:
        command = _decoder.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not a command: {error}") from None
    match command:
        case Resize(workers=value):
            return Resize(workers(value))
        case Rate(rate=value):
            return Rate(_rate(value))
        case PerHost(limit=value):
            return PerHost(_per_host(value))
    return command


def _checked(option: str, check: Callable[[Any], _Checked], value: Any) -> _Checked:
    try:
        return check(value)
    except (ValueError, TypeError) as error:  # TypeError: a list instead of a number, for example
        raise UsageError(f"{option}: {error}") from None
