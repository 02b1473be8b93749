"""Recognizes inputs that are not URL lists by their first bytes, and names the fix.

In: the first bytes of an input, as stored or decompressed. Out: one clause for the user, with the fix in it;
empty for a possible list. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from fetchpool.sources.decompress import by_magic

ENOUGH = 4096
"""The number of first bytes that are checked."""


class Signature(Struct, frozen=True):
    """The first bytes of one type of file."""

    magic: bytes
    message: str
    at: int = 0
    """The offset of the magic in the file."""


UTF16 = "is UTF-16; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8"
UTF32 = "is UTF-32; save it as UTF-8, or: iconv -f UTF-32 -t UTF-8"
ZIP = "is a ZIP archive; unpack it, or: unzip -p FILE | fetchpool -"
SHEET = "is a spreadsheet; save it as CSV, and name its column with --url-column"
PARQUET = b"PAR1"  # parquet.apache.org, "File Format"

SIGNATURES = (
    Signature(b"\xff\xfe\0\0", UTF32),  # before UTF-16's, which it begins with
    Signature(b"\0\0\xfe\xff", UTF32),
    Signature(b"\xff\xfe", UTF16),
    Signature(b"\xfe\xff", UTF16),
    # sqlite.org/fileformat2.html, section 1.3
    Signature(
        b"SQLite format 3\0",
        "is a SQLite database; pipe its URLs in: sqlite3 FILE 'SELECT url FROM fetches' | fetchpool -",
    ),
    Signature(b"PK\3\4", ZIP),  # APPNOTE.TXT section 4.3: a file, an empty archive, a part of one
    Signature(b"PK\5\6", ZIP),
    Signature(b"PK\7\x08", ZIP),
    Signature(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SHEET),  # [MS-CFB]: Office before 2007
    Signature(b"\xfd7zXZ\0", "is xz data; unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"\x5d\0\0", "is lzma data; unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"LZIP", "is lzip data; unpack it: lzip -dc FILE | fetchpool -"),
    Signature(b"\x04\x22\x4d\x18", "is LZ4 data; unpack it: lz4 -dc FILE | fetchpool -"),
    Signature(b"\x1f\x9d", "is compress data; unpack it: gzip -dc FILE | fetchpool -"),
    Signature(b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it: 7z x -so FILE | fetchpool -"),
    Signature(b"Rar!\x1a\7", "is a RAR archive; unpack it: unrar p -inul FILE | fetchpool -"),
    Signature(b"ustar", "is a tar archive; unpack it: tar -xOf FILE | fetchpool -", at=257),
    Signature(b"%PDF-", "is a PDF; extract its URLs: pdftotext FILE - | grep -o 'https*://[^ ]*'"),
    Signature(b"{\\rtf", "is a RTF document; save it as plain text"),
    Signature(PARQUET, "is Parquet; name it FILE.parquet, and its column with --url-column"),
    Signature(b"ARROW1", "is an Arrow file; save it as Parquet or CSV"),
    Signature(b"Obj\1", "is Avro; save it as Parquet, CSV or JSONL"),
    Signature(b"ORC", "is ORC; save it as Parquet, CSV or JSONL"),
)
SHEETS = (b"xl/", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
"""Text in a ZIP archive that is a spreadsheet (ECMA-376 part 2; OpenDocument 1.3 part 2)."""
DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:(!doctype\s+html|html)|\?xml)[\s>]", re.IGNORECASE)
JSON_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*[\"{]")
SHORT = 32
NUL_SHARE = 4
"""An input with a quarter of NUL bytes is not text: it is UTF-16 without a byte order mark, or binary. An
input shorter than `SHORT` counts as having that length."""


def check(start: bytes, *, but: bytes = b"") -> str:
    """Return why an input with these first bytes is not a list. `but`: the magic of the expected file
    type."""
    for each in SIGNATURES:
        if start.startswith(each.magic, each.at):
            if each.magic == but:
                return ""
            return SHEET if each.message is ZIP and any(mark in start for mark in SHEETS) else each.message
    if declared := DECLARED.match(start):
        return f"is {'HTML' if declared[1] else 'XML'}; extract its URLs, one per line"
    if JSON_ARRAY.match(start):
        return "is a JSON array; make lines of it: jq -c '.[]' FILE | fetchpool - --url-column NAME"
    if by_magic(start) is None and start.count(b"\0") * NUL_SHARE > max(len(start), SHORT):
        return "is not text, or UTF-16 without a byte order mark; save it as UTF-8"
    return ""
