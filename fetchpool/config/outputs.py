"""Checks the output options: rows, saved bodies, WARC files, and the fields of the rows.

In: paths and names as the user wrote them. Out: path and format of each output, or a `UsageError` of one
line. The sinks open them, later.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from msgspec import Struct

from fetchpool.config import validate
from fetchpool.config.choices import FORMATS, format_of, without_compression
from fetchpool.config.crawl_options import FIELDS as CRAWL_FIELDS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.keep import KEPT, kept_fields
from fetchpool.config.parsers import Parser
from fetchpool.config.write_out import check_names
from fetchpool.model.errors import UsageError
from fetchpool.model.record import ROW_FIELDS, FieldType
from fetchpool.model.text import escape_invisible


def refuse_same_file(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise `UsageError` if an output is an input as well: the run would read its own rows, endlessly. `-` is
    standard input and standard output, which may also be the same file (`<a >>a`)."""
    read = {_identity(path, 0): path for path in inputs}
    read.pop(None, None)
    for path in outputs:
        if (identity := _identity(path, 1)) in read:
            name = "standard output" if path == "-" else escape_invisible(path)
            raise UsageError(
                f"{name} is also the input {escape_invisible(read[identity])}; choose another output with -o"
            )


def refuse_log(path: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise `UsageError` if a file of `--log-file` is an input or an output as well."""
    for names, what in ((inputs, "input"), (outputs, "output")):
        if is_among(path, names):
            raise UsageError(f"--log-file: {escape_invisible(path)} is also an {what}; choose another name")


def _identity(path: str, standard: int) -> tuple[int, int] | None:
    """Return device and inode of a regular file, which identify it under any name; None for anything else."""
    try:
        status = os.fstat(standard) if path == "-" else Path(path).stat()
    except (OSError, ValueError):  # opening it will report the error
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


HASHES = ("sha256",)
MISLEADING_SUFFIXES = {
    ".json": "JSON output has one object per line; use the suffix .jsonl, or add --format jsonl",
    ".xlsx": "there is no Excel format; use the suffix .csv, which Excel opens",
    ".xls": "there is no Excel format; use the suffix .csv, which Excel opens",
    ".bz2": "outputs are compressed with gzip or Zstandard; use .gz or .zst",
    ".xz": "outputs are compressed with gzip or Zstandard; use .gz or .zst",
}
BUILT_IN_FIELDS: dict[Parser, tuple[str, ...]] = {
    "title": ("title",),
    "meta": (
        *(
            "description",
            "canonical",
            "language",
            "og:title",
            "og:type",
            "og:url",
            "og:image",
            "og:description",
        ),
        *("og:site_name", "og:locale"),
    ),
    "links": ("links",),
    "text": ("text",),
}
"""The fields that built-in parsers add to a row, for outputs whose columns are fixed at the start."""
CRAWL_TYPES: dict[str, FieldType] = {
    **dict.fromkeys(CRAWL_FIELDS, "text"),
    **dict.fromkeys(("depth", "num_links"), "integer"),
}
BUILT_IN_TYPES: dict[str, FieldType] = {"links": "texts"}
"""The types of those that are not text."""


class Output(Struct, frozen=True):
    """The path and format of an output."""

    path: str
    """`-` is standard output."""
    format: str
    """One of `FORMATS`."""


def parse_outputs(paths: Sequence[str], format: str | None) -> tuple[Output, ...]:
    """Return each path with its format: `format`, or that of its suffix."""
    if format is not None:
        format = validate.choice("--format", format, FORMATS)
    named: set[str] = set()
    for path in paths:
        if not path:
            raise UsageError("--output: expected a path, or - for standard output; got an empty string")
        place = path if path == "-" else str(resolved(path))
        if place in named:
            raise UsageError(f"--output: duplicate path {path}")
        named.add(place)
    return tuple(Output(path, format or _format_of(path)) for path in paths)


def is_among(path: str, outputs: Sequence[str]) -> bool:
    """Whether a path is one of the outputs, possibly under another name."""
    return resolved(path) in (resolved(output) for output in outputs if output != "-")


def resolved(path: str) -> Path:
    """Return the path without symbolic links. If it cannot be resolved (the working directory was removed, or
    a link leads to itself) return it unchanged: opening it will report the error."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):  # ValueError: a NUL in it
        return Path(path)


def _format_of(path: str) -> str:
    suffix = Path(without_compression(path)).suffix.lower()
    if suffix in MISLEADING_SUFFIXES:
        raise UsageError(f"--output: {path}: {MISLEADING_SUFFIXES[suffix]}")
    return format_of(path)


def text_output_warnings(outputs: Sequence[Output], adding: Sequence[str]) -> list[str]:
    """Return warnings if the options in `adding` add fields and all outputs are text, which has no fields."""
    if not outputs or any(each.format != "text" for each in outputs):
        return []
    return [
        f"text output lacks the fields of {option}; use -o rows.jsonl or -o rows.csv" for option in adding
    ]


def extra_fields(fetch: FetchOptions, refreshed: bool) -> tuple[str, ...]:
    """Return the fields that options add to the rows, in order."""
    fields = {
        "sha256": fetch.hash or bool(fetch.save),
        "filename_effective": bool(fetch.save),
        "etag": fetch.validators,
        "last_modified": fetch.validators,
        "not_modified": refreshed,
        "redirect_url": fetch.no_follow,
    }
    crawled = CRAWL_FIELDS if fetch.crawl is not None else ()
    parsed = [name for parser in fetch.parse for name in BUILT_IN_FIELDS.get(parser, ())]
    kept = kept_fields(fetch.keep)
    features = [name for name, wanted in fields.items() if wanted]
    return tuple(dict.fromkeys((*crawled, *features, *kept, *(parsed_name(name, kept) for name in parsed))))


ADDED_BY = {
    "sha256": "--hash sha256",
    "filename_effective": "--save DIR",
    "etag": "--keep header:etag",
    "last_modified": "--keep header:last-modified",
    "not_modified": "--refresh OLD",
    **{name: f"--keep {name}" for name in KEPT},
}
"""The option that adds a field."""


def check_row_names(
    option: str, names: Sequence[str], fetch: FetchOptions, added: Sequence[str], has_columns: bool
) -> None:
    """Raise `UsageError` for names that are not fields of the rows. A user's parser and copied input columns
    may add any field."""
    if not names or has_columns or any(parser not in BUILT_IN_FIELDS for parser in fetch.parse):
        return
    parsed = {name: f"--parse {parser}" for parser, each in BUILT_IN_FIELDS.items() for name in each}
    check_names(option, names, (*ROW_FIELDS, *added, "content_encoding"), {**parsed, **ADDED_BY})


def parsed_name(name: str, kept: Collection[str]) -> str:
    """Return the name of a parser's field in the row."""
    return f"parse_{name}" if name in kept else name


def field_types(fetch: FetchOptions) -> dict[str, FieldType]:
    """Return the types of added fields that don't depend on their values."""
    kept = kept_fields(fetch.keep)
    parsed = {
        parsed_name(name, kept): BUILT_IN_TYPES.get(name, "text")
        for parser in fetch.parse
        for name in BUILT_IN_FIELDS.get(parser, ())
    }
    crawled = CRAWL_TYPES if fetch.crawl is not None else {}
    return {**parsed, **kept, **crawled}


def parser_fields(parse: tuple[Parser, ...], keep: tuple[str, ...] = ()) -> frozenset[str] | None:
    """Return the fields that parsers and `--keep` may add to a row; None if a user-defined parser may add
    any."""
    if any(parser not in BUILT_IN_FIELDS for parser in parse):
        return None
    kept = kept_fields(keep)
    parsed = (parsed_name(name, kept) for parser in parse for name in BUILT_IN_FIELDS[parser])
    encodings = ["body_encoding"] if "body" in kept else []
    return frozenset((*kept, *encodings, *parsed))


def save_directory(name: str | None) -> str:
    """Return the directory of `--save`; empty for None."""
    if name is None:
        return ""
    if not name:
        raise UsageError("--save: expected a directory, got an empty string")
    if os.open not in os.supports_dir_fd:
        raise UsageError("--save is not supported on this platform (no dir_fd); use --hash sha256")
    return name


def warc_archive(path: str | None) -> str:
    """Return the path of `--warc`; empty for None."""
    if path is None:
        return ""
    if not path.endswith(".warc.gz"):
        raise UsageError(f"--warc: {path!r}: the file name must end in .warc.gz")
    if os.open not in os.supports_dir_fd:
        raise UsageError("--warc is not supported on this platform (no dir_fd)")
    return path
