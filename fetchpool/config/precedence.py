"""Combines options from the command line, the environment and configuration files.

In: the options of each source, in descending order of precedence. Out: one value for each option, with its
origin. A value (or a list) replaces the value from a lower source, and the values of options that exclude it.

    command line > environment > --config > file of the working directory > the user's file
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fetchpool.config.option import Option
from fetchpool.config.options.table import OPTIONS

COMMAND_LINE = "command line"


class Source(Struct, frozen=True):
    """A source of options: its origin and their values."""

    origin: str
    """A path or `COMMAND_LINE`, as shown in messages. Empty for the environment, where the origin is each
    option's variable."""
    values: Mapping[str, Any]
    """Values by the name of the option. The value of a switch is whether its flag is set: for `dedupe`, true
    means `--no-dedupe`."""


class Setting(Struct, frozen=True):
    """The value of an option, and its origin."""

    option: Option
    value: Any
    origin: str
    needs: str = ""
    """The missing option without which this one has no effect, such as `--save`; else empty."""


def combine(sources: Iterable[Source], defaults: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the options that are set in any source, by name. `defaults`: the default values of the command's
    options; all other options are left out."""
    settings: dict[str, Setting] = {}
    for source in sources:
        excluded = _excluded(settings)
        settings |= {
            name: Setting(OPTIONS[name], value, source.origin or OPTIONS[name].variable)
            for name, value in source.values.items()
            if name in defaults and name not in settings and name not in excluded
        }
    values = {**defaults, **{name: setting.value for name, setting in settings.items()}}
    return {name: _with_needs(setting, values) for name, setting in settings.items()}


def _excluded(settings: Mapping[str, Setting]) -> set[str]:
    """Return the options that are excluded by those that are set."""
    on = {name for name, setting in settings.items() if setting.value not in (False, None)}
    return {
        name
        for name, option in OPTIONS.items()
        if not on.isdisjoint(option.excludes) or any(name in OPTIONS[each].excludes for each in on)
    }


def _with_needs(setting: Setting, values: Mapping[str, Any]) -> Setting:
    if setting.option.only_with is None or setting.origin == COMMAND_LINE or setting.value is False:
        return setting
    name, wanted = setting.option.only_with
    value = values.get(name)
    if (value == wanted) if wanted else value:
        return setting
    needs = f"{OPTIONS[name].label} {wanted}".rstrip()
    return Setting(setting.option, setting.value, setting.origin, needs)


_FLAG = re.compile(r"(?<![\w-])--[a-z0-9][a-z0-9.-]*[a-z0-9]")


def with_origins(message: str, settings: Mapping[str, Setting]) -> str:
    """Return an error message with the origin of the options that it names, except those of the command
    line."""
    origins = {
        setting.option.label: setting.origin
        for setting in settings.values()
        if setting.origin != COMMAND_LINE and not setting.needs
    }
    named: Sequence[str] = [flag for flag in dict.fromkeys(_FLAG.findall(message)) if flag in origins]
    if not named:
        return message
    return f"{message} ({'; '.join(f'{flag} is from {origins[flag]}' for flag in named)})"
