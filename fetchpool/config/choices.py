"""The names that options choose from: executors, transports, colours, output formats."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MEMORY = 1 << 30
"""Bytes for duplicate detection: about seventy million fingerprints."""

EXECUTORS = ("thread", "process", "async")
TRANSPORTS = ("curl", "requests")
COLORS = ("auto", "always", "never")
FORMATS = ("text", "jsonl", "csv", "tsv", "sqlite", "parquet")
SUMMARIES = ("text", "json")
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".parquet": "parquet",
}
"""The format of an output by its suffix; any other name is text."""


def format_of(path: str) -> str:
    """Return the format of an output by its suffix."""
    return SUFFIXES.get(Path(path).suffix.lower(), "text")
