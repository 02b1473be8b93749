"""Durations, sizes, rates and integers as users write them: `500ms`, `10M`, `30/m`.

In: text, or a number from a program. Out: a number, or a `ValueError` whose message says what is expected. No
option names, no defaults, no I/O.
"""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds per unit. A number without a unit is seconds, as in curl."""
BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
"""Bytes per unit: binary multiples in either case, as for curl's `--max-filesize` (1M is 1048576 bytes)."""

MAX_SECONDS = 365 * 86400.0
"""A longer duration is most likely a typing error."""
MAX_BYTES = 1 << 62

_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([A-Za-z]*)", re.ASCII)


def duration(value: str | float) -> float:
    """Return the seconds of `10`, `1.5s`, `500ms`, `2m`, `1h` or `1d`; a number is in seconds.

    Zero is allowed. Raises `ValueError`.
    """
    if isinstance(value, str):
        number, unit = _split(value, "a duration; write 500ms, 10s, 2m, 1h or 1d")
        if unit not in SECONDS:  # case matters: M could be months
            raise ValueError(f"{value!r} is not a duration; write 500ms, 10s, 2m, 1h or 1d")
        seconds = number * SECONDS[unit]
    else:
        seconds = float(value)
    if not 0 <= seconds <= MAX_SECONDS:  # false for nan as well
        raise ValueError(f"{value!r} is out of range; a duration is between 0 and 365d")
    return seconds


def size(value: str | int) -> int:
    """Return the bytes of `4096`, `512k`, `10M`, `1.5G` or `1T`; a number is in bytes.

    Zero is allowed. Raises `ValueError`.
    """
    if isinstance(value, str):
        number, unit = _split(value, "a size; write 512k, 10M or 1G (1M is 1048576 bytes)")
        if unit.lower() not in BYTES:  # "MB" is ambiguous: 1000000 or 1048576 bytes
            raise ValueError(f"{value!r} is not a size; write 512k, 10M or 1G (1M is 1048576 bytes)")
        count = int(number * BYTES[unit.lower()])
    else:
        count = value
    if not 0 <= count <= MAX_BYTES:
        raise ValueError(f"{value!r} is out of range; a size is between 0 and 4194304T")
    return count


def format_duration(seconds: float) -> str:
    """Return the shortest text for a duration, up to hours: `5m`, `500ms`, `0`."""
    for unit in ("h", "m", "s", "ms"):
        number = seconds / SECONDS[unit]
        if number >= 1 and number == int(number):
            return f"{int(number)}{unit}"
    return f"{seconds:g}s" if seconds else "0"


def format_size(count: int) -> str:
    """Return the shortest text for a size: `1G`, `100`, `0`."""
    for unit in ("t", "g", "m", "k"):
        if count and count % BYTES[unit] == 0:
            return f"{count // BYTES[unit]}{unit if unit == 'k' else unit.upper()}"
    return str(count)


PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds per unit of a rate."""


def rate(value: str | float) -> float:
    """Return the rate per second of `10/s`, `30/m` or `1000/h`; a number is per second. Text needs a unit,
    except for 0, which is no limit. Raises `ValueError`.
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


def integer(value: str | int, low: int, high: int | None = None) -> int:
    """Return an integer from `low` to `high`, both included. Raises `ValueError`."""
    allowed = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
    text = str(value)
    # bool is an int in Python, but `workers=True` is a mistake; `isdecimal` rejects "1_000", "+1", " 1".
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError(f"{value!r} is not {allowed}")
    number = int(text)
    if number < low or (high is not None and number > high):
        raise ValueError(f"{number} is not {allowed}")
    return number


def _split(text: str, wanted: str) -> tuple[float, str]:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not {wanted}")
    return float(match[1]), match[2]
