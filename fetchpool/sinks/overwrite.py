"""Moves outputs aside for a run that replaces them (`--overwrite`). In: paths of outputs. Out: the same paths
without a file. Until the run has opened everything that it needs, the old outputs can be restored, so that a
misspelled option loses nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible

SUFFIX = ".overwritten"
FILES_OF_A_DATABASE = ("", "-wal", "-shm", "-journal")
"""Suffixes that SQLite appends to the name of a database for the files that belong to it."""


class OldOutputs:
    """The outputs that were moved aside."""

    def __init__(self, paths: Iterable[tuple[str, str]]) -> None:
        """`paths`: each output and its format. Only regular files and directories of Parquet files are moved
        aside. Raises `UsageError` for one that can't be moved, after restoring the others."""
        self._moved: list[tuple[Path, Path]] = []
        try:
            for path, format in paths:
                if path != "-":
                    self._set_aside(path, format)
        except BaseException:
            self.restore()
            raise

    def _set_aside(self, path: str, format: str) -> None:
        try:
            place = Path(path).resolve()
            if not place.is_file() and not (format == "parquet" and place.is_dir()):
                return  # a device or a pipe; or opening it reports the error
            if place.is_dir():
                check_parquet(path)
            for suffix in FILES_OF_A_DATABASE if format == "sqlite" else ("",):
                each = place.with_name(f"{place.name}{suffix}")
                if each.exists():
                    aside = place.with_name(f".{each.name}{SUFFIX}")
                    _remove(aside)  # of a run that was killed
                    each.rename(aside)
                    self._moved.append((each, aside))
        except (OSError, ValueError) as failure:
            why = failure.strerror if isinstance(failure, OSError) else failure
            raise UsageError(
                f"--overwrite: {escape_invisible(path)}: can't be replaced ({why}); choose another -o"
            ) from failure

    def restore(self) -> None:
        """Restore the outputs."""
        for place, aside in reversed(self._moved):
            with suppress(OSError):
                _remove(place)
                aside.rename(place)
        self._moved.clear()

    def remove(self) -> None:
        """Remove the outputs for good."""
        for _, aside in self._moved:
            with suppress(OSError):
                _remove(aside)
        self._moved.clear()


def check_parquet(path: str) -> None:
    """Raise `UsageError` for a directory with files that don't belong to a Parquet output."""
    from fetchpool.sinks.open import open_parquet

    open_parquet(path).close()  # it also refuses a directory that another run is writing to


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
