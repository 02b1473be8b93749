"""Durations and sizes as people write them: `500ms`, `2m`, `10M`.

In: text from a flag, or a number from a program. Out: seconds or bytes, or a `ValueError` whose
message says what would do. No option names, no defaults, no I/O.
"""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""A number without a unit is seconds, as in curl."""
BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
"""Binary multiples in either case, as for curl's `--max-filesize`: 1M is 1048576 bytes."""

MAX_SECONDS = 365 * 86400.0
"""More than anyone waits: beyond it, it is a slip of the keyboard."""
MAX_BYTES = 1 << 62

_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([A-Za-z]*)", re.ASCII)


def duration(value: str | float) -> float:
    """Seconds from `10`, `1.5s`, `500ms`, `2m`, `1h` or `1d`; a number is seconds already.

    Zero is allowed; whoever can't take it says so. Raises `ValueError`.
    """
    if isinstance(value, str):
        number, unit = _split(value, "a duration; write 500ms, 10s, 2m, 1h or 1d")
        if unit not in SECONDS:  # case counts: M could be months, and nothing else is written so
            raise ValueError(f"{value!r} is not a duration; write 500ms, 10s, 2m, 1h or 1d")
        seconds = number * SECONDS[unit]
    else:
        seconds = float(value)
    if not 0 <= seconds <= MAX_SECONDS:  # false for nan as well
        raise ValueError(f"{value!r} is out of range; a duration is between 0 and 365d")
    return seconds


def size(value: str | int) -> int:
    """Bytes from `4096`, `512k`, `10M`, `1.5G` or `1T`; a number is bytes already.

    Zero is allowed; whoever can't take it says so. Raises `ValueError`.
    """
    if isinstance(value, str):
        number, unit = _split(value, "a size; write 512k, 10M or 1G (1M is 1048576 bytes)")
        if unit.lower() not in BYTES:  # "MB" too: a million to some, 1048576 to others
            raise ValueError(f"{value!r} is not a size; write 512k, 10M or 1G (1M is 1048576 bytes)")
        count = int(number * BYTES[unit.lower()])
    else:
        count = value
    if not 0 <= count <= MAX_BYTES:
        raise ValueError(f"{value!r} is out of range; a size is between 0 and 4194304T")
    return count


def format_duration(seconds: float) -> str:
    """The shortest text that `duration()` reads as so many seconds, but for days: `5m`, `500ms`, `0`."""
    for unit in ("h", "m", "s", "ms"):
        number = seconds / SECONDS[unit]
        if number >= 1 and number == int(number):
            return f"{int(number)}{unit}"
    return f"{seconds:g}s" if seconds else "0"


def format_size(count: int) -> str:
    """The shortest text that `size()` reads as so many bytes: `1G`, `100`, `0`."""
    for unit in ("t", "g", "m", "k"):
        if count and count % BYTES[unit] == 0:
            return f"{count // BYTES[unit]}{unit if unit == 'k' else unit.upper()}"
    return str(count)


PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of the time a rate is over."""


def rate(value: str | float) -> float:
    """Times per second from `10/s`, `30/m` or `1000/h`; a number is per second already. In text the
    unit must be there: ten a minute is not ten a second. 0 is no limit.

    Raises `ValueError`.
    """
    if isinstance(value, str) and value != "0":
        number, slash, unit = value.partition("/")
        if not slash or unit not in PER or not (match := _NUMBER_AND_UNIT.fullmatch(number)) or match[2]:
            raise ValueError(f"{value!r} is not a rate; write 10/s, 30/m or 1000/h")
        per_second = float(match[1]) / PER[unit]
    else:
        per_second = float(value)
    if not 0 <= per_second <= 1e6:
        raise ValueError(f"{value!r} is out of range; a rate is between 0 and 1000000/s")
    return per_second


def whole(value: str | int, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`, both included. Raises `ValueError`."""
    span = f"from {low} to {high}" if high is not None else f"from {low} up"
    text = str(value)
    # bool is an int to Python, but `workers=True` is a slip; `isdecimal` refuses "1_000", "+1", " 1".
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError(f"{value!r} is not a whole number {span}")
    number = int(text)
    if number < low or (high is not None and number > high):
        raise ValueError(f"{number} is out of range; a whole number {span} would do")
    return number


def _split(text: str, wanted: str) -> tuple[float, str]:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not {wanted}")
    return float(match[1]), match[2]
