"""Reads options from environment variables: `FETCHPOOL_MAX_TIME=20s` is `--max-time 20s`.

In: the environment. Out: the values by option. A variable that is probably misspelled is an error, as it is
in a file; other unknown variables may belong to another program. An empty variable counts as not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fetchpool.config.option import PREFIX, Option, Settable
from fetchpool.config.options.table import OPTIONS
from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError

BY_VARIABLE = {
    option.variable: option
    for option in OPTIONS.values()
    if option.usage and option.settable is not Settable.TYPED
}
WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
"""The values of a switch in an environment variable, in any case."""
OTHER = frozenset(
    f"{PREFIX}{name}" for name in ("CONFIG", "NO_CONFIG", "WEB_TOKEN", "FORK_SERVER", "COMPILE")
)
"""Variables that are not options: the configuration file, the token of the web page, and those of the process
pool and the build."""


def from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values by the name of the option. Raises `UsageError`."""
    values: dict[str, Any] = {}
    for name in sorted(environ):
        text = environ[name]
        if not name.startswith(PREFIX) or not text:
            continue
        if option := BY_VARIABLE.get(name):
            values[option.name] = _value(option, text)
        elif name not in OTHER and (similar := _similar(name)):
            raise UsageError(f"{name} is not an option; did you mean {similar}?")
    return values


def _similar(name: str) -> str:
    """Return the variable that `name` is probably a misspelling of; empty if there is none."""
    names = {each.removeprefix(PREFIX).lower(): each for each in BY_VARIABLE}
    return names.get(closest(name.removeprefix(PREFIX).lower(), names) or "", "")


def _value(option: Option, text: str) -> Any:
    """Return the value of an option's variable. For a repeatable option, each line is a value. Raises
    `UsageError`."""
    if not option.metavar:
        return as_switch(option.variable, text)
    if not option.type.repeatable:
        return text
    return [text] if option.type.is_body else [line for line in text.splitlines() if line.strip()]


def as_switch(variable: str, text: str) -> bool:
    """Return the value of a switch in an environment variable. Raises `UsageError`."""
    value = WORDS.get(text.strip().lower())
    if value is None:
        raise UsageError(f"{variable}: {text!r} is neither true nor false (nor 1, 0, yes, no, on or off)")
    return value
