"""The exceptions that fetchpool raises, as a tree. The failure of one URL is not among them: that is data
(`Record.error`).

    FetchpoolError
    ├── UsageError            an invalid option or argument                       exit 2
    │   ├── InputError        an input that can't be read                         exit 2
    │   └── NoThreadError     a thread that can't be started                      exit 2
    ├── OutputError           an output that can't be written                     exit 3
    │   └── OutputClosedError standard output was closed by its reader            exit 0
    ├── ClusterLostError      the cluster of a run is gone, or has no worker      exit 6
    ├── PoolClosedError       submit() after shutdown()                  (a RuntimeError too)
    └── WorkerLostError       a worker process crashed during a request
"""

from __future__ import annotations


class FetchpoolError(Exception):
    """Base class of all exceptions that fetchpool raises. `str()` is one line that names the fix."""


class UsageError(FetchpoolError):
    """An invalid option or argument. The message names it and suggests a valid value."""


class InputError(UsageError):
    """An input that can't be opened or read to its end."""


class NoThreadError(UsageError):
    """A thread can't be started; the rows already written are complete."""


class OutputError(FetchpoolError):
    """An output that can't be opened or written: the run stops, and the rows already written are complete."""


class OutputClosedError(OutputError):
    """Standard output was closed by its reader (`| head`); the run ends normally."""


class ClusterLostError(FetchpoolError):
    """The cluster of a run is gone, or had no worker for too long: the run was aborted, and the rows that it
    has returned are final."""


class PoolClosedError(FetchpoolError, RuntimeError):
    """`submit()` on a pool that was shut down."""


class WorkerLostError(FetchpoolError):
    """The worker process crashed during the request (killed, out of memory, a crash in a parser). The request
    may be submitted again; `fetch()` and the command line do so."""

    def __init__(self, message: str = "", worker: str = "") -> None:
        """`worker`: what the pool calls the worker, for messages; each one that is lost has another name."""
        super().__init__(message)
        self.worker = worker


NO_FILE = "no such file; check its name"


def why_unreadable(failure: Exception, other: str = "not a file name") -> str:
    """Return why a file can't be read, with the fix. `other`: what an exception means that is not the
    system's."""
    if isinstance(failure, FileNotFoundError):
        return NO_FILE
    if isinstance(failure, IsADirectoryError):
        return "is a directory; name a file"
    if isinstance(failure, PermissionError):
        return "permission denied; change its mode, or run as its owner"
    return (isinstance(failure, OSError) and failure.strerror) or other
