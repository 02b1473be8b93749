"""Rewrites messages about command-line options so that they name keyword arguments.

In: an exception whose message says `--workers: 0 is not an integer`. Out: the same exception, with `workers=0
is not an integer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fetchpool.config.option import Option, Scope
from fetchpool.config.options.table import in_scope
from fetchpool.model.errors import FetchpoolError

FLAG = re.compile(r"(?<![\w-])(--?[A-Za-z][\w.-]*\w|-[A-Za-z])(?![\w-])(?: (\w[\w.]*\b)|(: )(?=['\d-])|(:))?")
"""A flag, with the word after it, or with the colon before a value or text."""
SHORTHANDS = {f"--http{version}": f"http_version={version!r}" for version in ("1.1", "2", "3")}
"""Flags that stand for the value of a keyword argument."""
VALUES = {"workers": ("auto",)}
"""Values that aren't among an option's choices."""


@contextmanager
def in_keywords() -> Iterator[None]:
    """Rewrite the messages of exceptions."""
    try:
        yield
    except FetchpoolError as error:
        error.args = tuple(rewritten(each) if isinstance(each, str) else each for each in error.args)
        raise


def rewritten(message: str) -> str:
    """Return a message with keyword arguments instead of flags; flags without a keyword stay."""
    options = {flag: option for option in in_scope(Scope.POOL, Scope.FETCH) for flag in option.flags}
    return FLAG.sub(lambda match: _keyword(match, options.get(match[1])), message)


def _keyword(match: re.Match[str], option: Option | None) -> str:
    if option is None:
        flag = match[1]
        return SHORTHANDS.get(flag, flag) + match[0].removeprefix(flag)
    if option.is_negative and match[1] == option.label:
        return f"{option.name}=False{match[0].removeprefix(match[1])}"
    word = match[2]
    if match[4]:  # text about the option
        return f"{option.name}:"
    if word is None:  # `--workers: 0 is` becomes `workers=0 is`
        return f"{option.name}="
    if word in (*option.type.choices, *VALUES.get(option.name, ())):
        return f"{option.name}={word!r}"
    return f"{option.name}={word}" if word.isupper() else f"{option.name}= {word}"
