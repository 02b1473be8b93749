"""What a disk can refuse: the few calls by which an output's bytes change, and its lock, in one place.

In: a descriptor. Out: what the operating system says. A test hands a sink another `FileOps`, which fails
when it is told to, as curl's torture tests do with memory.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from fetchpool.model.text import escape_invisible

if sys.platform != "win32":
    import fcntl

NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL))
"""What `flock` says on file systems that have no locks (some network ones): then we go without."""
RESOURCE_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Opening failed for want of something, and not because of the name that was given."""


class FileOps:
    """The operating system's own. Every method may raise `OSError`."""

    def write(self, descriptor: int, rows: memoryview) -> int:
        """How many bytes were taken: fewer than there are when the disk is full midway."""
        return os.write(descriptor, rows)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Waits until the disk has it. To be asked once: a failure is not told a second time."""
        os.fsync(descriptor)


def lock(descriptor: int) -> bool:
    """Waits for the file's advisory lock; False when there is none to be had. Raises `OSError`."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as failure:
        if failure.errno not in NO_LOCKS:
            raise
        return False
    return True


def unlock(descriptor: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_gone(descriptor: int, path: str | Path) -> bool:
    """Whether that name leads to another file by now, or to none: what is written to this one is lost."""
    try:
        return not os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except (FileNotFoundError, NotADirectoryError):
        return True


GONE = "was removed or replaced while it was written; --resume fetches what it lacks"


def open_error_message(path: str, failure: OSError | ValueError) -> str:
    """Why an output can't be opened, and what would help."""
    folder = escape_invisible(str(Path(path).parent))
    if isinstance(failure, IsADirectoryError):
        return "is a folder; name a file in it with -o"
    if isinstance(failure, FileNotFoundError) and not Path(path).parent.exists():
        return f"there is no folder {folder}; make it first: mkdir -p '{folder}'"
    if isinstance(failure, PermissionError):
        return "no permission to read and write it; name another file with -o"
    if isinstance(failure, OSError):
        return f"can't be opened ({failure.strerror}); name another file with -o"
    return f"can't be opened ({failure}); name another file with -o"
