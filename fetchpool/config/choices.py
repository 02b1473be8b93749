"""The names that options choose from: executors, transports, output formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded by those who need it
    pass


DEFAULT_MEMORY = 1 << 30
"""Bytes: about seventy million fingerprints without marks."""


if TYPE_CHECKING:  # only the adapter that was chosen is imported
    pass


FORMATS = ("text", "jsonl", "csv", "sqlite", "parquet")


SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".parquet": "parquet",
}
"""Which format an output's name asks for; any other name is text."""


def format_of(path: str) -> str:
    """The format that an output's name asks for."""
    return SUFFIXES.get(Path(path).suffix.lower(), "text")


EXECUTORS = ("thread", "process", "async")


TRANSPORTS = ("curl", "requests")
