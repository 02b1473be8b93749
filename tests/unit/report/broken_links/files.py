"""The files of a made-up crawl: rows, links, and the ids of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fetchpool.crawl.page_links import fragment_hash
from fetchpool.model.link import Link, PageIds
from fetchpool.model.record import Record
from fetchpool.sinks.links.open import open_ids, open_links
from fetchpool.sinks.open import RowOptions, open_sink
from tests.factories import record

HOME = "http://h/"
HOSTILE = 'http://h/<b>&"`|]]>?\u202e\x00\ufffe'


def row(
    path: str, error: str | None = None, found_on: str | None = HOME, redirect_url: str | None = None
) -> Record:
    url = path if "://" in path else f"http://h/{path}"
    extra: dict[str, Any] = {"depth": 1, "found_on": found_on}
    if redirect_url is not None:
        extra["redirect_url"] = redirect_url
    return record(url=url, error=error, extra=extra)


def link(page: str, to: str, fragment: str | None = None, reason: str | None = None, tag: str = "a") -> Link:
    return Link(f"http://h/{page}", f"http://h/{to}", tag, "href", fragment, False, reason is None, reason)


def write(
    directory: Path,
    rows: list[Record],
    links: list[Link] | None = None,
    ids: dict[str, list[str]] | None = None,
    format: str = "jsonl",
) -> None:
    """Write the files of a crawl. `ids`: those of each page, by its path."""
    sink = open_sink(
        str(directory / f"rows.{format}"), rows=RowOptions(("depth", "found_on", "redirect_url"))
    )
    sink.write([replace(each, urlnum=number) for number, each in enumerate(rows)])
    sink.close()
    if links is not None:
        written = open_links(str(directory / f"links.{format}"))
        written.write(links)
        written.close()
    if ids is not None:
        hashes = open_ids(str(directory / f"links.{format}"))
        hashes.write(
            [PageIds(f"http://h/{path}", b"".join(map(fragment_hash, each))) for path, each in ids.items()]
        )
        hashes.close()
