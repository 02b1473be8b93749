"""The exceptions a caller can meet, as a tree. What goes wrong with one URL is not among them:
that is data (`Outcome.error`).

    FetchpoolError
    ├── UsageError            a flag or an argument that can't be meant           exit 2
    │   └── InputError        an input that can't be read                         exit 2
    ├── OutputError           an output that can't be written                     exit 3
    └── PoolClosedError       submit() after shutdown()                  (a RuntimeError too)
"""

from __future__ import annotations


class FetchpoolError(Exception):
    """Everything this package raises on purpose. `str()` is one line that names the fix."""


class UsageError(FetchpoolError):
    """An option or argument that can't be meant; the message says which and what would do."""


class InputError(UsageError):
    """An input that can't be opened or read to its end."""


class OutputError(FetchpoolError):
    """An output that can't be opened or written: the run stops, what is in the file stays whole."""


class PoolClosedError(FetchpoolError, RuntimeError):
    """`submit()` on a pool that was shut down."""
