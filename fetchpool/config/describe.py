"""Generates documentation from the options table: docstrings, typed keyword arguments, the reference page.

In: the table of `options/`. Out: text. `settings.py` and `docs/reference/options.md` are written from it by
`python -m tests.update_docs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import fill, indent
from typing import Any

from fetchpool.config.option import Option, Scope, Settable
from fetchpool.config.options.table import GROUPED, OPTIONS, in_scope, shown_default

WIDTH = 106
PARAMETERS = {"workers", "executor"}
"""Options that `fetch()` and `Pool` declare as parameters themselves."""

SETTINGS = '''"""The keyword arguments of `fetch()`, `Pool` and `configure()`, for type checkers and editors.

Written by `python -m tests.update_docs` out of `options/`: change the table there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict

'''
CLASSES = (
    ("PoolSettings", "TypedDict", Scope.POOL, "The keyword arguments of `Pool`: how each URL is fetched."),
    ("FetchSettings", "PoolSettings", Scope.FETCH, "The keyword arguments of `fetch()`."),
    ("AllSettings", "FetchSettings", Scope.CONFIG, "The keyword arguments of `configure()`."),
)


def type_name(accepts: Any) -> str:
    """Return a type as written in an annotation: `int | str`."""
    return accepts.__name__ if isinstance(accepts, type) else re.sub(r"[\w.]+\.", "", str(accepts))


def with_default(option: Option) -> str:
    """Return the help text with the default."""
    default = shown_default(option)
    return option.help if default is None else f"{option.help} (default: {default})"


def docstring(options: Iterable[Option]) -> str:
    """Return a list of options for the docstring of a function."""
    entries = []
    for option in options:
        text = fill(
            with_default(option),
            WIDTH,
            break_on_hyphens=False,
            initial_indent=" " * 4,
            subsequent_indent=" " * 4,
        )
        entries.append(f"{option.name}: {type_name(option.type.accepts)}\n{text}")
    return "\n".join(entries)


def settings_module() -> str:
    """Return the source of `settings.py`."""
    classes = []
    for name, base, scope, doc in CLASSES:
        lines = [f'class {name}({base}, total=False):\n    """{doc}"""\n']
        for option in in_scope(scope):
            if scope is Scope.POOL and option.name in PARAMETERS:
                continue
            words = fill(f'"""{with_default(option)}"""', WIDTH, break_on_hyphens=False)
            lines.append(f"{option.name}: {type_name(option.type.accepts)}\n{words}")
        lines[1:] = [indent(line, "    ") for line in lines[1:]]
        classes.append("\n".join(lines))
    extra = indent("workers: int | str\nexecutor: str", "    ")
    return f"{SETTINGS}\n" + "\n\n\n".join([*classes[:2], f"{classes[2]}\n{extra}"]) + "\n"


def reference() -> str:
    """Return the page `docs/reference/options.md`."""
    page = [
        "# Options\n",
        "Every option of the command line, with its keyword argument in Python. *yes*: `fetch()` and `Pool` "
        "take it; *fetch*: only `fetch()`. TIME is seconds, or `500ms`, `10s`, `2m`, `1h`, `1d`; SIZE is "
        "bytes, or `512k`, `10M`, `1G` (`1M` is 1048576 bytes). In Python a number is seconds or bytes, and "
        "`None` is no limit, as 0 is; see [in a program](../usage/python.md).\n",
    ]
    python = {Scope.POOL: "yes", Scope.FETCH: "fetch"}
    for group, options in GROUPED.items():
        page += [f"## {group}\n", "| Option | Keyword | Python | Default | |", "|---|---|---|---|---|"]
        for option in options:
            flags = ", ".join(f"`{flag}`" for flag in option.flags)
            if option.metavar and flags:
                flags += f" `{option.metavar}`"
            default = shown_default(option)
            keyword = "" if option.scope is Scope.FLAG else f"`{option.name}`"
            cells = [
                flags,
                keyword,
                python.get(option.scope, ""),
                "" if default is None else f"`{default}`",
                option.help,
            ]
            page.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        page.append("")
    return "\n".join(page)


def configuration_keys() -> str:
    """Return the rows of the table of keys in `docs/reference/configuration.md`."""
    rows = []
    for option in OPTIONS.values():
        if option.usage and option.settable is not Settable.TYPED:
            default = shown_default(option)
            value = "`true`, `false`" if not option.metavar else f"{option.metavar}"
            value += " or a list" if option.type.repeatable else ""
            value += "" if default is None else f"; default `{default}`"
            unnamed = "yes" if option.settable is Settable.ANYWHERE else ""
            cells = (f"`{option.key}`", f"`{option.variable}`", value.replace("|", "\\|"), unnamed)
            rows.append(f"| {' | '.join(cells)} |\n")
    return "".join(rows)
