"""The exceptions a caller can meet, as a tree. What goes wrong with one URL is not among them:
that is data (`Outcome.error`).

    FetchpoolError
    ├── UsageError            an invalid option or argument                       exit 2
    │   ├── InputError        an input that can't be read                         exit 2
    │   └── NoThreadError     the system has no more threads for us               exit 2
    ├── OutputError           an output that can't be written                     exit 3
    │   └── OutputClosedError the reader of our standard output has left          exit 0
    ├── PoolClosedError       submit() after shutdown()                  (a RuntimeError too)
    └── WorkerLostError       a worker process died under a request: it may be submitted again
"""

from __future__ import annotations


class FetchpoolError(Exception):
    """Everything this package raises on purpose. `str()` is one line that names the fix."""


class UsageError(FetchpoolError):
    """An invalid option or argument. The message names it and suggests a valid value."""


class InputError(UsageError):
    """An input that can't be opened or read to its end."""


class NoThreadError(UsageError):
    """A thread can't be started; what was written before is whole."""


class OutputError(FetchpoolError):
    """An output that can't be opened or written: the run stops, what is in the file stays whole."""


class OutputClosedError(OutputError):
    """Whoever read our standard output has seen enough (`| head`): the run ends, and nothing is wrong."""


class PoolClosedError(FetchpoolError, RuntimeError):
    """`submit()` on a pool that was shut down."""


class WorkerLostError(FetchpoolError):
    """The worker process died under the request (killed, out of memory, a crash in a parser). It may
    be submitted again; `fetch()` and the command line do so by themselves."""
