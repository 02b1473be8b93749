"""Reserves standard output for rows: everything else that this process or its children print goes to standard
error, so that the output of a parser's `print()` never looks like a row. Out: a descriptor of the real
standard output, until it is restored. The descriptor is redirected, not only `sys.stdout`, so this includes C
code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

STDOUT = 1
STDERR = 2


def redirect() -> int:
    """Make descriptor 1 lead to standard error; return a descriptor of standard output. Raises `OSError`."""
    sys.stdout.flush()
    if isinstance(sys.stdout, TextIOWrapper):
        # Line-buffered like standard error, so that text appears at once. Besides, when threads share a
        # buffer, Python 3.11 writes memory that was not part of the text (gh-119506).
        sys.stdout.reconfigure(line_buffering=True)
    descriptor = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    return descriptor


def restore(descriptor: int) -> None:
    """Make descriptor 1 lead to standard output again, after all buffered output has gone to standard
    error."""
    with suppress(OSError, ValueError):  # its reader is gone, or it was closed
        sys.stdout.flush()
    _flush_c()
    os.dup2(descriptor, STDOUT)
    os.close(descriptor)


@contextmanager
def diverted() -> Iterator[None]:
    """Redirect standard output to standard error within the block; programs started in it keep that."""
    descriptor = redirect()
    try:
        yield
    finally:
        restore(descriptor)


def _flush_c() -> None:
    """Flush C's own buffer, which would be written to standard output when the process ends."""
    with suppress(ImportError, OSError, TypeError):  # ctypes or the C library was not found
        import ctypes

        ctypes.CDLL(None).fflush(None)
