"""What a run leaves behind, checked before it begins: rows, bodies, an archive, and the fields of the rows.

In: names as a person wrote them. Out: where each goes and in which format, or a `UsageError` of one line.
Nothing is opened or made here: that is the sinks' and `app.py`'s.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.config import validate
from fetchpool.config.choices import FORMATS, SUFFIXES
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible

if TYPE_CHECKING:  # only the adapter that was chosen is imported
    pass


def refuse_same_file(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raises `UsageError` when a file is read and written: the run would be fed its own rows, for ever.
    `-` is standard input among the inputs and standard output among the outputs, `<a >>a` included."""
    read = {_identity(path, 0): path for path in inputs}
    read.pop(None, None)
    for path in outputs:
        if (identity := _identity(path, 1)) in read:
            name = "standard output" if path == "-" else escape_invisible(path)
            raise UsageError(
                f"{name}: is the input {escape_invisible(read[identity])} as well; name another file with -o"
            )


def _identity(path: str, standard: int) -> tuple[int, int] | None:
    """What makes a file the same by whatever name; None for what is not there or no regular file."""
    try:
        status = os.fstat(standard) if path == "-" else Path(path).stat()
    except (OSError, ValueError):  # opening it will say what is wrong
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


HASHES = ("sha256",)
MISLEADING_SUFFIXES = {
    ".json": "rows are written one JSON object a line; name it .jsonl, or add --format jsonl",
    ".gz": "outputs are not compressed; name it without .gz",
}
BUILT_IN_FIELDS = {"title": ("title",)}
"""What the built-in parsers add to a row, for outputs whose columns are settled beforehand."""


class Output(Struct, frozen=True):
    """Where rows go, and how they are written."""

    path: str
    """`-` is standard output."""
    format: str
    """One of `FORMATS`."""


def parse_outputs(paths: Sequence[str], format: str | None) -> tuple[Output, ...]:
    """Each with its format, which is that of its name unless one is given for all."""
    if format is not None:
        format = validate.choice("--format", format, FORMATS)
    named: set[str] = set()
    for path in paths:
        if not path:
            raise UsageError("--output: an empty name; write a file's name, or - for standard output")
        place = path if path == "-" else str(resolved(path))
        if place in named:
            raise UsageError(f"--output: duplicate path {path}")
        named.add(place)
    return tuple(Output(path, format or _format_of(path)) for path in paths)


def is_among(path: str, outputs: Sequence[str]) -> bool:
    """Whether a file or folder is one of the outputs, by whatever name."""
    return resolved(path) in (resolved(output) for output in outputs if output != "-")


def resolved(path: str) -> Path:
    """The path without links; as it is where there is no telling, and whoever opens it will say why: the
    working directory was removed, or a link leads to itself."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):
        return Path(path)


def _format_of(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix in MISLEADING_SUFFIXES:
        raise UsageError(f"--output: {path}: {MISLEADING_SUFFIXES[suffix]}")
    return SUFFIXES.get(suffix, "text")


def text_output_warnings(outputs: Sequence[Output], adding: Sequence[str]) -> list[str]:
    """What to say when the options in `adding` add fields, and there are only outputs without a place for
    them."""
    if not outputs or any(each.format != "text" for each in outputs):
        return []
    return [f"{option} has no effect on text output; use -o rows.jsonl or -o rows.csv" for option in adding]


def extra_fields(fetch: FetchOptions, refreshed: bool) -> tuple[str, ...]:
    """What features add to the rows, in order."""
    fields = {
        "sha256": fetch.hash or bool(fetch.save),
        "filename_effective": bool(fetch.save),
        "etag": fetch.validators,
        "last_modified": fetch.validators,
        "not_modified": refreshed,
    }
    parsed = [name for parser in fetch.parse for name in BUILT_IN_FIELDS.get(parser, ())]
    return (*(name for name, wanted in fields.items() if wanted), *parsed)


def names_parsers_take(parse: tuple[str, ...]) -> frozenset[str] | None:
    """The fields that these parsers may add to a row; None: a person's own may add any."""
    if any(parser not in BUILT_IN_FIELDS for parser in parse):
        return None
    return frozenset(name for parser in parse for name in BUILT_IN_FIELDS[parser])


def save_folder(name: str | None) -> str:
    """Where `--save` puts bodies; empty for nowhere."""
    if name is None:
        return ""
    if not name:
        raise UsageError("--save: an empty name; write a folder's name")
    if os.open not in os.supports_dir_fd:
        raise UsageError("--save: not on this system, whose folders can't be held open; use --hash sha256")
    return name


def warc_archive(path: str | None) -> str:
    """Where `--warc` puts what was sent and received; empty for nowhere."""
    if path is None:
        return ""
    if not path.endswith(".warc.gz"):
        raise UsageError(f"--warc: {path!r}: the file name must end in .warc.gz")
    if os.open not in os.supports_dir_fd:
        raise UsageError("--warc: not on this system, whose folders can't be held open")
    return path
