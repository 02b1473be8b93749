"""Options of the group "Configuration": where options are read from."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "config",
        "--config FILE",
        types.TEXT,
        "Read options from FILE: TOML, with the names of options as keys. The order of precedence is the "
        "command line, variables such as FETCHPOOL_MAX_TIME, FILE, ./fetchpool.toml or [tool.fetchpool] "
        "in ./pyproject.toml, and ~/.config/fetchpool/config.toml.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "no_config",
        "--no-config",
        types.SWITCH,
        "Read no configuration file except the one given by --config.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "print_config",
        "--print-config",
        types.SWITCH,
        "Print the value and origin of every option, and fetch nothing.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
)
