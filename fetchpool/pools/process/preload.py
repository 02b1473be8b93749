"""Prepares the server that worker processes are forked from (`multiprocessing`'s fork server), which imports
this module.

The server thereby imports once what every worker needs. It may find another fetchpool than its parent's,
since it looks neither in the working directory nor next to the main module: then it drops that one, and each
worker imports the parent's. Errors in the server (no process can be forked) and in a process whose parent has
ended meanwhile print no traceback: the pool notices that processes end, and reports it in a line.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

MARK = "FETCHPOOL_FORK_SERVER"
"""The environment variable that identifies the server. Its value: the parent's fetchpool, the main module's
file or nothing, and the modules to import."""
OURS = "fetchpool"
"""The value of PYTHONSAFEPATH if it was set for the server's start only."""


def prepare() -> None:
    """Prepare the server, once."""
    parent_file, main, *modules = os.environ.pop(MARK).split(os.pathsep)
    if os.environ.get("PYTHONSAFEPATH") == OURS:
        del os.environ["PYTHONSAFEPATH"]
    if sys.modules["fetchpool"].__file__ != parent_file:
        for name in [name for name in sys.modules if name.split(".")[0] == "fetchpool"]:
            del sys.modules[name]
        raise ImportError("another fetchpool")  # the server ignores it
    server, library = os.getpid(), str(Path(multiprocessing.__file__).parent)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        places = [frame.f_code.co_filename for frame, _ in walk_tb(trace)]
        is_lost_parent = isinstance(error, OSError | EOFError) and places and places[-1].startswith(library)
        if os.getpid() != server and not is_lost_parent:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook
    if main:  # a forked process compares it with its parent's, and imports the main module if they differ
        sys.modules["__main__"].__file__ = main
    for name in modules:
        import_module(name)


if MARK in os.environ:
    prepare()
