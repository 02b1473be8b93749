"""For the server that worker processes are forked from (`multiprocessing`'s fork server), and nobody else.

It loads this room, and by it what every worker needs, once instead of in each of them: fifty processes
are ready in a third of the time. It may find another fetchpool than its parent's, since it looks neither in
the working directory nor where the main module is: it forgets that one, and each worker loads the parent's.

What it can't do (there is no process to be had), and a process that begins when its parent has ended
meanwhile, need no traceback: the pool sees them end, and says so in a line.
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
"""The environment variable that tells the server that it is one: where its parent's fetchpool is, and the
modules to load."""
OURS = "fetchpool"
"""What PYTHONSAFEPATH says where it was set for the server's start alone."""


def prepare() -> None:
    """Once, in the server."""
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
