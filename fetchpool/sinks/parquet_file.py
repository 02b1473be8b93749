"""A Parquet output as one file, between the runs that write to it as a directory.

In: the path of an output. Out: a directory for a run to write parts to, which becomes one file again when the
run is over, if its size allows that. Whatever is interrupted, all rows are at the path, or in a hidden
directory next to it, from which they return when the output is next opened.

    pages.parquet ──expand()──▶ pages.parquet/part-000000.parquet … ──collapse()──▶ pages.parquet

The file `_single` in the directory says that it becomes a file. One that began as a directory stays one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from fetchpool.sinks.file_ops import lock
from fetchpool.sinks.parquet_parts import PartFiles

MAX_SIZE = 1 << 30
"""Bytes of parts that are joined: some seconds of work. A larger output stays a directory."""
LOCK = "_lock"
SINGLE = "_single"


def hidden_directory(path: Path) -> Path:
    """Return the directory in which the rows are while a file becomes a directory, or a directory a file."""
    return path.with_name(f".{path.name}.parts")


def recover(path: Path) -> None:
    """Bring back what an interrupted run left in the hidden directory. Raises `BlockingIOError` while another
    run uses it, and `OSError`."""
    hidden = hidden_directory(path)
    if not hidden.is_dir():
        return
    descriptor = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        lock(descriptor, wait=False)
        if PartFiles(hidden).numbers():
            if not os.path.lexists(path):
                hidden.rename(path)
        else:
            shutil.rmtree(hidden)
    finally:
        os.close(descriptor)


def expand(path: Path) -> None:
    """Make the file the first part of a directory. Raises `FileExistsError` while another run does the same,
    and `OSError`."""
    hidden = hidden_directory(path)
    hidden.mkdir()
    (hidden / SINGLE).touch()
    path.rename(PartFiles(hidden).path(0))
    hidden.rename(path)


def collapse(parts: PartFiles, number: int) -> None:
    """Make the directory one file; `number`: of the next part. Nothing happens if it began as a directory,
    has no part or is too large. Raises `IO_ERRORS`; then all rows are still in the directory."""
    path = parts.directory
    numbers = parts.numbers()
    if not numbers or not (path / SINGLE).exists() or parts.waiting():
        return
    if len(numbers) > 1:
        if sum(parts.path(each).stat().st_size for each in numbers) > MAX_SIZE:
            return
        parts.join(number)
    (only,) = parts.numbers()
    hidden = hidden_directory(path)
    path.rename(hidden)
    try:
        PartFiles(hidden).path(only).rename(path)
    except BaseException:
        hidden.rename(path)
        raise
    with suppress(OSError):
        shutil.rmtree(hidden)
