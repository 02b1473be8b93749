"""For the server that worker processes are forked from (`multiprocessing`'s fork server), and nobody else.

It loads this room first and then what every worker needs, once instead of in each of them: fifty processes
are ready in a third of the time. What it can't do (there is no process to be had), and a process that begins
when its parent has ended meanwhile, need no traceback: the pool sees them end, and says so in a line.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

MARK = "FETCHPOOL_FORK_SERVER"
"""The environment variable that tells the server that it is one, and whether PYTHONSAFEPATH was set for its
start alone (`OURS`)."""
OURS = "safe path"


def prepare() -> None:
    """Once, in the server."""
    if os.environ.pop(MARK) == OURS:
        del os.environ["PYTHONSAFEPATH"]
    server, library = os.getpid(), str(Path(multiprocessing.__file__).parent)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        places = [frame.f_code.co_filename for frame, _ in walk_tb(trace)]
        between_us = isinstance(error, OSError | EOFError) and places and places[-1].startswith(library)
        if os.getpid() != server and not between_us:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


if MARK in os.environ:
    prepare()
