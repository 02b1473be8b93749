"""Checks the type of values from configuration files.

In: a TOML value. Out: the value that the command line would pass: a bool for a switch, a list of strings for
a repeatable option, otherwise a string. The string itself is checked later, as on the command line.
"""

from __future__ import annotations

from typing import Any, get_args

from fetchpool.config.option import Option
from fetchpool.config.param_types import RATE_LIMIT
from fetchpool.model.errors import UsageError

TYPE_NAMES = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def from_toml(where: str, option: Option, value: object) -> Any:
    """Return a value of a TOML file. `where` names the file and the key. Raises `UsageError`."""
    if not option.metavar:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: expected true or false, got {_type_of(value)}")
        return value
    if not option.type.repeatable:
        return _single(where, option, value)
    values = value if isinstance(value, list) else [value]
    return [_single(where, option, each) for each in values]


def _single(where: str, option: Option, value: object) -> str:
    expected = "a number or text" if _takes(option, int, float) else "text"
    if option.type.repeatable:
        expected += ", or a list"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where}: expected {expected}, got {_type_of(value)}")
    if isinstance(value, str):
        if "\0" in value:  # no command-line argument can contain one
            raise UsageError(f"{where}: a NUL character is not allowed")
        return value
    text = f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f"{text}/s" if value and option.type is RATE_LIMIT else text


def _takes(option: Option, *kinds: type) -> bool:
    """Whether a program may pass a value of one of these types."""
    accepts = option.type.accepts
    return any(kind is accepts or kind in get_args(accepts) for kind in kinds)


def _type_of(value: object) -> str:
    return TYPE_NAMES.get(type(value), "a date or time")
