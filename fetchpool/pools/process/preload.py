"""Preloads modules in `multiprocessing`'s fork server, from which worker processes are forked; only the
server imports it.

Modules that every worker needs are loaded once instead of in each of them: fifty processes are ready in a
third of the time. The server may find another fetchpool than its parent's, since it searches neither the
working directory nor the main module's: it unloads that one, and each worker loads the parent's.

The server prints no traceback if it can't start a process, nor does a process whose parent has ended
meanwhile: the pool notices, and reports it in one line.
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
"""The environment variable that is set for the server only: the file of its parent's fetchpool, and the
modules to load."""
OURS = "fetchpool"
"""The value of PYTHONSAFEPATH if it is set only for the server's start."""


def prepare() -> None:
    """Load the modules; called once, in the server."""
    parents, *needed = os.environ.pop(MARK).split(os.pathsep)
    if os.environ.get("PYTHONSAFEPATH") == OURS:
        del os.environ["PYTHONSAFEPATH"]
    if sys.modules["fetchpool"].__file__ != parents:
        for name in [name for name in sys.modules if name.split(".")[0] == "fetchpool"]:
            del sys.modules[name]
        raise ImportError("another fetchpool")  # which the server expects
    server, library = os.getpid(), str(Path(multiprocessing.__file__).parent)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        places = [frame.f_code.co_filename for frame, _ in walk_tb(trace)]
        between_us = isinstance(error, OSError | EOFError) and places and places[-1].startswith(library)
        if os.getpid() != server and not between_us:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook
    for name in needed:
        import_module(name)


if MARK in os.environ:
    prepare()
