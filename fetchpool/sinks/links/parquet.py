"""Writes links to a Parquet file, which is made at the end of the run (extra `parquet`). In: links. Out:
during the run a file of JSON lines, which survives a kill; at the end the Parquet file. While the file of
lines exists, it has all links, and the Parquet file does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fetchpool.model.errors import OutputError
from fetchpool.model.link import Link
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.links.base import IsDone
from fetchpool.sinks.links.lines import JsonLines, LineSink, keep_lines, replace_lines
from fetchpool.sinks.links.parquet_file import ERRORS, read, write
from fetchpool.sinks.links.read import pending_path, read_links


class ParquetLinks:
    """A `LinkSink` for a Parquet file."""

    def __init__(self, path: str, is_done: IsDone | None = None) -> None:
        """Open the file of lines. `is_done`: on resuming, whether a page has its row; the links of other
        pages are removed. Raises `UsageError` and `OutputError`."""
        self.name = escape_invisible(path)
        self._path = path
        waiting = Path(pending_path(path)).resolve()
        format = JsonLines()
        if is_done is not None and waiting.exists():
            keep_lines(str(waiting), format, lambda: read_links(path, "parquet"), _page, is_done)
        elif is_done is not None and Path(path).exists():
            kept = ([link for link in batch if is_done(link.from_)] for batch in read(path))
            replace_lines(waiting, format, kept)
        self._lines = LineSink[Link](str(waiting), format)
        self._closed = False

    def write(self, links: Sequence[Link]) -> None:
        self._lines.write(links)

    def flush(self) -> None:
        self._lines.flush()

    def sync(self) -> None:
        self._lines.sync()

    def close(self) -> None:
        """Make the Parquet file, and remove the file of lines."""
        if self._closed:
            return
        self._closed = True
        self._lines.close()
        try:
            write(Path(self._path).resolve(), read_links(self._path, "parquet"))
            Path(pending_path(self._path)).unlink()
        except ERRORS as failure:
            raise OutputError(f"{self.name}: can't be written: {failure}") from failure


def _page(link: Link) -> str:
    return link.from_
