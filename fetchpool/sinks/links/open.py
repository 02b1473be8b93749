"""Opens an output of links, and the file with the element IDs of pages. Imports only the adapter of the
chosen format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.link import Link, PageIds
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.links.base import IsDone, LinkSink
from fetchpool.sinks.links.lines import CsvLines, JsonLines, LineSink, keep_lines
from fetchpool.sinks.links.read import (
    ids_path,
    links_format,
    pending_path,
    read_ids,
    read_links,
)
from fetchpool.sinks.read_back import import_parquet

OPTION = "--links"


def open_links(path: str, is_done: IsDone | None = None) -> LinkSink:
    """Return the sink of an output of links. `is_done`: on resuming, whether a page has its row; the links of
    other pages are removed. Raises `UsageError` for a path that can't be opened or has other content, and
    without `is_done` for one that has links already; `OutputError` when the system fails."""
    format = links_format(OPTION, path)
    with _naming_option(path):
        if is_done is None:
            _refuse_existing(path, format)
        if format == "sqlite":
            from fetchpool.sinks.links.sqlite import SqliteLinks

            return SqliteLinks(path, is_done)
        if format == "parquet":
            import_parquet(path)
            from fetchpool.sinks.links.parquet import ParquetLinks

            return ParquetLinks(path, is_done)
        lines = JsonLines() if format == "jsonl" else CsvLines(format)
        if is_done is not None and Path(path).exists():
            keep_lines(path, lines, lambda: read_links(path, format), attrgetter("from_"), is_done)
        return LineSink[Link](path, lines)


def open_ids(path: str, is_done: IsDone | None = None) -> LineSink[PageIds]:
    """Return the sink for the ids of pages that belongs to an output of links. Parameters and exceptions as
    those of `open_links()`."""
    place = ids_path(path)
    lines = JsonLines("url", "file of the ids of pages")
    with _naming_option(place):
        if is_done is None and Path(place).exists():
            Path(place).unlink()  # of an output of links that no longer exists
        if is_done is not None and Path(place).exists():
            keep_lines(place, lines, lambda: read_ids(path), attrgetter("url"), is_done)
        return LineSink[PageIds](place, lines)


def files_of(path: str) -> tuple[tuple[str, str], ...]:
    """Return every file that an output of links may consist of, each with its format."""
    format = links_format(OPTION, path)
    return ((path, format), (ids_path(path), "jsonl"), (pending_path(path), "jsonl"))


def _refuse_existing(path: str, format: str) -> None:
    """Raise `UsageError` if the output already has links: a run that doesn't know its pages would write them
    again."""
    if format == "parquet" and Path(pending_path(path)).exists():
        is_used = True
    else:
        place = Path(path)
        is_used = place.is_file() and place.stat().st_size > 0
    if is_used:
        raise UsageError(
            f"{escape_invisible(path)}: has links of an earlier run; add --resume to continue it, "
            "--overwrite, or choose another -o"
        )


@contextmanager
def _naming_option(path: str) -> Iterator[None]:
    """Name the option in messages, and turn system errors into `OutputError`."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{OPTION}: {str(error).replace(' -o', f' {OPTION}')}") from error
    except OutputError as error:
        raise OutputError(str(error).replace(" -o", f" {OPTION}")) from error
    except OSError as failure:
        raise OutputError(
            f"{escape_invisible(path)}: {failure.strerror}; choose another {OPTION}"
        ) from failure
