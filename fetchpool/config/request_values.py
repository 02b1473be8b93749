"""Checks the options of the request: its headers, cookies and body.

In: values as a user typed them, or a program passed them; `@file` reads a file, as in curl. Out: headers and
bytes as they are sent, or a `UsageError` of one line. No message repeats a value that may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fetchpool.config import validate
from fetchpool.model.errors import UsageError, why_unreadable

Body = str | bytes | Sequence[str | bytes]
"""A body as a program may pass it: one value, or several pieces."""
Json = str | bytes | Mapping[str, object] | Sequence[object]
"""JSON as text, or a value to write as JSON."""

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
BODILESS = frozenset(("HEAD", "TRACE"))
"""Methods whose requests must not have a body (RFC 9110 section 9.3)."""
_RANGE = re.compile(r"(?:[0-9]+-[0-9]*|-[0-9]+)(?:,(?:[0-9]+-[0-9]*|-[0-9]+))*")
MOST_STATUS = 999


def data(label: str, value: Any) -> bytes | None:
    """Return the body of `--data`: pieces joined by `&`. A file is read without line ends, as in curl."""
    if value == ():  # the command line's, without the option
        return None
    pieces = []
    for piece in _pieces(label, value):
        content, is_file = _content(label, piece)
        pieces.append(content.translate(None, b"\r\n\0") if is_file else content)
    return b"&".join(pieces)


def json_body(label: str, value: Any) -> bytes | None:
    """Return the body of `--json`: text unchanged, with its pieces joined; any other value encoded as
    JSON."""
    if value == ():  # the command line's, without the option
        return None
    is_text = isinstance(value, str | bytes)
    is_pieces = isinstance(value, tuple)  # from the command line; a program's list is a JSON array
    if is_text or is_pieces:
        return b"".join(_content(label, piece)[0] for piece in _pieces(label, value))
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{label}: not a JSON value ({error})") from None


def _pieces(label: str, value: Any) -> list[str | bytes]:
    pieces = [value] if isinstance(value, str | bytes) else value
    if not isinstance(pieces, Iterable) or isinstance(pieces, Mapping):
        raise UsageError(f"{label}: expected str or bytes, got {type(value).__name__}")
    listed = list(pieces)
    for piece in listed:
        if not isinstance(piece, str | bytes):
            raise UsageError(f"{label}: expected str or bytes, got {type(piece).__name__}")
    return listed


def _content(label: str, piece: str | bytes) -> tuple[bytes, bool]:
    """Return the bytes of one piece, and whether they are from a file."""
    if isinstance(piece, bytes):
        return piece, False
    if piece.startswith("@"):
        return read_file(label, piece[1:]), True
    return piece.encode("utf-8", "surrogateescape"), False


def read_file(label: str, path: str) -> bytes:
    """Return the content of the file in `@path`. Raises `UsageError`."""
    if not path or path == "-":
        raise UsageError(f"{label}: expected a file after @; standard input is for the list of URLs")
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{label}: {path}: {why_unreadable(error)}") from None


def headers(value: Any) -> tuple[tuple[str, str], ...]:
    """Return headers as `validate.headers()` does; a line `@file` stands for the lines of that file."""
    if not isinstance(value, Iterable) or isinstance(value, str | Mapping):
        return validate.headers(value)
    lines: list[Any] = []
    for line in value:
        if isinstance(line, str) and line.startswith("@"):
            text = read_file("--header", line[1:]).decode("utf-8", "surrogateescape")
            lines += [each for each in text.splitlines() if each.strip()]
        else:
            lines.append(line)
    return validate.headers(lines)


def referer(label: str, value: str) -> str:
    """Return the value of the `Referer` header."""
    if value.endswith(";auto"):
        raise UsageError(f"{label}: ;auto is not supported; write a URL, which is sent with every request")
    return validate.header_value(label, value)


def byte_range(label: str, value: str) -> str:
    """Return the value of the `Range` header for `0-499`, `-500` or `9500-`, as curl's `--range`."""
    if not _RANGE.fullmatch(value):
        raise UsageError(f"{label}: {value!r} is not a range of bytes; write 0-499, -500 or 9500-")
    for each in value.split(","):
        first, _, last = each.partition("-")
        if first and last and int(first) > int(last):
            raise UsageError(f"{label}: {each} ends before its start")
    return f"bytes={value}"


def statuses(label: str, value: Any) -> tuple[tuple[int, int], ...]:
    """Return the ranges of statuses in `200..299,403`, in several such texts, or in numbers."""
    listed = [value] if isinstance(value, str | int) else value
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise UsageError(f"{label}: expected statuses such as 200..299,403")
    ranges = []
    for text in [part.strip() for each in listed for part in str(each).split(",")]:
        low, dots, high = text.partition("..")
        last = high if dots else low
        if not all(len(part) == 3 and part.isascii() and part.isdecimal() for part in (low, last)):
            raise UsageError(f"{label}: {text!r} is not a status; write 200..299,403")
        if not 100 <= int(low) <= int(last) <= MOST_STATUS:
            raise UsageError(f"{label}: {text!r} is not a range of statuses from 100 to {MOST_STATUS}")
        ranges.append((int(low), int(last)))
    return tuple(ranges)


def request_headers(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the user's headers, with those of `--referer`, `--range`, `--cookie`, `--data` and `--json`. A
    header of `--header` takes precedence."""
    given: list[tuple[str, str]] = list(values["headers"])
    named = {name.lower() for name, _ in given}
    more: list[tuple[str, str | None]] = [
        ("Referer", values["referer"]),
        ("Range", values["range"]),
    ]
    text = "" if values["cookie"] is None else values["cookie"][0]
    more += [("Cookie", text)] if text else []
    if values["json"] is not None:
        more += [("Content-Type", JSON), ("Accept", JSON)]
    elif values["data"] is not None:
        more += [("Content-Type", FORM)]
    return (
        *given,
        *((name, value) for name, value in more if value is not None and name.lower() not in named),
    )


def request_body(values: Mapping[str, Any], method: str | None) -> tuple[str, bytes]:
    """Return the method and the body. With a body the method is POST, unless another one is given."""
    if values["data"] is not None and values["json"] is not None:
        raise UsageError("--data and --json are mutually exclusive")
    option = "--data" if values["json"] is None else "--json"
    body = values["data"] if values["json"] is None else values["json"]
    if body is None:
        return values["method"], b""
    if method is not None and values["method"] in BODILESS:
        raise UsageError(f"{option}: a {values['method']} request has no body")
    return "POST" if method is None else values["method"], body
