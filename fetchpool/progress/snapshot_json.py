"""The snapshot of a run as JSON: the schema of `--progress json`, the web page's API and its metrics.

In: a `Snapshot`, or another struct for programs. Out: one line of JSON without control characters, whose keys
are the struct's fields, in order. `docs/reference/progress-json.md` is written from the structs. Pure.
"""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Struct

from fetchpool.engine.events import Snapshot

_ENCODER = msgspec.json.Encoder()
_NOT_PRINTABLE = re.compile(r"[^ -~]")


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as a JSON object in one line, without a line end."""
    return encode_line(snapshot)


def encode_line(value: Struct) -> bytes:
    """Return a struct as JSON in one line that can be shown on a terminal: every character that is not
    printable is written as `\\uXXXX`, so that a reader gets the same text."""
    try:
        text = _ENCODER.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate: a file name that is not UTF-8
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()
    if not text.isprintable():  # JSON has other characters than ASCII only in its strings
        text = _NOT_PRINTABLE.sub(_escaped, text)
    return text.encode()


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]
