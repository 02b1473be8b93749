"""A thin wrapper around write, truncate, fsync and flock, which tests replace.

In: a descriptor. Out: what the operating system returns or raises. A test gives a sink another `FileOps` that
fails at a given call, as curl's torture tests do with memory.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from pathlib import Path

from fetchpool.model.text import escape_invisible

if sys.platform != "win32":
    import fcntl

NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL))
"""Errors of `flock` on file systems without locks (some network ones), where files are written unlocked."""
RESOURCE_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Errors of opening that are due to a lack of resources, and not to the given path."""


class FileOps:
    """The operating system's calls. Every method may raise `OSError`."""

    def write(self, descriptor: int, rows: memoryview) -> int:
        """Return the number of bytes written, fewer than given if the disk becomes full."""
        return os.write(descriptor, rows)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Wait until all written data is on disk. Must be called once, since a failure is not reported
        twice."""
        os.fsync(descriptor)


OPERATING_SYSTEM = FileOps()


def write_all(descriptor: int, data: bytes, disk: FileOps = OPERATING_SYSTEM) -> None:
    """Write all of the data. Raises `OSError`, even if the disk accepts a part."""
    left = memoryview(data)
    while left:
        try:
            left = left[disk.write(descriptor, left) :]
        except BlockingIOError:  # another program made standard output non-blocking
            select.select([], [descriptor], [])


def lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a file or directory for this process; return False if there are no locks. Raises `BlockingIOError`
    if another process has the lock and `wait` is false, and `OSError`."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        if failure.errno not in NO_LOCKS:
            raise
        return False
    return True


def unlock(descriptor: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_gone(descriptor: int, path: str | Path) -> bool:
    """Whether the path now leads to another file or to none, so that everything written here is lost."""
    try:
        return not os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except (FileNotFoundError, NotADirectoryError):
        return True


GONE = "was removed or replaced during the run; --resume fetches the missing rows"
NO_SPACE = "free some space, or choose another output with -o"


def open_error_message(path: str, failure: OSError | ValueError) -> str:
    """Return why an output can't be opened, and the fix."""
    directory = escape_invisible(str(Path(path).parent))
    if isinstance(failure, IsADirectoryError):
        return "is a directory; name a file in it with -o"
    if isinstance(failure, FileNotFoundError) and not Path(path).parent.exists():
        return f"directory {directory} does not exist; create it: mkdir -p '{directory}'"
    if isinstance(failure, PermissionError):
        return "permission denied; choose another output with -o"
    if isinstance(failure, OSError):
        return f"can't be opened ({failure.strerror}); choose another output with -o"
    return f"can't be opened ({failure}); choose another output with -o"
