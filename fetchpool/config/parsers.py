"""The values of `--parse`: names of parsers or, in a program, functions.

In: values that a program passed or a user typed. Out: the parsers, for the workers of an executor. Threads
run a function as it is; worker processes import it by its name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fetchpool.model.errors import UsageError

Parser = str | Callable[[Any], object]
"""A name, or a function of a `Response`."""
THREAD = "use executor='thread' or 'async'"


def parsers(option: str, value: Parser | Iterable[Parser]) -> tuple[Parser, ...]:
    """Return each parser once, in order. A text may have several names, separated by commas."""
    listed = [value] if isinstance(value, str) or callable(value) else value
    if not isinstance(listed, Iterable):
        listed = [listed]
    found: list[Parser] = []
    for each in listed:
        if not isinstance(each, str) and not callable(each):
            raise UsageError(
                f"{option}: expected a name, such as title or package.module:function, or a function; got "
                f"{type(each).__name__}"
            )
        names: list[Parser] = [each]
        if isinstance(each, str):
            names = [name.strip() for name in each.split(",")]
        for name in names:
            if name not in found:
                found.append(name)
    return tuple(found)


def name_of(parser: Parser) -> str:
    """Return the name of a parser for messages."""
    if isinstance(parser, str):
        return parser
    if isinstance(parser, partial):
        return name_of(parser.func)
    return str(getattr(parser, "__name__", type(parser).__name__))


def importable(parser: Parser) -> str:
    """Return the name by which worker processes import a parser. Raises `UsageError` if they can't."""
    if isinstance(parser, str):
        return parser
    name = name_of(parser)
    module_name = getattr(parser, "__module__", None) or ""
    module = sys.modules.get(module_name)
    if module is None or getattr(module, name, None) is not parser:
        raise UsageError(
            f"--parse: worker processes import a parser by its name, and {name} is not a name in its module: "
            f"define it there with def, outside of other functions, or {THREAD}"
        )
    if module_name == "__main__" and not getattr(module, "__file__", None):
        raise UsageError(
            f"--parse: worker processes can't import {name} from a notebook or an interactive session: "
            f"write it into a module, or {THREAD}"
        )
    return f"{module_name}:{name}"
