"""Standard output for rows alone: what anybody else in the process, or in one that it starts, writes to it
meanwhile goes to standard error. A parser's `print()` is not to be taken for a row.

In: nothing. Out: a descriptor that leads where standard output led, until it is given back. C code is held to
it as well: it is the descriptor that leads elsewhere, and not `sys.stdout`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

STDOUT = 1
STDERR = 2


def take() -> int:
    """Raises `OSError`."""
    sys.stdout.flush()
    if isinstance(sys.stdout, TextIOWrapper):
        # As standard error is: words come when they are said. And Python 3.11, where threads fill a buffer
        # together, writes what was in memory there before (gh-119506).
        sys.stdout.reconfigure(line_buffering=True)
    descriptor = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    return descriptor


def restore(descriptor: int) -> None:
    """What others have written is written before, where it was meant to go."""
    with suppress(OSError, ValueError):  # nobody reads it, or it was closed
        sys.stdout.flush()
    _flush_c()
    os.dup2(descriptor, STDOUT)
    os.close(descriptor)


@contextmanager
def diverted() -> Iterator[None]:
    """Programs that are started meanwhile write to standard error, for good."""
    descriptor = take()
    try:
        yield
    finally:
        restore(descriptor)


def _flush_c() -> None:
    """C has a buffer of its own, which would be written at the process's end."""
    with suppress(ImportError, OSError, TypeError):  # there is no ctypes, or no telling where C's is
        import ctypes

        ctypes.CDLL(None).fflush(None)
