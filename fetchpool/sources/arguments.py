"""Recognizes URLs among the INPUT arguments. In: an argument. Out: whether it is a URL, and an input with
only that URL. An argument with `://` is a URL. One without a scheme is a URL if no file has that name, and it
looks like a host, as curl reads it; a notice says so, since it may be a misspelt file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import Url, is_address, parse_line, redact
from fetchpool.sources.batch import UrlBatch, with_lines
from fetchpool.sources.lines import MAX_LINE

FILE_SUFFIXES = frozenset(
    (
        *(
            "txt",
            "text",
            "lst",
            "list",
            "lis",
            "urls",
            "csv",
            "tsv",
            "tab",
            "json",
            "jsonl",
            "ndjson",
            "parquet",
        ),
        *(
            "gz",
            "bz2",
            "zst",
            "xz",
            "lzma",
            "zip",
            "tar",
            "tgz",
            "7z",
            "warc",
            "xlsx",
            "xls",
            "ods",
            "html",
            "htm",
        ),
        *(
            "xml",
            "yaml",
            "yml",
            "log",
            "out",
            "dat",
            "data",
            "db",
            "sqlite",
            "sqlite3",
            "tmp",
            "bak",
            "old",
            "orig",
        ),
    )
)
"""Last labels that file names have but host names don't."""
_PATH = re.compile(r"[./~]|[A-Za-z0-9_-]+/")
"""The start of a path: a directory without a dot in its name, or a dot or slash."""
_NAME = re.compile(r"(?:[A-Za-z]{2,}|xn--[A-Za-z0-9-]+)")
"""A top-level domain."""


def is_url(argument: str) -> bool:
    """Whether an argument is a URL, with or without a scheme, and not a file."""
    if "://" in argument:
        return True
    return _looks_like_host(argument) and not _is_file(argument)


_RANGE = re.compile(r"\[(?:\d+-\d+|[a-z]-[a-z]|[A-Z]-[A-Z])(?::\d+)?\]|\{[^{}]*,[^{}]*\}")
"""A range or a set in a URL, as curl's arguments may have."""


class ArgumentInput:
    """An input that is a single URL."""

    def __init__(self, argument: str, number: int, *, with_line: bool = False) -> None:
        """`number`: its position among the arguments."""
        self.columns: list[str] = []
        self.size: int | None = len(argument.encode("utf-8", "surrogatepass"))
        self.notice = ""
        """A notice for the user, or empty."""
        self._url = argument.strip()[:MAX_LINE]
        self._number = number if with_line else 0
        if "://" not in argument:
            shown = escape_invisible(redact(argument))
            self.notice = f"{shown}: no file has that name; reading it as the URL http://{shown}"
        elif found := _RANGE.search(argument):
            self.notice = (
                f"{escape_invisible(redact(argument))}: {found[0]} is part of the URL, not a range as in "
                "curl; in bash, {1..3} makes several arguments"
            )

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URL."""
        batch = UrlBatch([self._url], self.size or 0, len(self._url))
        yield with_lines(batch, "argument", [self._number]) if self._number else batch

    def abort(self) -> None:
        """Do nothing: nothing is waited for."""

    def close(self) -> None:
        """Do nothing: there is no file."""


def _is_file(argument: str) -> bool:
    try:
        return os.path.lexists(argument) or Path(argument.partition("/")[0]).is_dir()
    except (OSError, ValueError):
        return False


def _looks_like_host(argument: str) -> bool:
    if not argument.isprintable() or (_PATH.match(argument) and not argument.startswith("localhost/")):
        return False
    authority = re.split(r"[/?#]", argument, maxsplit=1)[0]
    has_port = bool(re.search(r":\d+\Z", authority))
    url = parse_line(argument)
    if not isinstance(url, Url):
        return False
    if has_port or url.host == "localhost":
        return True
    if is_address(url.host):  # the URL parser takes numbers for addresses, but they may be file names
        return "[" in authority or authority.count(".") == 3
    last = url.host.rstrip(".").rpartition(".")
    return bool(last[0]) and bool(_NAME.fullmatch(last[2])) and last[2].lower() not in FILE_SUFFIXES
