"""Bodies on their way to a disk, in bounded memory; and the folder where they wait, this run's own.

In: pieces of a body. Out: a file of it, or, while it is small, its bytes. What goes wrong with the
disk under a body comes out as `OSError`, for whoever knows what it was for.

A run's unfinished files stand in a folder of their own, which its process holds locked. However the
process ends, the lock goes with it: the next run with the same place clears away what has none. Two
runs at once leave each other alone.
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
"""Bytes of a body that are held before it goes to a file: nearly every page fits, and a thousand at once
are a quarter of a gigabyte."""
PREFIX = ".fetchpool-"
"""How the folders of unfinished files are called."""
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_numbers = count()


class SpooledBody:
    """One body, as it comes. Not for several threads."""

    __slots__ = ("_descriptor", "_folder", "_held", "path", "size")

    def __init__(self, folder: str) -> None:
        """`folder`: where its file is made, once it is large."""
        self._folder = folder
        self._held: list[bytes] = []
        self._descriptor = -1
        self.path = ""
        """Its file; empty while it is held in memory."""
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Raises `OSError`."""
        self.size += len(piece)
        if self._descriptor >= 0:
            write_all(self._descriptor, piece)
            return
        self._held.append(piece)
        if self.size > IN_MEMORY:
            self.rollover()

    def _open(self) -> str:
        """Makes the file. A worker that died may have had our process id, and left files of that name."""
        while True:
            path = str(Path(self._folder, f"{os.getpid()}-{next(_numbers)}"))
            with suppress(FileExistsError):
                self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666)
                return path

    def rollover(self) -> None:
        """What there is so far goes to the file, and so does all that follows. Raises `OSError`."""
        if self._descriptor < 0:
            path = self._open()
            self.path = path
            write_all(self._descriptor, b"".join(self._held))
            self._held.clear()

    @property
    def content(self) -> bytes:
        """All of it; empty once it is in a file."""
        return b"".join(self._held)

    def close(self) -> None:
        """Nothing more comes. Its file stays, and is whoever's who asks for `path`. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def discard(self) -> None:
        """Leaves nothing of it. Raises nothing: what is left all the same goes with the folder."""
        self._held.clear()
        with suppress(OSError):
            self.close()
        if self.path:
            with suppress(OSError):
                Path(self.path).unlink()
            self.path = ""


class SpoolDirectory:
    """The folder of one run's unfinished files: made in `place`, gone with `close()`."""

    def __init__(self, place: str, purpose: str) -> None:
        """`purpose` is a part of its name: only what has the same is cleared away. Raises `OSError`."""
        prefix = f"{PREFIX}{purpose}-"
        for left in Path(place).glob(f"{prefix}*"):
            if not left.is_symlink():
                _clear(left)
        while True:
            self.path = tempfile.mkdtemp(prefix=prefix, dir=place)
            try:
                self._lock = _locked(self.path)
                if Path(self.path).exists():
                    return
            except (FileNotFoundError, BlockingIOError):  # another run took it for a dead one's
                continue

    def close(self) -> None:
        """Idempotent. Raises nothing: what can't be removed now is cleared away by the next run."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_spool(option: str, place: str, purpose: str) -> SpoolDirectory:
    """The run's own folder in `place`, which is made when it isn't there. Raises `UsageError` for an
    invalid place, `OutputError` when the machine fails."""
    name = escape_invisible(place)
    try:
        with suppress(FileExistsError):
            Path(place).mkdir()
        return SpoolDirectory(place, purpose)
    except (OSError, ValueError) as failure:  # ValueError: a NUL in it
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise OutputError(
                f"{name}: {failure.strerror}; make room, or choose another {option}"
            ) from failure
        if isinstance(failure, FileNotFoundError):
            parent = escape_invisible(str(Path(place).parent))
            problem = f"there is no folder {parent}; make it first: mkdir -p '{parent}'"
        elif isinstance(failure, NotADirectoryError):
            problem = "is no folder; choose another one"
        elif isinstance(failure, PermissionError):
            problem = "no permission to write in it; choose another folder"
        else:
            problem = f"can't be used ({failure.strerror if isinstance(failure, OSError) else failure})"
        raise UsageError(f"{option}: {name}: {problem}") from failure


def _locked(folder: str) -> int | None:
    """A descriptor that holds the folder; None where folders can't be locked: what is left behind stays
    there. Raises `BlockingIOError` when somebody else holds it, `OSError` when it is gone."""
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | NO_LINK)
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


def _clear(folder: Path) -> None:
    """Removes it when the run it belonged to is no more."""
    with suppress(OSError):  # it is a living run's, or another one clears it away at the same time
        descriptor = _locked(str(folder))
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
