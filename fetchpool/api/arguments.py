"""Checks the keyword arguments of a program's call.

In: the arguments of a function of this package. Out: a `RunConfig`, or an exception that names the argument.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fetchpool.api.keywords import in_keywords
from fetchpool.config import validate
from fetchpool.config.configure import configure
from fetchpool.config.option import Scope
from fetchpool.config.options.table import in_scope
from fetchpool.config.run_config import RunConfig
from fetchpool.model.closest import closest
from fetchpool.runtime import forks


def run_config(function: str, given: Mapping[str, object], *scopes: Scope) -> RunConfig:
    """Return the configuration of a call. Raises `UsageError` for an invalid value, and for an unknown name
    the `TypeError` that Python raises."""
    with forks.none_meanwhile(), in_keywords():
        return configure(**_checked(function, given, scopes))


def _checked(function: str, given: Mapping[str, object], scopes: tuple[Scope, ...]) -> dict[str, Any]:
    known = {option.name: option for option in in_scope(*scopes)}
    for name in given.keys() - known.keys():
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{_hint(name, known)}")
    types = {name: known[name].type for name in given}
    return {
        name: value if types[name].checks_type else validate.check_type(name, value, types[name].accepts)
        for name, value in given.items()
    }


def _hint(name: str, known: Collection[str]) -> str:
    """Return a hint about an unknown keyword argument, which may be an option of another program, or
    misspelled."""
    from fetchpool.config.other_programs.table import foreign  # loaded for this message only

    option = None if name.removesuffix("s") in known else foreign(f"--{name.replace('_', '-')}")
    suggestion = option.keyword if option else closest(name, known)
    if suggestion in known:
        return f". Did you mean {suggestion!r}?"
    return f"; {option.answer}" if option else ""
