"""Reads outputs of links, and the ids of pages that are stored with them.

In: the path of an output. Out: its links in batches, in bounded memory. Nothing is locked or changed; an
incomplete last line is left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from fetchpool.config.choices import format_of
from fetchpool.config.crawl_options import links_file
from fetchpool.model.csv_cells import unescape_cell
from fetchpool.model.errors import UsageError
from fetchpool.model.link import LINK_COLUMNS, Link, PageIds
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.read_back import import_parquet, line_blocks
from fetchpool.sinks.row_lines import decode_json, parse_cells

T = TypeVar("T", bound=msgspec.Struct)

BATCH = 1_000
"""Number of links read from a database at once."""
SELECT = 'SELECT "{}" FROM links ORDER BY rowid'.format('", "'.join(LINK_COLUMNS))
IDS_SUFFIX = ".ids.jsonl"
"""Suffix of the file with the element IDs of pages, appended to the name of the output of links."""
PENDING_SUFFIX = ".pending.jsonl"
"""Suffix of the file with the links that a Parquet file will be made of, appended to its name."""


def links_format(option: str, path: str) -> str:
    """Return the format of an output of links by its suffix. Raises `UsageError`."""
    return format_of(links_file(option, path))


def ids_path(path: str) -> str:
    """Return the path of the file with the ids of pages, for the path of an output of links."""
    return f"{path}{IDS_SUFFIX}"


def pending_path(path: str) -> str:
    """Return the path of the file with the links that a Parquet file will be made of."""
    return f"{path}{PENDING_SUFFIX}"


def read_links(path: str, format: str) -> Iterator[list[Link]]:
    """Yield the links of an output. Raises `UsageError` for a file that can't be read or is not such an
    output."""
    if format == "jsonl":
        return _json_lines(path, Link)
    if format == "sqlite":
        return _sqlite(path)
    if format == "parquet":
        waiting = pending_path(path)
        return _json_lines(waiting, Link) if Path(waiting).exists() else _parquet(path)
    return _csv(path, format)


def read_ids(path: str) -> Iterator[list[PageIds]]:
    """Yield the ids of pages that belong to an output of links; nothing if there are none."""
    place = ids_path(path)
    return _json_lines(place, PageIds) if Path(place).exists() else iter(())


def _json_lines(path: str, type: type[T]) -> Iterator[list[T]]:
    decoder = msgspec.json.Decoder(type)
    found = blocks = 0
    for block in line_blocks(path):
        batch = [each for each in decode_json(block, decoder) if each is not None]
        blocks += 1
        found += len(batch)
        yield batch
    if blocks and not found:
        raise UsageError(f"{escape_invisible(path)}: has no links; name an output of --links")


def _csv(path: str, format: str) -> Iterator[list[Link]]:
    delimiter = "," if format == "csv" else "\t"
    is_first = True
    for block in line_blocks(path):
        rows = parse_cells(block.decode(errors="replace"), delimiter)
        if is_first:
            is_first = False
            if tuple(rows[0]) != LINK_COLUMNS:
                raise UsageError(f"{escape_invisible(path)}: has no links; name an output of --links")
            rows = rows[1:]
        yield [_from_cells(cells) for cells in rows if len(cells) == len(LINK_COLUMNS)]


def _from_cells(cells: list[str]) -> Link:
    from_, to, tag, attribute, fragment = map(unescape_cell, cells[:5])
    nofollow, followed = (cell == "true" for cell in cells[5:7])
    return Link(
        from_, to, tag, attribute, fragment[1:] if fragment else None, nofollow, followed, cells[7] or None
    )


def _sqlite(path: str) -> Iterator[list[Link]]:
    name = escape_invisible(path)
    if not Path(path).exists():
        raise UsageError(f"{name}: no such file; check its name")
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
            cursor = database.execute(SELECT)
            while rows := cursor.fetchmany(BATCH):
                yield [
                    Link(from_, to, tag, attribute, fragment, bool(nofollow), bool(followed), reason)
                    for from_, to, tag, attribute, fragment, nofollow, followed, reason in rows
                ]
    except sqlite3.Error as failure:
        raise UsageError(f"{name}: is not a readable SQLite output of links ({failure})") from failure


def _parquet(path: str) -> Iterator[list[Link]]:
    import_parquet(path)
    from fetchpool.sinks.links.parquet_file import read

    return read(path)
