"""Reads configuration files: TOML whose keys are the long names of options.

In: the path of a file. Out: the values by option, or a `UsageError` that names the file and the key.

A file in the working directory that the user did not name may be part of a downloaded archive or a cloned
repository. Such a file may only set the options with `Settable.ANYWHERE`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fetchpool.config.config_paths import PROJECT
from fetchpool.config.config_values import from_toml
from fetchpool.config.option import Option, Settable
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.secrets import is_credential
from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError, why_unreadable

TABLE = "tool.fetchpool"
"""The name of the table in a `pyproject.toml`."""
_MAY_HAVE_TABLE = re.compile(
    rb"""^\s*(\[\s*["']?tool["']?\s*\.\s*|["']?tool["']?\s*[.=].*)?["']?fetchpool["']?\s*([].]|=\s*\{)""",
    re.MULTILINE,
)
"""Matches a line such as `[tool.fetchpool]`, or `fetchpool.workers = 3` below `[tool]`. Without such a line,
as in most projects, the TOML parser is not loaded."""
_PROGRESS = re.compile(rb"""^\s*progress\s*=\s*["']([a-z]+)["']""", re.MULTILINE)
OTHERS = stat.S_IRWXG | stat.S_IRWXO
BY_KEY = {option.key: option for option in OPTIONS.values() if option.usage}


def read(path: str, *, trusted: bool = True) -> dict[str, Any] | None:
    """Return the values in a file by the name of the option; None if it is a `pyproject.toml` without the
    table. Raises `UsageError`. `trusted`: the user named the file, or it is the user's own."""
    content, mode = _content(path)
    is_project = Path(path).name == Path(PROJECT).name
    if is_project and not _MAY_HAVE_TABLE.search(content):
        return None
    table: object = _parsed(path, content)
    for name in TABLE.split(".") if is_project else ():
        table = table.get(name) if isinstance(table, dict) else None
    if is_project and table is None:
        return None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {TABLE} is not a table")
    given = {_option(path, key): (key, value) for key, value in _flat(table)}
    if not trusted:
        _refuse_untrusted(path, given)
    values = {option: from_toml(f"{path}: {key}", option, value) for option, (key, value) in given.items()}
    if os.name == "posix" and stat.S_ISREG(mode) and mode & OTHERS:
        _refuse_credentials(path, values)
    return {option.name: value for option, value in values.items()}


def progress_line(path: str) -> str:
    """Return the value of `progress` in a file whose other lines may be invalid; empty if it has none."""
    try:
        found = _PROGRESS.search(Path(path).read_bytes())
    except (OSError, ValueError):
        return ""
    return found[1].decode() if found else ""


def _content(path: str) -> tuple[bytes, int]:
    """Return the bytes of a file and its mode."""
    try:
        with Path(path).open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {why_unreadable(error)}") from None


def _parsed(path: str, content: bytes) -> dict[str, Any]:
    import tomllib  # takes 5 ms to import

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8") from None
    except ValueError as error:
        message = str(error)
        raise UsageError(f"{path}: not valid TOML: {message[:1].lower()}{message[1:]}") from None
    except RecursionError:
        raise UsageError(f"{path}: not valid TOML: nested too deeply") from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield keys and values. Nested tables are flattened, because an unquoted `http1.1 = true` is one in
    TOML."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and name not in BY_KEY:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _option(path: str, key: str) -> Option:
    option = BY_KEY.get(key)
    if option is None:
        raise UsageError(f"{path}: unknown key {key!r}; {_hint(key)}")
    if option.settable is Settable.TYPED:
        raise UsageError(f"{path}: {key} is for the command line only")
    return option


def _hint(key: str) -> str:
    """Return a hint about an unknown key, which may be an option of another program, or misspelt."""
    from fetchpool.config.other_programs.table import foreign  # loaded for this message only

    parts = key.split(".")
    for start in range(1, len(parts)):
        if (without_table := ".".join(parts[start:])) in BY_KEY:
            return f"write {without_table}, without a [table]"
    names = {each.replace("-", "_").replace(".", "_"): each for each in BY_KEY}
    known = key.replace("-", "_")
    option = None if known in names or key.removesuffix("s") in BY_KEY else foreign(f"--{key}")
    similar = names.get(option.keyword if option else closest(known, names) or "")
    if similar is None and option is not None:
        return option.answer
    return f"did you mean {similar}?" if similar else "fetchpool --help lists the options"


def _refuse_untrusted(path: str, given: Mapping[Option, object]) -> None:
    refused = ", ".join(option.key for option in given if option.settable is not Settable.ANYWHERE)
    if refused:
        raise UsageError(
            f"{path}: {refused}: not allowed in a file of the working directory that is not named; use "
            f"--config {path}, or --no-config to ignore the file"
        )


def _refuse_credentials(path: str, values: Mapping[Option, Any]) -> None:
    """Raise `UsageError` for a credential in a file that other users can read."""
    for option, value in values.items():
        texts = value if isinstance(value, list) else [value]
        kind = option.secret
        if kind is not None and any(is_credential(kind, str(each)) for each in texts):
            raise UsageError(
                f"{path}: {option.key}: this is secret, but other users can read the file; "
                f"run chmod 600 {path}"
            )
