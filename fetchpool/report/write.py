"""Writes a report to a file, completely or not at all, and never over a file that is not a report.

In: a path, and the content. Out: the file, under its name once it is complete.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.report.numbers import GENERATOR
from fetchpool.sinks.file_ops import open_error_message

BEGINNING = 1_000
"""Number of bytes at the start that identify a report."""


class Form(StrEnum):
    """The form in which a report is written."""

    PAGE = "html"
    JSON = "json"
    TEXT = "txt"


SUFFIXES = {".html": Form.PAGE, ".htm": Form.PAGE, ".json": Form.JSON, ".txt": Form.TEXT}


def form_of(option: str, path: str, other: Form | None = None) -> Form:
    """Return the form of a report by the suffix of its file; without a suffix it is a page. `other`: the form
    for any other suffix; if it is missing, such a suffix raises `UsageError`."""
    suffix = Path(path).suffix.lower()
    form = SUFFIXES.get(suffix, other)
    if form is None and suffix:
        name = escape_invisible(path)
        raise UsageError(f"{option}: {name}: a report is .html, .json or .txt; choose another name")
    return form or Form.PAGE


def check_path(option: str, path: str) -> None:
    """Raise `UsageError` if a report can't be written to `path`, whose option is named in the message."""
    name = f"{option}: {escape_invisible(path)}"
    try:
        place = Path(path)
        if not place.parent.is_dir():
            raise UsageError(f"{name}: there is no directory {escape_invisible(str(place.parent))}")
        status = place.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{name}: is a directory; name a file in it")
        if stat.S_ISREG(status.st_mode) and not _is_report(place):
            raise UsageError(f"{name}: is not a report, and is not overwritten; choose another name")
    except FileNotFoundError:
        return
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
        raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure


def write(option: str, path: str, content: bytes) -> None:
    """Write the report. Raises `UsageError` as `check_path()` does, and `OutputError` if the system fails."""
    check_path(option, path)
    name = escape_invisible(path)
    try:
        place = Path(path).resolve()
        if place.exists() and not place.is_file():  # a device or a pipe
            place.write_bytes(content)
            return
        writing = place.with_name(f".{place.name}.writing")
        try:
            with writing.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            writing.replace(place)
        except BaseException:
            with suppress(OSError):
                writing.unlink()
            raise
    except OSError as failure:
        raise OutputError(f"{name}: the report can't be written: {failure.strerror}") from failure


def _is_report(path: Path) -> bool:
    """Whether a file is a report, or empty."""
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
    return not beginning or GENERATOR.encode() in beginning
