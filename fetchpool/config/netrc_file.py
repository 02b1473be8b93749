"""Reads the passwords of hosts from a .netrc file (`--netrc`).

In: a file, and the user name of `--user`, if there is one. Out: the credentials by host, or a `UsageError` of
one line that repeats no part of the file.
"""

from __future__ import annotations

import os
from netrc import NetrcParseError, netrc
from pathlib import Path

from fetchpool.model.errors import NO_FILE, UsageError, why_unreadable

DEFAULT = ""
"""The host of the entry for all other hosts."""


def read_netrc(path: str, name: str = "") -> tuple[tuple[str, str], ...]:
    """Return `name:password` by host, only those of user `name` if it is given. Without a path, the file is
    named by the environment variable NETRC, or is ~/.netrc."""
    label = "--netrc-file" if path else "--netrc"
    path = path or os.environ.get("NETRC") or str(Path("~/.netrc").expanduser())
    try:
        hosts = netrc(path).hosts
    except NetrcParseError as error:
        where = f"line {error.lineno}" if error.lineno else "the file"
        raise UsageError(f"{label}: {path}: {where} is not in the format of .netrc") from None
    except (OSError, UnicodeDecodeError) as error:
        problem = why_unreadable(error, "not a text file")
        if problem == NO_FILE and label == "--netrc":  # the user chose no name
            problem = "no such file; create it, or name another one with --netrc-file"
        raise UsageError(f"{label}: {path}: {problem}") from None
    found = {}
    for host, (login, _, password) in hosts.items():
        if not name or login == name:
            found[DEFAULT if host == "default" else host.lower()] = f"{login}:{password or ''}"
    if name and not found:
        raise UsageError(f"{label}: {path} has no entry of user {name}")
    return tuple(found.items())
