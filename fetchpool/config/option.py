"""Option: the declaration of one option. The table of them is in `options.py`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct


class Scope(Enum):
    """Who takes an option."""

    FLAG = "the command line"
    CONFIG = "the command line and configure()"
    FETCH = "fetch() as well"
    POOL = "fetch() and Pool as well"


class ParamType(Struct, frozen=True, kw_only=True):
    """How the values of an option are checked and written."""

    check: Callable[[str, Any], Any] = lambda _label, value: value
    """Returns the checked value of the option with this label, or raises `UsageError`."""
    accepts: Any
    """The Python type of a program's value. On the command line it is text, several texts or a switch."""
    format: Callable[[Any], str] | None = None
    """Writes a default as a user would; None: there is no default to show."""
    none_is_no_limit: bool = False
    """None is a value. Elsewhere it is the same as leaving the option out."""
    checks_type: bool = False
    """`check` refuses values of another type itself, with a better message than the general one."""
    choices: tuple[str, ...] = ()
    """What shells complete."""
    repeatable: bool = False


class Option(Struct, frozen=True):
    """One option of the command line and of the library."""

    name: str
    """The keyword argument."""
    usage: str
    """As on the command line: `-w --workers N`; without a metavar it is a switch. Empty: programs only."""
    type: ParamType
    help: str
    scope: Scope = Scope.FETCH

    @property
    def flags(self) -> list[str]:
        """`-w`, `--workers`."""
        return [word for word in self.usage.split() if word.startswith("-")]

    @property
    def metavar(self) -> str:
        """Empty for a switch."""
        word = self.usage.rpartition(" ")[2]
        return "" if word.startswith("-") else word

    @property
    def label(self) -> str:
        """The option's name in messages: its first long flag."""
        return next((flag for flag in self.flags if flag.startswith("--")), self.name)

    @property
    def is_negative(self) -> bool:
        """Whether the flag turns the keyword argument off, as `--no-dedupe` does `dedupe`."""
        return self.label == f"--no-{self.name}"
