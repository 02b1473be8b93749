"""Formats rows as JSON Lines: one object per line, the row's fields in their documented order, then the added
fields.

In: records. Out: lines of JSON (RFC 8259, in UTF-8). No added field has the name of one of the row's own
fields, since the runner of parsers renames such fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from fetchpool.model.record import FieldType, Record
from fetchpool.sinks.binary import in_base64, with_encodings

BEGIN = b'{"urlnum":'
EXTRA = b',"extra":{'
NEEDED = frozenset(("url", "error"))
"""The fields that a resumed run reads."""
NO_EXTRA = EXTRA + b"}}\n"
_INVISIBLE = re.compile(
    "[\\x7f-\\x9f\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e"
    "\\u2060-\\u2064\\u2066-\\u206f\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)
"""Characters that a terminal would interpret or not show. JSON can write them as escapes."""


class JsonlRows:
    """The `RowFormat` of JSONL files."""

    name = "jsonl"
    header = b""

    def __init__(self, types: Mapping[str, FieldType] | None = None, fields: tuple[str, ...] = ()) -> None:
        """`types`: the types of known added fields; `fields`: the only fields, in this order."""
        self._fields = with_encodings(fields, types or {})
        self._encoder = msgspec.json.Encoder()
        self._has_content = bool({"body", "text"} & (types or {}).keys())

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record: 0.6 µs, or 0.9 for a record with added fields."""
        if self._fields:
            return b"".join([escape_json(self._chosen(record)) for record in records])
        if self._has_content:
            return b"".join([escape_json(self._row(without_bytes(record))) for record in records])
        lines = self._encoder.encode_lines(records)
        added = sum([1 for record in records if record.extra])
        if added < len(records):
            # JSON strings contain no unescaped quote or line end, so this matches only the end of a row.
            lines = lines.replace(NO_EXTRA, b"}\n")
        if not added:
            return lines
        parts = lines.split(EXTRA)  # splitting and joining takes half the time of replacing
        if len(parts) != added + 1:  # an added field contains a field of that name
            return b"".join([self._row(record) for record in records])
        lines = b",".join(parts)
        if added < len(records):
            return lines.replace(b"}}\n", b"}\n")
        return b"\n".join([row[:-1] for row in lines.split(b"\n")])

    def check_header(self, start: bytes) -> str:
        """Check that the first row begins with its first field, and has the chosen fields."""
        begin = BEGIN if not self._fields else b'{"%b":' % self._fields[0].encode()
        if not start.endswith(b"\n"):
            is_ours = start.startswith(begin) or begin.startswith(start)
        elif self._fields:
            is_ours = _names(start) == self._fields
        else:
            names = _names(start)
            is_ours = start.startswith(BEGIN) and (not names or set(names) >= NEEDED)
        if is_ours:
            return ""
        if set(_names(start)) >= NEEDED:
            return "is a JSONL output of fetchpool with other fields"
        return "is not a JSONL output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the header, which is empty, if rows can be read back: they have the URL and the error."""
        if start.startswith(BEGIN) or BEGIN.startswith(start):
            return b"" if not (names := _names(start)) or set(names) >= NEEDED else None
        return b"" if set(_names(start)) >= NEEDED else None

    def _chosen(self, record: Record) -> bytes:
        row = in_base64(record.to_dict())
        return self._encoder.encode({name: row.get(name) for name in self._fields}) + b"\n"

    def _row(self, record: Record) -> bytes:
        row = self._encoder.encode(record)
        extra = self._encoder.encode(record.extra)
        fields = row[: -len(b',"extra":}') - len(extra)]
        return fields + b"}\n" if extra == b"{}" else fields + b"," + extra[1:] + b"\n"


def _names(line: bytes) -> tuple[str, ...]:
    """Return the names of the fields of a row; none if the line is not an object."""
    try:
        return tuple(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ()


def without_bytes(record: Record) -> Record:
    """Return the record with bytes in base64."""
    return replace(record, extra=in_base64(record.extra)) if record.extra else record


def escape_json(line: bytes) -> bytes:
    """Return a row with its invisible characters escaped: the decoded text is unchanged, but can't move the
    cursor when the row is shown on a terminal."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _INVISIBLE.sub(_escaped, line.decode()).encode()


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
