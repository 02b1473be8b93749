"""Determines the fields that a user-defined parser adds to rows before it runs, for outputs whose columns are
fixed at the start.

In: functions. Out: the names of their fields in rows. A parser declares its fields by a TypedDict as its
return annotation; without one they are those of its return statements, if each returns a dict display whose
keys are constants. The result only determines columns: rows can hold fields that are not in it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, get_type_hints, is_typeddict

from fetchpool.http.parsers.run import row_name


def declared_fields(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a parser's fields; none if they are not known."""
    if not inspect.isroutine(function):  # an instance of a class
        function = type(function).__call__
    names = _of_annotation(function) or _of_returns(function)
    return tuple(dict.fromkeys(row_name(name) for name in names if name))


def _of_annotation(function: Callable[..., Any]) -> tuple[str, ...]:
    with suppress(Exception):  # user code: annotations may refer to undefined names
        annotation = get_type_hints(function).get("return")
        if is_typeddict(annotation):
            return tuple(get_type_hints(annotation))
    return ()


def _of_returns(function: Callable[..., Any]) -> list[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError):  # it has no source in Python
        return []
    names: list[str] = []
    for definition in tree.body:
        if not isinstance(definition, ast.FunctionDef):
            return []
        for value in _returned(definition):
            keys = _keys(value)
            if keys is None:
                return []
            names += keys
    return names


def _returned(node: ast.AST) -> Iterator[ast.expr | None]:
    """Yield the values of a function's own return statements."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child.value
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _returned(child)


def _keys(value: ast.expr | None) -> list[str] | None:
    """Return the keys of a dict display, or of a call of `dict()` with keywords; None for anything else."""
    keys: list[object] = [None]
    if isinstance(value, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
    elif (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id == "dict"
        and not value.args
    ):
        keys = [keyword.arg for keyword in value.keywords]
    names = [key for key in keys if isinstance(key, str)]
    return names if len(names) == len(keys) else None
