"""The names that options choose from: executors, transports, colours, output formats."""

from __future__ import annotations

from pathlib import Path

DEFAULT_OUTPUT = "sizes.txt"
"""The output of the command line without --output."""
DEFAULT_MEMORY = 1 << 30
"""Bytes for duplicate detection: about seventy million fingerprints."""

LOCAL_EXECUTORS = ("thread", "process", "async")
"""The executors whose workers are on this machine."""
EXECUTORS = (*LOCAL_EXECUTORS, "cluster")
TRANSPORTS = ("curl", "requests")
COLORS = ("auto", "always", "never")
FORMATS = ("text", "jsonl", "csv", "tsv", "sqlite", "parquet")
SUMMARIES = ("text", "json")
PROGRESS = ("auto", "bar", "plain", "json", "none")
LOG_LEVELS = ("debug", "info", "warning", "error")
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


COMPRESSED = (".gz", ".zst")
"""Suffixes of compressed outputs; the suffix before them decides the format."""


def compression_of(path: str) -> str:
    """Return the suffix of a compressed output; empty for any other."""
    suffix = Path(path).suffix.lower()
    return suffix if suffix in COMPRESSED else ""


def format_of(path: str) -> str:
    """Return the format of an output by its suffix."""
    return SUFFIXES.get(Path(without_compression(path)).suffix.lower(), "text")


def without_compression(path: str) -> str:
    """Return a path without its compression suffix."""
    return path[: -len(suffix)] if (suffix := compression_of(path)) else path
