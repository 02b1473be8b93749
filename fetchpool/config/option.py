"""Option: the declaration of one option. The table of all options is in `options/`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct

PREFIX = "FETCHPOOL_"
"""Prefix of the environment variables."""


class Scope(Enum):
    """Where an option is available."""

    FLAG = "the command line"
    CONFIG = "the command line and configure()"
    FETCH = "fetch() as well"
    POOL = "fetch() and Pool as well"


class Settable(Enum):
    """Where an option can be set."""

    TYPED = "on the command line only"
    TRUSTED = "also in the environment, in the user's configuration file, and in a file that is named"
    ANYWHERE = "also in a file of the working directory that is not named"
    """Only for options that can't run code, write files, send data elsewhere, or weaken the user's own limits
    on these, because such a file may come from anywhere."""


class Secret(Enum):
    """The part of an option's value that is secret."""

    PASSWORD = "the password in name:password"
    USERINFO = "the name and password in a URL"
    KEY_PASSWORD = "the password in file:password"
    HEADER = "the value of a header"
    COOKIE = "the text of a cookie"
    BODY = "the body of a request"


class ParamType(Struct, frozen=True, kw_only=True):
    """How the value of an option is checked and formatted."""

    check: Callable[[str, Any], Any] = lambda _label, value: value
    """Function of an option's label and a value; returns the checked value or raises `UsageError`."""
    accepts: Any
    """The type of the keyword argument in Python. The command line has text, a list of texts or a switch."""
    format: Callable[[Any], str] | None = None
    """Formats a default as a user would write it; None if the help shows no default."""
    none_is_no_limit: bool = False
    """Whether None means "no limit". For other options None is the same as leaving them out."""
    checks_type: bool = False
    """Whether `check` rejects values of another type itself, with a better message than the general one."""
    choices: tuple[str, ...] = ()
    """Values for shell completion."""
    repeatable: bool = False
    is_body: bool = False
    """Whether repeated values are pieces of one body. An environment variable has the complete body."""


class Option(Struct, frozen=True):
    """One option of the command line and of the library."""

    name: str
    """The keyword argument."""
    usage: str
    """The command-line form: `-w --workers N`. Without a metavar it is a switch; empty for Python only."""
    type: ParamType
    help: str
    scope: Scope = Scope.FETCH
    settable: Settable = Settable.TRUSTED
    secret: Secret | None = None
    """None if the value can be shown."""
    excludes: tuple[str, ...] = ()
    """Names of options that can't be combined with this one. Of two such options, the one from the source
    with the higher precedence counts."""
    only_with: tuple[str, str] | None = None
    """Name and value of the option without which this one has no effect; an empty value means any. Without
    that option, this one is ignored in a file and an error on the command line."""

    @property
    def flags(self) -> list[str]:
        """The flags, short ones first: `-w`, `--workers`."""
        return [word for word in self.usage.split() if word.startswith("-")]

    @property
    def metavar(self) -> str:
        """The placeholder of the value; empty for a switch."""
        word = self.usage.rpartition(" ")[2]
        return "" if word.startswith("-") else word

    @property
    def label(self) -> str:
        """The option's name in messages: its first long flag."""
        return next((flag for flag in self.flags if flag.startswith("--")), self.name)

    @property
    def key(self) -> str:
        """The option's name in a configuration file: `max-time`."""
        return self.label.removeprefix("--")

    @property
    def variable(self) -> str:
        """The option's environment variable: `FETCHPOOL_MAX_TIME`."""
        return f"{PREFIX}{self.key.upper().replace('-', '_').replace('.', '_')}"

    @property
    def is_negative(self) -> bool:
        """Whether the flag turns the keyword argument off, as `--no-dedupe` does `dedupe`."""
        return self.label == f"--no-{self.name}"
