"""Converts a Parquet output between one file, its form after a run, and a directory, its form during a run.
In: the path of an output. Out: a directory for a run to write parts to, which becomes one file again after
the run if its size allows that. If a conversion is interrupted, all rows are at the path or in a hidden
directory next to it, from which they are restored when the output is next opened.

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
"""Maximum size of the parts that are merged, in bytes, which takes a few seconds. A larger output stays a
directory."""
LOCK = "_lock"
SINGLE = "_single"


def hidden_directory(path: Path) -> Path:
    """Return the directory that holds the rows during a conversion."""
    return path.with_name(f".{path.name}.parts")


def recover(path: Path) -> None:
    """Restore the rows that an interrupted run has left in the hidden directory. Raises `BlockingIOError`
    while another run uses it, and `OSError`."""
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
    """Convert the file to the first part of a directory. Raises `FileExistsError` while another run does the
    same, and `OSError`."""
    hidden = hidden_directory(path)
    hidden.mkdir()
    (hidden / SINGLE).touch()
    path.rename(PartFiles(hidden).path(0))
    hidden.rename(path)


def collapse(parts: PartFiles, number: int) -> None:
    """Convert the directory to one file. `number`: that of the next part. Does nothing if the output began as
    a directory, has no parts or is too large. Raises `IO_ERRORS`; all rows are then still in the
    directory."""
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
