"""Spools bodies to disk in bounded memory, in a directory of unfinished files that belongs to the run.

In: pieces of a body. Out: a file of the body, or its bytes if it is small. Disk errors are raised as
`OSError`; the caller knows which output they belong to.

The run's process holds a lock on the directory. However the process ends, the lock is released: the next run
with the same output removes directories that are not locked. Concurrent runs don't touch each other's
directories.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file_ops import lock, write_all

IN_MEMORY = 256 * 1024
"""Maximum bytes of a body held in memory; a larger body goes to a file. Nearly every page fits, and a
thousand of them take a quarter of a gigabyte."""
PREFIX = ".fetchpool-"
"""Prefix of the names of directories for unfinished files."""
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_numbers = count()


class SpooledBody:
    """A body that is being received: in memory at first, in a file once it is large. Not thread-safe."""

    __slots__ = ("_descriptor", "_directory", "_held", "path", "size")

    def __init__(self, directory: str) -> None:
        """`directory`: where the file is created."""
        self._directory = directory
        self._held: list[bytes] = []
        self._descriptor = -1
        self.path = ""
        """The path of the file; empty while the body is in memory."""
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append a piece. Raises `OSError`."""
        self.size += len(piece)
        if self._descriptor >= 0:
            write_all(self._descriptor, piece)
            return
        self._held.append(piece)
        if self.size > IN_MEMORY:
            self.rollover()

    def _open(self) -> str:
        """Create the file. A crashed worker with the same process id may have left files with that name."""
        while True:
            path = str(Path(self._directory, f"{os.getpid()}-{next(_numbers)}"))
            with suppress(FileExistsError):
                self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666)
                return path

    def rollover(self) -> None:
        """Move the body to the file; later pieces are written there. Raises `OSError`."""
        if self._descriptor < 0:
            path = self._open()
            self.path = path
            write_all(self._descriptor, b"".join(self._held))
            self._held.clear()

    @property
    def content(self) -> bytes:
        """The body; empty once it is in a file."""
        return b"".join(self._held)

    def close(self) -> None:
        """Close the file without deleting it; the caller that uses `path` owns it. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def discard(self) -> None:
        """Delete the body. Raises nothing: a file that can't be deleted is removed with the directory."""
        self._held.clear()
        with suppress(OSError):
            self.close()
        if self.path:
            with suppress(OSError):
                Path(self.path).unlink()
            self.path = ""


class SpoolDirectory:
    """The directory of one run's unfinished files, created in `place`; `close()` deletes it."""

    def __init__(self, place: str, purpose: str) -> None:
        """`purpose`: part of the directory's name. Leftovers with the same purpose are deleted. Raises
        `OSError`."""
        prefix = f"{PREFIX}{purpose}-"
        for leftover in Path(place).glob(f"{prefix}*"):
            if not leftover.is_symlink():
                _clear(leftover)
        while True:
            self.path = tempfile.mkdtemp(prefix=prefix, dir=place)
            try:
                self._lock = _locked(self.path)
                if Path(self.path).exists():
                    return
            except (FileNotFoundError, BlockingIOError):  # another run is deleting it as a leftover
                continue

    def close(self) -> None:
        """Delete the directory. Idempotent. Raises nothing: the next run deletes what is left."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_spool(option: str, place: str, purpose: str) -> SpoolDirectory:
    """Return the run's own directory in `place`, which is created if it is missing. Raises `UsageError` for
    an invalid place, and `OutputError` if the system fails."""
    name = escape_invisible(place)
    try:
        with suppress(FileExistsError):
            Path(place).mkdir()
        return SpoolDirectory(place, purpose)
    except (OSError, ValueError) as failure:  # ValueError: a NUL in it
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise OutputError(
                f"{name}: {failure.strerror}; free some space, or choose another {option}"
            ) from failure
        if isinstance(failure, FileNotFoundError) and not Path(place).parent.exists():
            parent = escape_invisible(str(Path(place).parent))
            problem = f"directory {parent} does not exist; create it: mkdir -p '{parent}'"
        elif isinstance(failure, NotADirectoryError):
            problem = "is not a directory; choose another one"
        elif isinstance(failure, PermissionError):
            problem = "no permission to write to it; choose another directory"
        else:
            problem = f"can't be used ({failure.strerror if isinstance(failure, OSError) else failure})"
        raise UsageError(f"{option}: {name}: {problem}") from failure


def _locked(directory: str) -> int | None:
    """Lock a directory; return the descriptor that holds the lock, or None if directories can't be locked, in
    which case leftovers stay. Raises `BlockingIOError` when another process holds the lock, and `OSError`
    when the directory is gone."""
    if sys.platform == "win32":
        return None
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | NO_LINK)
    try:
        if lock(descriptor, wait=False):
            return descriptor
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        pass
    os.close(descriptor)
    return None


def _clear(directory: Path) -> None:
    """Delete a directory if its run has ended."""
    with suppress(OSError):  # its run is still active, or another run deletes it at the same time
        descriptor = _locked(str(directory))
        if descriptor is not None:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(descriptor)
