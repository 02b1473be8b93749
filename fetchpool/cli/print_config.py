"""`--print-config`: prints the value and origin of every option. In: the options of a command from all
sources. Out: lines on standard output, which form a valid configuration file. Secrets are printed as `***`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fetchpool.cli.configuration import Configuration
from fetchpool.cli.options import flag_name
from fetchpool.config.choices import DEFAULT_OUTPUT
from fetchpool.config.option import Option, Settable
from fetchpool.config.options.table import GROUPED
from fetchpool.config.secrets import hide
from fetchpool.model.text import escape_invisible

DEFAULT = "default"


def print_config(configuration: Configuration) -> None:
    """Print the options by group."""
    lines: list[str] = []
    for group, options in GROUPED.items():
        shown = [
            _line(option, configuration)
            for option in options
            if option.settable is not Settable.TYPED and flag_name(option) in configuration.values
        ]
        lines += [*([""] if lines and shown else ()), *([f"# {group}"] if shown else ()), *shown]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _line(option: Option, configuration: Configuration) -> str:
    """Return `workers = 50    # ./fetchpool.toml`. A line that sets nothing is a comment."""
    setting = configuration.settings.get(option.name)
    value = configuration.values[flag_name(option)] if setting is None else setting.value
    if option.name == "outputs" and not value:
        value = [DEFAULT_OUTPUT]
    origin = escape_invisible(DEFAULT if setting is None else setting.origin)
    key = _quoted(option.key) if "." in option.key else option.key
    if value is None or value == []:
        return f"{f'# {key}':<38} # {'not set' if setting is None else origin}"
    assignment = f"{key} = {_toml(option, value)}"
    if setting is not None and setting.needs:
        return f"{f'# {assignment}':<38} # {origin}; not used without {setting.needs}"
    return f"{assignment:<38} # {origin}"


def _toml(option: Option, value: Any) -> str:
    """Return a value as TOML, without its secret."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(option, each) for each in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value) if option.secret is None else hide(option.secret, str(value))
    is_number = text.isascii() and text.isdecimal() and str(int(text[:20])) == text
    return text if is_number and not option.type.repeatable else _quoted(text)


def _quoted(text: str) -> str:
    """Return a basic string of TOML, in which invisible characters are escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
