"""A log file of limited size: at its limit it is renamed to `NAME.1`, and that file to `NAME.2`. In: lines.
Out: a file that only its owner may read, and that ends in a complete line even if the disk is full. If
another program has renamed or removed it (logrotate), the next lines go to a new file. Only one thread may
use it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from fetchpool.progress.complete_lines import write_lines

PRIVATE = 0o600


class RotatingFile:
    """Appends lines to a file."""

    def __init__(self, path: str, *, max_size: int, keep: int) -> None:
        """`max_size`: in bytes; 0 is no limit. `keep`: the number of renamed files to keep. Raises
        `OSError`."""
        self._path = path
        self._max_size = max_size
        self._keep = keep
        self._descriptor: int | None = None
        self._rotates_from = 0
        """The size at which the file is renamed, larger than `max_size` after renaming has failed; with 0,
        never."""
        self._open()

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Append lines, with their line ends. Return the number of lines written, and the error if not all
        are."""
        written = 0
        try:
            descriptor, size = self._reopened()
            while written < len(lines):
                if size and 0 < self._rotates_from < size + len(lines[written]):
                    descriptor, size = self._rotated(size)
                batch = _fitting(lines[written:], self._rotates_from - size if self._rotates_from else None)
                octets, failure = write_lines(descriptor, b"".join(batch))
                if failure is not None:
                    return written + b"".join(batch).count(b"\n", 0, octets), failure
                written, size = written + len(batch), size + octets
        except OSError as failure:
            return written, failure
        return written, None

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def _open(self) -> tuple[int, int]:
        """Open the file; return its descriptor and size."""
        # Without O_NONBLOCK a named pipe without a reader would block.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = descriptor = os.open(self._path, flags, PRIVATE)
        os.set_blocking(descriptor, True)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # a device or a named pipe
            self._rotates_from = 0
            return descriptor, 0
        self._rotates_from = self._max_size
        if status.st_size and not _ends_in_a_line(self._path, status.st_size):
            write_lines(descriptor, b"\n")
        return descriptor, status.st_size

    def _reopened(self) -> tuple[int, int]:
        """Return descriptor and size of the file at the path, which may have been replaced."""
        if self._descriptor is not None:
            ours = os.fstat(self._descriptor)
            if not stat.S_ISREG(ours.st_mode):
                return self._descriptor, 0
            with suppress(FileNotFoundError):
                named = os.stat(self._path)  # noqa: PTH116 - with os.fstat()
                if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
                    return self._descriptor, ours.st_size
            self.close()
        return self._open()

    def _rotated(self, size: int) -> tuple[int, int]:
        """Rename the file, and return descriptor and size of a new file, or of the same one if renaming
        fails."""
        assert self._descriptor is not None
        try:
            for number in range(self._keep - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")  # noqa: PTH105
            if self._keep:
                os.replace(self._path, f"{self._path}.1")  # noqa: PTH105
            else:
                os.unlink(self._path)  # noqa: PTH108
        except OSError:  # the directory may be read-only: a larger log is better than none
            self._rotates_from = size + self._max_size
            return self._descriptor, size
        self.close()
        return self._open()


def _fitting(lines: Sequence[bytes], space: int | None) -> Sequence[bytes]:
    """Return the first lines that fit, at least one."""
    if space is None:
        return lines
    for number, line in enumerate(lines):
        space -= len(line)
        if space < 0 and number:
            return lines[:number]
    return lines


def _ends_in_a_line(path: str, size: int) -> bool:
    """Whether the last byte of a file is a line end; true if that is unknown."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - like the rest
            return os.pread(file.fileno(), 1, size - 1) == b"\n"
    except OSError:
        return True
