"""Finds configuration files that are read without being named.

In: the working directory and the environment. Out: paths of existing files. Every command does this when it
starts, and it costs three calls of `stat()`.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

LOCAL = "./fetchpool.toml"
PROJECT = "./pyproject.toml"
"""Files in the working directory; its parents are not searched. The second is read if the first is missing,
and only its table `tool.fetchpool`."""


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's own file, by the XDG Base Directory Specification: a relative path is
    invalid there."""
    base = environ.get("XDG_CONFIG_HOME", "")
    if not Path(base).is_absolute():
        try:
            base = str(Path("~/.config").expanduser())
        except RuntimeError:  # no home directory
            return None
    return Path(base, "fetchpool", "config.toml")


def local_file(named: str) -> str:
    """Return the file of the working directory; empty without one, or if it is the `named` one."""
    found = next(filter(_is_file, (LOCAL, PROJECT)), "")
    return "" if found and named and _is_same(named, found) else found


def own_file(named: str, environ: Mapping[str, str]) -> str:
    """Return the user's own file; empty without one, or if it is the `named` one."""
    path = str(user_file(environ) or "")
    return path if path and _is_file(path) and not (named and _is_same(named, path)) else ""


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _is_same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False
